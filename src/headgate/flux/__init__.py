"""Flux: the objects that make it apply the final YAML, and its verdict on what it applied."""
