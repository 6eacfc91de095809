"""The names of files and folders in a manifest repository, and what to do where it is not one."""

SETTINGS = "headgate.yaml"
LOCK = "headgate.lock"
APPS = "apps"
TEMPLATES = "templates"
ENVIRONMENTS = "environments"
CLUSTERS = "clusters"
"""A folder for each cluster, with the Flux objects that Headgate writes and those of people."""
FROZEN = "frozen.yaml"
"""In an environment's folder while it is frozen."""
UNAPPROVED = "unapproved.yaml"
"""In an environment's folder where what runs was merged without its approvals."""
VERSIONS = f"{TEMPLATES}/.versions"
"""Older versions of templates that releases name."""
POLICIES = "policies"
"""Rules over objects, as Kubernetes' ValidatingAdmissionPolicies."""
INPUTS = (APPS, TEMPLATES, ENVIRONMENTS, POLICIES)
"""Folders that hydration reads; all others are output or foreign."""

WRONG_FOLDER = (
    "run it in a checkout of the manifest repository, or name one with --manifests; 'headgate init' writes a new one"
)
"""What to do where a folder holds no manifest repository."""
NO_COMMIT_YET = (
    "commit the files of the manifest repository ('headgate init' writes the first), or name another with --manifests"
)
"""What to do where a repository is empty."""

OURS = "headgate/"
"""Prefix of Headgate's branches."""
RECORDS_BRANCH = f"{OURS}_state"
"""The branch of pending records, unless they are on the default branch."""


def review_branch(app: str, environment: str) -> str:
    """Return the review branch of an app in an environment."""
    return f"{OURS}{environment}/{app}"


def environment_of(branch: str) -> str:
    """Return the environment in a review branch's name."""
    return branch.removeprefix(OURS).split("/", 1)[0]


def app_of(branch: str) -> str:
    """Return the app in a review branch's name; empty for a template change."""
    name = branch.removeprefix(OURS).partition("/")[2]
    return "" if name.startswith("_") else name


def group_branch(environment: str) -> str:
    """Return the review branch for a change of many apps. No app can have the name of its last part."""
    return f"{OURS}{environment}/_rehydrate"
