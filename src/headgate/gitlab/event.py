"""What GitLab and the component tell a job by its environment: only claims, until GitLab itself says the same."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from headgate.errors import ConfigError, UntrustedError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Tokens:
    """The tokens of a run. ``job`` is the job's own; ``write`` may push; ``read`` reads other projects; ``branch``
    writes branches of merge requests, and notes; ``id`` is GitLab's word on the job and who runs it. Empty: not given.
    """

    job: str = field(default="", repr=False)
    write: str = field(default="", repr=False)
    read: str = field(default="", repr=False)
    branch: str = field(default="", repr=False)
    id: str = field(default="", repr=False)


@dataclass(frozen=True)
class Form:
    """What somebody chose in GitLab's form for a new pipeline; empty where nothing was chosen."""

    action: str = ""
    app: str = ""
    environment: str = ""
    source: str = ""
    to: str = ""
    reason: str = ""

    @property
    def environments(self) -> tuple[str, ...]:
        """The environment, where one was chosen."""
        return (self.environment,) if self.environment else ()


@dataclass(frozen=True)
class Event:
    """A job's surroundings: GitLab's address, the manifest project, what the pipeline was told, and tokens.

    ``upstream`` is the pipeline that is said to have triggered this one, of ``upstream_project``; 0 when none is named.
    ``registry_variables`` are those from which the logins to registries come, ``signing_key`` is the file of the key
    that signs commits.
    """

    server: str
    manifests: str
    handoff: str
    form: Form
    upstream: int
    upstream_project: int
    tokens: Tokens
    registry_variables: Mapping[str, str] = field(repr=False)
    signing_key: str = ""
    kubeconfig: str = ""


def read_event(environ: Mapping[str, str]) -> Event:
    """Read a job's environment.

    Raises ConfigError for a variable that is missing, UntrustedError when they contradict each other: then
    somebody set them from outside, and no token may be sent anywhere.
    """
    server, manifests = needed(environ, "HEADGATE_SERVER").rstrip("/"), needed(environ, "HEADGATE_MANIFESTS")
    check_addresses(server, environ)
    tokens = Tokens(
        needed(environ, "CI_JOB_TOKEN"),
        environ.get("HEADGATE_TOKEN", ""),
        environ.get("HEADGATE_READ_TOKEN", ""),
        environ.get("HEADGATE_BRANCH_TOKEN", ""),
        environ.get("HEADGATE_ID_TOKEN", ""),
    )
    form = Form(**{name: environ.get(f"HEADGATE_{name.upper()}", "") for name in Form.__dataclass_fields__})
    return Event(
        server,
        manifests,
        environ.get("HEADGATE_HANDOFF", ""),
        form,
        _number(environ, "CI_UPSTREAM_PIPELINE_ID"),
        _number(environ, "CI_UPSTREAM_PROJECT_ID"),
        tokens,
        {name: environ[name] for name in _REGISTRY if name in environ},
        environ.get("HEADGATE_SIGNING_KEY", ""),
        environ.get("KUBECONFIG", ""),
    )


def _number(environ: Mapping[str, str], name: str) -> int:
    """Return a variable that is a number in GitLab; 0 where it is not there or something else."""
    told = environ.get(name, "")
    return int(told) if re.fullmatch(r"[0-9]{1,18}", told) else 0


_REGISTRY = (
    *("DOCKER_AUTH_CONFIG", "CI_DEPLOY_USER", "CI_DEPLOY_PASSWORD"),
    *("CI_JOB_TOKEN", "CI_REGISTRY", "HEADGATE_READ_TOKEN"),
)


def needed(environ: Mapping[str, str], name: str, hint: str = "") -> str:
    """Return a variable that must be set. Raises ConfigError, with ``hint`` or that a component's job sets it."""
    value = environ.get(name, "")
    if not value:
        usual = "run this in a job of one of Headgate's components, which sets it; GitLab sets what begins with CI_"
        raise ConfigError(f"the variable {name} is not set", hint=hint or usual)
    return value


def check_addresses(server: str, environ: Mapping[str, str]) -> None:
    """Compare all that names GitLab's host. Pipeline variables outrank GitLab's own, so one that differs is forged.

    Who may set pipeline variables can forge all of them alike: that is closed in GitLab, and `doctor` looks.
    https://docs.gitlab.com/ci/variables/#cicd-variable-precedence
    """
    expected = _host(server)
    if not re.fullmatch(r"https?://[^/@\s]+(/[\w./-]*)?", server) or not expected:
        raise UntrustedError(f"HEADGATE_SERVER is {server!r}, expected an address such as https://gitlab.example.com")
    for name in ("CI_SERVER_URL", "CI_API_V4_URL", "CI_PROJECT_URL"):
        value = environ.get(name, "")  # GitLab sets all of them
        if _host(value) != expected or not f"{value}/".startswith(f"{server}/"):
            raise UntrustedError(
                f"{name} names {value!r}, which is not below {server}",
                hint="a variable was set from outside: allow no pipeline variables in this project (Settings, CI/CD, "
                "Variables, Minimum role to use pipeline variables: no one), and look who started this pipeline",
            )


def _host(address: str) -> str:
    parts = urlsplit(address)
    return parts.netloc.lower() if parts.scheme in ("http", "https") and "@" not in parts.netloc else ""
