"""Headgate: from an app's repository to the final YAML in the manifest repository, on GitLab."""

__version__ = "1.0.0"

PINNED = {"helm": "4.3.1", "kustomize": "5.8.2"}
"""The versions of the engines that are programs of their own: those of ``image/go.mod``."""

PINNED_VALIDATOR = {"kubernetes": "1.37.2"}
"""The version of Kubernetes whose code judges: that of ``image/validator/go.mod``."""
