"""Releases: what one app runs in one environment, what a hand-off makes of it, and what ran before."""
