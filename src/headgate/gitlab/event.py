"""A job's environment variables: only claims until GitLab's API confirms them."""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from headgate.errors import ConfigError, UntrustedError
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen_record
class Tokens:
    """The tokens of a run; empty when not given.

    ``job`` is the job's own; ``write`` pushes; ``read`` reads other projects; ``branch`` writes merge requests'
    branches and notes; ``id`` is the job's id_token.
    """

    job: str = field(default="", repr=False)
    write: str = field(default="", repr=False)
    read: str = field(default="", repr=False)
    branch: str = field(default="", repr=False)
    id: str = field(default="", repr=False)


@frozen_record(kw_only=False)
class Form:
    """The inputs of GitLab's form for a new pipeline; empty where nothing was chosen."""

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


@frozen_record
class Event:
    """A job's environment: GitLab's address, the manifest project, hand-off, form and tokens.

    ``upstream`` is the pipeline of ``upstream_project`` that allegedly triggered this one; 0 when none is named.
    ``registry_variables`` hold the logins to registries; ``signing_key`` is the file of the key that signs commits,
    ``artifact_key`` that of the one that signs OCI artifacts.
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
    artifact_key: str = ""
    kubeconfig: str = ""


def read_event(environ: Mapping[str, str]) -> Event:
    """Read a job's environment.

    Raises ConfigError for a missing variable, UntrustedError for variables that contradict each other: somebody set
    them from outside, so no token may be sent anywhere.
    """
    server, manifests = needed(environ, "HEADGATE_SERVER").rstrip("/"), needed(environ, "HEADGATE_MANIFESTS")
    check_addresses(server, environ)
    tokens = Tokens(
        job=needed(environ, "CI_JOB_TOKEN"),
        write=environ.get("HEADGATE_TOKEN", ""),
        read=environ.get("HEADGATE_READ_TOKEN", ""),
        branch=environ.get("HEADGATE_BRANCH_TOKEN", ""),
        id=environ.get("HEADGATE_ID_TOKEN", ""),
    )
    form = Form(**{name: environ.get(f"HEADGATE_{name.upper()}", "") for name in Form.__dataclass_fields__})
    return Event(
        server=server,
        manifests=manifests,
        handoff=environ.get("HEADGATE_HANDOFF", ""),
        form=form,
        upstream=_number(environ, "CI_UPSTREAM_PIPELINE_ID"),
        upstream_project=_number(environ, "CI_UPSTREAM_PROJECT_ID"),
        tokens=tokens,
        registry_variables={name: environ[name] for name in _REGISTRY if name in environ},
        signing_key=environ.get("HEADGATE_SIGNING_KEY", ""),
        artifact_key=environ.get("HEADGATE_ARTIFACT_KEY", ""),
        kubeconfig=environ.get("KUBECONFIG", ""),
    )


def _number(environ: Mapping[str, str], name: str) -> int:
    """Return an id from a variable; 0 when it is unset or not a number."""
    value = environ.get(name, "")
    return int(value) if re.fullmatch(r"[0-9]{1,18}", value) else 0


_REGISTRY = [
    "DOCKER_AUTH_CONFIG",
    "CI_DEPLOY_USER",
    "CI_DEPLOY_PASSWORD",
    "CI_JOB_TOKEN",
    "CI_REGISTRY",
    "HEADGATE_READ_TOKEN",
]


def needed(environ: Mapping[str, str], name: str, hint: str = "") -> str:
    """Return a variable that must be set. Raises ConfigError."""
    value = environ.get(name, "")
    if not value:
        usual = (
            "run this in a job of one of Headgate's components, which sets it; GitLab sets those that begin with CI_"
        )
        raise ConfigError(f"the variable {name} is not set", hint=hint or usual)
    return value


def check_addresses(server: str, environ: Mapping[str, str]) -> None:
    """Compare all variables that name GitLab's host. Pipeline variables outrank its own: one that differs is forged.

    Whoever may set pipeline variables can forge all of them alike: a setting in GitLab forbids it, and `doctor` checks.
    https://docs.gitlab.com/ci/variables/#cicd-variable-precedence
    """
    expected = _host(server)
    if not re.fullmatch(r"https?://[^/@\s]+(/[\w./-]*)?", server) or not expected:
        raise UntrustedError(f"HEADGATE_SERVER is {server!r}, expected an address such as https://gitlab.example.com")
    for name in ("CI_SERVER_URL", "CI_API_V4_URL", "CI_PROJECT_URL"):
        value = environ.get(name, "")  # GitLab always sets these
        if _host(value) != expected or not f"{value}/".startswith(f"{server}/"):
            raise UntrustedError(
                f"{name} names {value!r}, which is not below {server}",
                hint="a variable was set from outside: allow no pipeline variables in this project (Settings, CI/CD, "
                "Variables, Minimum role to use pipeline variables: no one), and check who started this pipeline",
            )


def _host(address: str) -> str:
    parts = urlsplit(address)
    return parts.netloc.lower() if parts.scheme in ("http", "https") and "@" not in parts.netloc else ""
