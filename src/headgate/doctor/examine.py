"""What GitLab says of the projects of an installation, for `headgate doctor`. Only asks; None where it may not."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from headgate.errors import GitLabError
from headgate.gitlab.api import connect, project_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.gitlab.api import GitLab
    from headgate.model import Settings
    from headgate.scaffolding import Setup


@dataclass(frozen=True)
class Member:
    """A member of a project, with the access level there."""

    name: str
    level: int


@dataclass(frozen=True)
class Project:
    """A project as GitLab shows it to one token; None for what it does not show.

    ``facts`` are its settings, ``rules`` those of its protected branches, ``variables`` its own by key,
    ``allowed`` the paths of projects and groups on its job token allowlist, ``limited`` whether that is in force.
    """

    path: str
    facts: Mapping[str, Any] | None
    rules: tuple[Mapping[str, Any], ...] | None = None
    members: tuple[Member, ...] | None = None
    variables: Mapping[str, Mapping[str, Any]] | None = None
    allowed: frozenset[str] | None = None
    limited: bool | None = None
    schedules: tuple[Mapping[str, Any], ...] | None = None
    users: Mapping[str, int] = field(default_factory=dict)
    """Whose the tokens among its variables are, as far as GitLab shows their values to who asks."""

    @property
    def branch(self) -> str:
        """The default branch."""
        return str((self.facts or {}).get("default_branch") or "main")

    @property
    def protected(self) -> tuple[Mapping[str, Any], ...] | None:
        """The rules that hold for the default branch."""
        return self.protecting(self.branch)

    def protecting(self, branch: str) -> tuple[Mapping[str, Any], ...] | None:
        """Return the rules that hold for a branch; of several the one that allows most wins, so all are told."""
        return None if self.rules is None else tuple(one for one in self.rules if fnmatchcase(branch, one["name"]))


@dataclass(frozen=True)
class Examined:
    """An installation: its set-up, GitLab's version, its projects, and what the checkout says, where there is one.

    ``ci`` holds the CI files by their names, without header; ``images`` the apps' images.
    """

    setup: Setup
    version: str | None
    manifests: Project
    intake: Project | None
    apps: tuple[Project, ...]
    settings: Settings | None
    ci: Mapping[str, Any]
    images: tuple[str, ...]

    @property
    def runs_in(self) -> Project:
        """The project whose pipelines take hand-offs."""
        return self.intake or self.manifests


@dataclass(frozen=True)
class Checkout:
    """What a checkout of the manifest repository says: settings, CI files, and the apps' projects and images."""

    settings: Settings | None = None
    ci: Mapping[str, Any] = field(default_factory=dict)
    projects: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


def examine(gitlab: GitLab, setup: Setup, manifests: str, intake: str, checkout: Checkout) -> Examined:
    """Ask GitLab for all that the checks look at. Raises GitLabError when it does not answer or take the token."""
    version = gitlab.get("/version")["version"]  # any token may ask; 401 is for one that is none
    return Examined(
        setup,
        str(version),
        _project(gitlab, manifests),
        _project(gitlab, intake) if intake else None,
        tuple(_app(gitlab, path) for path in checkout.projects),
        checkout.settings,
        checkout.ci,
        checkout.images,
    )


def _project(gitlab: GitLab, path: str) -> Project:
    at = project_path(path)
    facts = _fetch(gitlab, at)
    if facts is None:
        return Project(path, None)
    variables = _listed(gitlab, f"{at}/variables")
    members = _listed(gitlab, f"{at}/members/all")
    active = [one for one in members or () if one.get("state", "active") == "active"]
    return Project(
        path,
        facts,
        _listed(gitlab, f"{at}/protected_branches"),
        None if members is None else tuple(Member(one["username"], int(one["access_level"])) for one in active),
        None if variables is None else {one["key"]: one for one in variables},
        _allowed(gitlab, at),
        _limited(gitlab, at),
        _listed(gitlab, f"{at}/pipeline_schedules"),
        _users(gitlab, variables or ()),
    )


def _users(gitlab: GitLab, variables: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Ask each of the tokens that write whose it is. One whose value is hidden, or that is none, is left out."""
    found = {}
    for one in variables:
        if one["key"] in ("HEADGATE_TOKEN", "HEADGATE_BRANCH_TOKEN") and one.get("value"):
            with suppress(GitLabError):
                found[one["key"]] = connect(gitlab.url, one["key"], str(one["value"])).user
    return found


def _app(gitlab: GitLab, path: str) -> Project:
    at = project_path(path)
    facts = _fetch(gitlab, at)
    if facts is None:
        return Project(path, None)
    return Project(path, facts, allowed=_allowed(gitlab, at), limited=_limited(gitlab, at))


def _allowed(gitlab: GitLab, at: str) -> frozenset[str] | None:
    # https://docs.gitlab.com/api/project_job_token_scopes/
    projects = _listed(gitlab, f"{at}/job_token_scope/allowlist")
    groups = _listed(gitlab, f"{at}/job_token_scope/groups_allowlist")
    if projects is None:
        return None
    return frozenset(
        [one["path_with_namespace"] for one in projects]
        + [one["full_path"] if "full_path" in one else one["path"] for one in groups or ()]
    )


def _limited(gitlab: GitLab, at: str) -> bool | None:
    scope = _fetch(gitlab, f"{at}/job_token_scope")
    return None if scope is None else bool(scope["inbound_enabled"])


def _fetch(gitlab: GitLab, path: str) -> Any | None:
    try:
        return gitlab.get(path)
    except GitLabError as error:
        if error.is_hidden:
            return None
        raise


def _listed(gitlab: GitLab, path: str) -> tuple[Any, ...] | None:
    try:
        return tuple(gitlab.each(path))
    except GitLabError as error:
        if error.is_hidden:
            return None
        raise
