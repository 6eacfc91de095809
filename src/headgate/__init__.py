"""Headgate: from an app's repository to the final YAML in the manifest repository, on GitLab."""

__version__ = "0.1.0"
