"""The kinds of settings: their places in GitLab, whether they are right, and how to write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from headgate.doctor.branches import DEVELOPER, MAINTAINER
from headgate.doctor.tokens import is_listed
from headgate.errors import ConfigError, GitLabError
from headgate.gitlab.api import project_path, quoted
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headgate.doctor.examine import Project
    from headgate.gitlab.api import GitLab


class Setting(Protocol):
    """A setting of one project. ``name`` is its place in the texts of ``scaffold/steps``."""

    @property
    def name(self) -> str:
        """Its name in the texts."""

    @property
    def project(self) -> str:
        """The project that has it."""

    @property
    def place(self) -> str:
        """Its place in GitLab, and the wanted value."""

    @property
    def more(self) -> str:
        """More about it for people."""

    @property
    def who(self) -> str:
        """Who may write it."""

    def is_so(self, project: Project) -> bool | None:
        """Whether it is right; None if GitLab does not show it."""

    def write(self, gitlab: GitLab, project: Project) -> str:
        """Write it, and return what people must know about it afterwards. Raises GitLabError."""


@frozen_record
class _Placed:
    name: str
    project: str
    place: str
    more: str = ""

    @property
    def who(self) -> str:
        return f"a Maintainer of {self.project}"


@frozen_record
class MissingProject(_Placed):
    """A project to create: private, with only a README."""

    @property
    def who(self) -> str:
        """Who may create projects there."""
        return f"who may make projects in {self.project.rpartition('/')[0]}"

    def is_so(self, project: Project) -> bool | None:
        """Whether the token sees it."""
        return project.facts is not None

    def write(self, gitlab: GitLab, project: Project) -> str:  # noqa: ARG002
        """Create it: https://docs.gitlab.com/api/projects/#create-a-project."""
        group, _, path = self.project.rpartition("/")
        namespace = gitlab.get(f"/namespaces/{quoted(group)}")["id"]
        body = {"path": path, "namespace_id": namespace, "visibility": "private", "initialize_with_readme": True}
        gitlab.post("/projects", body)
        return ""


@frozen_record
class ProjectFact(_Placed):
    """A fact of a project: https://docs.gitlab.com/api/projects/#edit-a-project."""

    key: str
    value: str | bool

    def is_so(self, project: Project) -> bool | None:
        """Whether the fact has the value."""
        facts = project.facts or {}
        return facts[self.key] == self.value if self.key in facts else None

    def write(self, gitlab: GitLab, project: Project) -> str:  # noqa: ARG002
        """Change it."""
        gitlab.put(project_path(self.project), {self.key: self.value})
        return ""


_NAMED = ("user_id", "group_id", "deploy_key_id")


@frozen_record
class ProtectedDefaultBranch(_Placed):
    """The lowest roles that may push and merge into the default branch; 0 for nobody."""

    push: int
    merge: int

    def is_so(self, project: Project) -> bool | None:
        """Whether roles are right; users and groups that somebody named there (Premium) stay."""
        rules = project.protected
        if rules is None:
            return None
        if not rules or any(rule.get("allow_force_push") for rule in rules):
            return False
        pairs = (("push_access_levels", self.push), ("merge_access_levels", self.merge))
        return all(_fits([entry for rule in rules for entry in rule.get(key) or ()], level) for key, level in pairs)

    def write(self, gitlab: GitLab, project: Project) -> str:
        """Protect the branch. GitLab Free changes no rule by API: replace it, while a pattern protects the branch.

        https://docs.gitlab.com/api/protected_branches/
        """
        at, branch, pattern = f"{project_path(self.project)}/protected_branches", project.branch, f"{project.branch}*"
        body = {"push_access_level": self.push, "merge_access_level": self.merge, "allow_force_push": False}
        names = {rule["name"] for rule in project.rules or ()}
        if branch in names:
            if pattern not in names:
                gitlab.post(at, {"name": pattern, **body})
            gitlab.delete(f"{at}/{quoted(branch)}")
        gitlab.post(at, {"name": branch, **body})
        if branch in names and pattern not in names:
            gitlab.delete(f"{at}/{quoted(pattern)}")
        return ""


def _fits(entries: list[Any], wanted: int) -> bool:
    """Whether entries allow a role from ``wanted`` on: nobody for 0, for Developers them or who is named instead."""
    roles = [int(entry.get("access_level") or 0) for entry in entries if not any(map(entry.get, _NAMED))]
    if wanted == DEVELOPER:
        return any(0 < level <= DEVELOPER for level in roles) or any(
            entry.get(key) for entry in entries for key in _NAMED
        )
    return not any(0 < level < (wanted or MAINTAINER + 1) for level in roles)


@frozen_record
class LimitedJobTokens(_Placed):
    """Only the allowlist admits jobs of other projects."""

    def is_so(self, project: Project) -> bool | None:
        """Whether the allowlist is in force."""
        return project.limited

    def write(self, gitlab: GitLab, project: Project) -> str:  # noqa: ARG002
        """Put it into force: https://docs.gitlab.com/api/project_job_token_scopes/."""
        gitlab.patch(f"{project_path(self.project)}/job_token_scope", {"enabled": True})
        return ""


@frozen_record
class AllowedJobs(_Placed):
    """Jobs of the project ``other`` may read this one."""

    other: str

    def is_so(self, project: Project) -> bool | None:
        """Whether they may."""
        if project.limited is None or project.allowed is None:
            return None
        return not project.limited or is_listed(self.other, project.allowed)

    def write(self, gitlab: GitLab, project: Project) -> str:  # noqa: ARG002
        """Add it to the allowlist."""
        number = gitlab.get(project_path(self.other))["id"]
        gitlab.post(f"{project_path(self.project)}/job_token_scope/allowlist", {"target_project_id": number})
        return ""


@frozen_record
class HiddenVariable(_Placed):
    """A variable that only protected branches get, and no log shows. ``secret`` gives its value when it is missing."""

    key: str
    secret: Callable[[], str]

    def is_so(self, project: Project) -> bool | None:
        """Whether it exists with these flags; its value is ignored."""
        if project.variables is None:
            return None
        found = project.variables.get(self.key)
        return found is not None and bool(found.get("protected")) and _is_masked(found)

    def write(self, gitlab: GitLab, project: Project) -> str:
        """Add it, or protect and mask the existing one: https://docs.gitlab.com/api/project_level_variables/."""
        at, known = f"{project_path(self.project)}/variables", (project.variables or {}).get(self.key)
        if known is None:
            body = {"key": self.key, "value": self.secret(), "protected": True, "masked_and_hidden": True, "raw": True}
            gitlab.post(at, body)
            return ""
        gitlab.put(f"{at}/{self.key}", {"protected": True, **({} if _is_masked(known) else {"masked": True})})
        return "" if known.get("protected") else f"every branch could read {self.key} before: make a new token"


def _is_masked(variable: Mapping[str, Any]) -> bool:
    """Whether no log shows it; a file has line breaks, which GitLab does not mask."""
    return bool(variable.get("masked") or variable.get("hidden")) or variable.get("variable_type") == "file"


@frozen_record
class Membership(_Placed):
    """The bot's role in a project. ``user`` is its id; 0 if that is unknown."""

    user: int
    level: int

    def is_so(self, project: Project) -> bool | None:
        """Whether it has that role, or a higher one."""
        return None if project.members is None else bool(self.user) and project.level(self.user) >= self.level

    def write(self, gitlab: GitLab, project: Project) -> str:  # noqa: ARG002
        """Give the role, or raise the existing one: https://docs.gitlab.com/api/project_members/."""
        if not self.user:
            raise ConfigError("the user of the bot's token is unknown", hint="give the bot's token")
        at = f"{project_path(self.project)}/members"
        try:
            gitlab.post(at, {"user_id": self.user, "access_level": self.level})
        except GitLabError as error:
            if error.status != _CONFLICT:
                raise
            gitlab.put(f"{at}/{self.user}", {"access_level": self.level})
        return ""


_CONFLICT = 409


@frozen_record
class NightlySchedule(_Placed):
    """A nightly pipeline of the default branch."""

    def is_so(self, project: Project) -> bool | None:
        """Whether there is one, however often it runs."""
        refs = (project.branch, f"refs/heads/{project.branch}")
        schedules = project.schedules
        return None if schedules is None else any(found.get("active") and found["ref"] in refs for found in schedules)

    def write(self, gitlab: GitLab, project: Project) -> str:
        """Create one, which runs as the token's user: https://docs.gitlab.com/api/pipeline_schedules/."""
        body = {"description": "Headgate, each night", "ref": project.branch, "cron": "17 3 * * *", "active": True}
        gitlab.post(f"{project_path(self.project)}/pipeline_schedules", body)
        return "the schedule runs as the token's user, who must stay a member"
