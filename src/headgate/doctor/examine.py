"""GitLab's facts about the projects of an installation, for `headgate doctor`. Reads only; None if GitLab refuses."""

from __future__ import annotations

from dataclasses import field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from headgate.engine.reading import documents
from headgate.errors import GitLabError, HeadgateError
from headgate.gitlab.api import connect, project_path, quoted
from headgate.records import frozen_record
from headgate.scaffolding import CI

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.gitlab.api import GitLab
    from headgate.model import Settings
    from headgate.scaffolding import Setup


@frozen_record(kw_only=False)
class Member:
    """A member of a project, with the access level there."""

    name: str
    level: int
    id: int = 0


@frozen_record
class Shown:
    """What GitLab says of a shown token: 200 and whose it is; 401 for none, 403 where its scope is too small.

    ``is_granular``: it is a fine-grained one (19.2), and lacks a permission.
    """

    status: int
    user: int = 0
    is_granular: bool = False


@frozen_record(kw_only=False)
class Project:
    """A project as GitLab shows it to one token; None for facts that it does not show.

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
    tokens: Mapping[str, Shown] = field(default_factory=dict)
    """The tokens among its variables, as far as GitLab shows their values to our token."""
    tags: tuple[Mapping[str, Any], ...] | None = None
    """The rules of its protected tags."""
    triggers: tuple[Mapping[str, Any], ...] | None = None
    """Its trigger tokens, which start pipelines as their owners."""
    approvals: Mapping[str, Any] | None = None
    """The approval settings of merge requests; None with GitLab Free, and if they are not shown."""
    ci: Any = None
    """Its CI file on the default branch, without header; None if it is not shown, or in another project."""

    @property
    def is_private(self) -> bool:
        """Whether only members see it."""
        return str((self.facts or {}).get("visibility") or "private") == "private"

    def level(self, user: int) -> int:
        """Return a person's access level; 0 for no member, and if members are not shown."""
        return max((person.level for person in self.members or () if person.id == user), default=0)

    @property
    def branch(self) -> str:
        """The default branch."""
        return str((self.facts or {}).get("default_branch") or "main")

    @property
    def protected(self) -> tuple[Mapping[str, Any], ...] | None:
        """The rules that apply to the default branch."""
        return self.protecting(self.branch)

    def protecting(self, branch: str) -> tuple[Mapping[str, Any], ...] | None:
        """Return the rules that apply to a branch; GitLab uses the most permissive, so all count."""
        return (
            None if self.rules is None else tuple(entry for entry in self.rules if fnmatchcase(branch, entry["name"]))
        )


@frozen_record(kw_only=False)
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


@frozen_record(kw_only=False)
class Checkout:
    """Facts from a checkout of the manifest repository: settings, CI files, and the apps' projects and images."""

    settings: Settings | None = None
    ci: Mapping[str, Any] = field(default_factory=dict)
    projects: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


def examine(gitlab: GitLab, setup: Setup, manifests: str, intake: str, checkout: Checkout) -> Examined:
    """Read everything for the checks from GitLab. Raises GitLabError if it does not answer or accept the token."""
    version = gitlab.get("/version")["version"]  # any token may read it; 401 means an invalid token
    return Examined(
        setup,
        str(version),
        _project(gitlab, manifests),
        _project(gitlab, intake) if intake else None,
        tuple(_project(gitlab, path) for path in checkout.projects),
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
    active = [entry for entry in members or () if entry.get("state", "active") == "active"]
    return Project(
        path,
        facts,
        _listed(gitlab, f"{at}/protected_branches"),
        None
        if members is None
        else tuple(Member(entry["username"], int(entry["access_level"]), int(entry["id"])) for entry in active),
        None if variables is None else {entry["key"]: entry for entry in variables},
        _allowed(gitlab, at),
        _limited(gitlab, at),
        _listed(gitlab, f"{at}/pipeline_schedules"),
        _tokens(gitlab, variables or ()),
        _listed(gitlab, f"{at}/protected_tags"),
        _listed(gitlab, f"{at}/triggers"),
        _fetch(gitlab, f"{at}/approvals"),
        _ci_file(gitlab, at, facts),
    )


def _ci_file(gitlab: GitLab, at: str, facts: Mapping[str, Any]) -> Any:
    file = str(facts.get("ci_config_path") or CI)
    # https://docs.gitlab.com/ci/pipelines/settings/#specify-a-custom-cicd-configuration-file
    if "@" in file or "://" in file:
        return None
    try:
        text = gitlab.text(f"{at}/repository/files/{quoted(file)}/raw", {"ref": str(facts.get("default_branch") or "")})
        found = documents(text.encode(), file)
        return found[-1].data if found else None
    except GitLabError as error:
        if error.is_hidden:
            return None
        raise
    except HeadgateError:  # no YAML: its own pipelines say so
        return None


_TOKENS = ("HEADGATE_TOKEN", "HEADGATE_BRANCH_TOKEN", "HEADGATE_READ_TOKEN")
_WORDS = (401, 403)
"""GitLab's statuses for an invalid token, and for one without the scope."""


def _tokens(gitlab: GitLab, variables: Sequence[Mapping[str, Any]]) -> dict[str, Shown]:
    """Read the user of each token, except those with a hidden value."""
    found = {}
    for variable in variables:
        if variable["key"] in _TOKENS and variable.get("value"):
            try:
                found[variable["key"]] = Shown(
                    status=200, user=connect(gitlab.url, variable["key"], str(variable["value"])).user
                )
            except GitLabError as error:
                if error.status in _WORDS:
                    is_granular = "insufficient_granular_scope" in error.what  # lib/api/api_guard.rb
                    found[variable["key"]] = Shown(status=error.status, is_granular=is_granular)
    return found


def _allowed(gitlab: GitLab, at: str) -> frozenset[str] | None:
    # https://docs.gitlab.com/api/project_job_token_scopes/
    projects = _listed(gitlab, f"{at}/job_token_scope/allowlist")
    groups = _listed(gitlab, f"{at}/job_token_scope/groups_allowlist")
    if projects is None:
        return None
    return frozenset(
        [entry["path_with_namespace"] for entry in projects]
        + [entry["full_path"] if "full_path" in entry else entry["path"] for entry in groups or ()]
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
