"""Releases: what one app runs in one environment, what is pending there, and what ran before."""
