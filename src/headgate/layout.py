"""The names of files and folders in a manifest repository."""

SETTINGS = "headgate.yaml"
LOCK = "headgate.lock"
APPS = "apps"
TEMPLATES = "templates"
ENVIRONMENTS = "environments"
INPUTS = (APPS, TEMPLATES, ENVIRONMENTS)
"""Folders that hydration reads; everything else is output, or not ours."""
