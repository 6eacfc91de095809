"""Releases: what one app runs in one environment, and what a hand-off makes of it."""
