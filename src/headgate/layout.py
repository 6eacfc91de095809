"""The names of files and folders in a manifest repository."""

SETTINGS = "headgate.yaml"
LOCK = "headgate.lock"
APPS = "apps"
TEMPLATES = "templates"
ENVIRONMENTS = "environments"
FROZEN = "frozen.yaml"
"""In an environment's folder: it takes nothing by itself for now."""
VERSIONS = f"{TEMPLATES}/.versions"
"""Templates as they were, for the releases that name them."""
INPUTS = (APPS, TEMPLATES, ENVIRONMENTS)
"""Folders that hydration reads; everything else is output, or not ours."""
