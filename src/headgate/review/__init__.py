"""Merge requests for what waits: made, kept up to date, merged and closed."""
