"""Canonical YAML text, and paths into YAML data."""
