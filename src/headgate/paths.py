"""The names of files and folders in a manifest repository."""

SETTINGS = "headgate.yaml"
LOCK = "headgate.lock"
APPS = "apps"
TEMPLATES = "templates"
ENVIRONMENTS = "environments"
CLUSTERS = "clusters"
"""A folder for each cluster, with the Flux objects that Headgate writes and those of people."""
FROZEN = "frozen.yaml"
"""In an environment's folder: it takes nothing by itself for now."""
VERSIONS = f"{TEMPLATES}/.versions"
"""Templates as they were, for the releases that name them."""
INPUTS = (APPS, TEMPLATES, ENVIRONMENTS)
"""Folders that hydration reads; everything else is output, or not ours."""


OURS = "headgate/"
"""What the names of our branches begin with."""


RECORDS_BRANCH = f"{OURS}_state"
"""The branch for what is pending, where that does not stand on the default branch."""


def review_branch(app: str, environment: str) -> str:
    """Return the branch on which changes of an app wait for review."""
    return f"{OURS}{environment}/{app}"


def group_branch(environment: str) -> str:
    """Return the branch for a change of many apps of an environment. No app can be called like its last part."""
    return f"{OURS}{environment}/_rehydrate"
