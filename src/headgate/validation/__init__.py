"""Validation of final YAML by an API server's rules: the validator's findings, weighed by levels and waivers."""
