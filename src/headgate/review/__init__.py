"""Merge requests for proposals: opened, updated, merged and closed."""
