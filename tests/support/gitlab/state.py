"""What the double knows: people, tokens, projects, pipelines, merge requests. Plain records that change."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

# https://docs.gitlab.com/api/access_requests/#valid-access-levels
GUEST, REPORTER, DEVELOPER, MAINTAINER, OWNER, NO_ONE = 10, 20, 30, 40, 50, 0
LEVEL_NAMES = {GUEST: "guest", REPORTER: "reporter", DEVELOPER: "developer", MAINTAINER: "maintainer", OWNER: "owner"}

_numbers = itertools.count(101)


def number() -> int:
    """Return a number that nothing else has: ids of different kinds are never mistaken for each other."""
    return next(_numbers)


def now() -> str:
    """Return the time as GitLab writes it, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(eq=False)
class User:
    """A person or a bot. ``is_bot`` is for accounts of tokens and of services, which GitLab shows as bots."""

    name: str
    id: int = field(default_factory=number)
    is_admin: bool = False
    is_bot: bool = False
    email: str = ""
    """What everybody may see of it: the public address."""


@dataclass(eq=False)
class Group:
    """A group: a folder for projects, with an owner. Its members are not modelled: calls about them fail."""

    path: str
    owner: User
    id: int = field(default_factory=number)
    marked: bool = False
    """Whether it is to be deleted, some days later."""
    readers: list[User] = field(default_factory=list)
    """Whose deploy tokens may read all projects in it: https://docs.gitlab.com/user/project/deploy_tokens/."""


@dataclass(eq=False)
class Token:
    """A personal, project or group access token: whose it is, and what it is for (facts, part 3)."""

    user: User
    scopes: tuple[str, ...]
    value: str = field(default_factory=lambda: f"glpat-{secrets.token_hex(10)}")
    kind: str = "private"
    expired: bool = False


@dataclass(eq=False)
class Protection:
    """Who may push to and merge into the branches of a name, or a wildcard such as ``release/*``."""

    push: int = MAINTAINER
    merge: int = MAINTAINER


@dataclass(eq=False)
class Variable:
    """A CI/CD variable of a project: protected refs alone see protected ones, no log masked ones (facts, part 5)."""

    value: str
    protected: bool = False
    masked: bool = True
    hidden: bool = False
    """Whether nobody is shown its value any more (facts, part 5)."""


@dataclass(eq=False)
class Project:
    """A project: its settings, members, and what happened in it.

    Job tokens: ``allowlist``, ``job_permissions``, ``job_token_push``, ``cross_project_push`` (facts, parts 3 and 12);
    pipeline variables: ``variables_role`` (part 2); trains: ``must_use_train`` (part 12).
    """

    path: str
    folder: Path
    id: int = field(default_factory=number)
    default_branch: str = "main"
    members: dict[int, int] = field(default_factory=dict)
    inherited: dict[int, int] = field(default_factory=dict)
    """Members by a group above it, with their levels there."""
    protected_branches: dict[str, Protection] = field(default_factory=dict)
    protected_tags: dict[str, int] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)
    allowlist: set[str] = field(default_factory=set)
    is_allowlist_on: bool = True
    """Whether jobs of other projects are let in by the allowlist alone."""
    agents: set[int] = field(default_factory=set)
    must_use_train: bool = False
    """Whether nothing is merged but by the merge train, which here only takes what is put on it."""
    pipelines_must_succeed: bool = False
    """Whether only what has a pipeline that succeeded is merged."""
    squash_option: str = "default_off"
    skips_branch_pipelines: bool = False
    """Whether a branch with an open merge request gets no pipelines of its own (19.2)."""
    reviewer_assignment: str = "disabled"
    code_owners: list[int] = field(default_factory=list)
    resets_approvals: bool | None = None
    """Whether a push takes the approvals of a merge request away; None with GitLab Free, which has no such setting."""
    job_permissions: dict[str, set[str]] = field(default_factory=dict)
    """What jobs of a project on the allowlist may do here, where that is not the default permissions."""
    job_token_push: bool = False
    cross_project_push: bool = False
    variables_role: str = "no_one_allowed"
    visibility: str = "private"
    ci_config_path: str = ".gitlab-ci.yml"
    push_rule: str = ""
    """What a commit message must hold, else the push is refused with GitLab's words."""
    forked_from: Project | None = None
    trigger_tokens: dict[str, User] = field(default_factory=dict)
    schedules: list[dict[str, Any]] = field(default_factory=list)
    webhooks: dict[str, str] = field(default_factory=dict)
    """Addresses that are told of pushes, with the token for each."""
    releases: list[str] = field(default_factory=list)
    pipelines: list[Pipeline] = field(default_factory=list)
    merge_requests: list[MergeRequest] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    deployments: list[dict[str, Any]] = field(default_factory=list)
    environments: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    marked: bool = False
    """Whether it is to be deleted, some days later."""

    def protection(self, branch: str) -> Protection | None:
        """Return who may push to and merge into a branch; None for one that is not protected.

        Of several rules that cover it, the most permissive counts:
        https://docs.gitlab.com/user/project/repository/branches/protected/#when-a-branch-matches-multiple-rules
        """
        found = [one for name, one in self.protected_branches.items() if fnmatchcase(branch, name)]
        if not found:
            return None
        pushing, merging = [one.push for one in found], [one.merge for one in found]
        return Protection(*(min(filter(None, levels), default=NO_ONE) for levels in (pushing, merging)))

    def is_read_by(self, user: User) -> bool:
        """Whether somebody may read it: https://docs.gitlab.com/user/public_access/."""
        return self.visibility != "private" or self.level(user) >= REPORTER

    def level(self, user: User) -> int:
        """Return a person's access level; 0 for no member."""
        return max(self.members.get(user.id, 0), self.inherited.get(user.id, 0))


@dataclass(eq=False)
class Job:
    """A job of a pipeline. ``downstream`` is the pipeline that a trigger job made last (facts, part 12)."""

    name: str
    stage: str
    config: dict[str, Any]
    pipeline: Pipeline
    id: int = field(default_factory=number)
    status: str = "created"
    log: str = ""
    token: str = field(default_factory=lambda: f"glcbt-{secrets.token_hex(12)}")
    downstream: Pipeline | None = None
    artifacts: dict[str, bytes] = field(default_factory=dict)
    dotenv: dict[str, str] = field(default_factory=dict)
    failure_reason: str | None = None

    @property
    def is_bridge(self) -> bool:
        """Whether it triggers another pipeline instead of running a script."""
        return "trigger" in self.config


@dataclass(eq=False)
class Pipeline:
    """A pipeline: where, of which commit, how it came about, who runs it; ``ref`` is a bare name (facts, part 11)."""

    project: Project
    ref: str
    sha: str
    source: str
    user: User
    is_tag: bool = False
    inputs: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    upstream: Job | None = None
    merge_request: MergeRequest | None = None
    id: int = field(default_factory=number)
    status: str = "created"
    jobs: list[Job] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    auto_cancel: str = "conservative"
    config_variables: dict[str, str] = field(default_factory=dict)
    created_at: str = field(default_factory=now)

    @property
    def log(self) -> str:
        """The logs of all its jobs."""
        return "\n".join([*self.errors, *(job.log for job in self.jobs)])


@dataclass(eq=False)
class Note:
    """A comment on a merge request."""

    author: User
    body: str
    system: bool = False
    id: int = field(default_factory=number)
    created_at: str = field(default_factory=now)


@dataclass(eq=False)
class MergeRequest:
    """A merge request. ``reads`` counts how often its mergeability was asked for: GitLab finds it out later."""

    project: Project
    source_project: Project
    iid: int
    source: str
    target: str
    title: str
    author: User
    description: str = ""
    labels: list[str] = field(default_factory=list)
    reviewers: list[int] = field(default_factory=list)
    assignees: list[int] = field(default_factory=list)
    approved_by: dict[int, str] = field(default_factory=dict)
    """Whose approvals it has, and since when."""
    versions: list[tuple[str, str]] = field(default_factory=list)
    """The commits that it was at, and since when: doc/api/merge_requests.md#get-merge-request-diff-versions."""
    state: str = "opened"
    closed_by: User | None = None
    notes: list[Note] = field(default_factory=list)
    auto_merge: bool = False
    merge_commit: str | None = None
    merged_by: User | None = None
    merged_at: str | None = None
    set_by: User | None = None
    """Who set it to auto-merge."""
    sha: str = ""
    checked: str = ""
    unchecked_reads: int = 0
    blocked: str = ""
    merge_error: str | None = None
    remove_source_branch: bool = False
    id: int = field(default_factory=number)
    created_at: str = field(default_factory=now)

    @property
    def is_draft(self) -> bool:
        """Whether its title says that it is not ready."""
        return self.title.lower().startswith(("draft:", "[draft]", "(draft)"))
