"""YAML in and out, without losing how a scalar was written."""
