"""The double itself: what a test sets up, and what it looks at afterwards."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from support.gitlab import gitside, mergerules, mergeside, pipelines, registrytokens, rest, webhooks
from support.gitlab.contract import check_exchange
from support.gitlab.gitside import NOTHING, Update, Who, basic, git, make_repository, refs
from support.gitlab.idtokens import Keys
from support.gitlab.runner import Task, in_shell
from support.gitlab.state import (
    DEVELOPER,
    MAINTAINER,
    OWNER,
    REPORTER,
    Group,
    Job,
    MergeRequest,
    Pipeline,
    Project,
    Protection,
    Token,
    User,
    number,
)
from support.gitlab.web import Answer, Fault, Logged, Request, Server, pause


@dataclass
class Double:
    """A GitLab. ``path`` is what jobs have as PATH."""

    root: Path
    path: str = ""
    url: str = ""
    projects: list[Project] = field(default_factory=list)
    users: list[User] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    requests: list[Logged] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    executed: list[str] = field(default_factory=list)
    """Quick actions and mentions that GitLab would have carried out."""
    version: str = "18.11.2"
    """Which GitLab it is: some calls are newer than others."""
    unchecked_reads: int = 1
    """How often a merge request's mergeability is asked for before GitLab knows it."""
    push_pipelines: int = 4
    """How many refs of a push get a pipeline: GitLab's setting git_push_pipeline_limit (facts, part 12)."""
    ca_file: str = ""
    judge: Callable[[Request, Answer], list[str]] = check_exchange
    """What compares each exchange with GitLab's contract, at some milliseconds each."""
    execute: Callable[[Task], tuple[str, int]] = in_shell
    """How its runner runs a job: `support.containers` has another way."""
    pages: Callable[[Request], Answer | None] = lambda _request: None
    """What answers requests for web pages."""
    registry: str = ""
    """Host of the container registry; empty: there is none."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    keys: Keys = field(default_factory=Keys)

    # --- setting the scene

    def user(self, name: str) -> User:
        """Add a person."""
        self.users.append(User(name))
        return self.users[-1]

    def token(self, user: User, *scopes: str) -> str:
        """Make an access token of a person's, and return it."""
        self.tokens.append(Token(user, scopes or ("api",)))
        return self.tokens[-1].value

    def project(self, path: str, members: dict[User, int] | None = None, **settings: Any) -> Project:
        """Add a project with an empty repository, whose default branch is protected."""
        found = Project(path, self.root / f"{len(self.projects)}-{path.rsplit('/', 1)[1]}.git", **settings)
        make_repository(found.folder)
        found.protected_branches[found.default_branch] = Protection()
        for user, level in (members or {}).items():
            found.members[user.id] = level
        self.projects.append(found)
        return found

    def project_in(self, group: Group, path: str) -> Project:
        """Add a project in a group, as its owner makes one: with GitLab's own defaults."""
        # of installations other than GitLab.com: doc/ci/variables/_index.md
        found = self.project(path, {group.owner: OWNER}, variables_role="developer")
        found.inherited = {reader.id: REPORTER for reader in group.readers}
        return found

    def push(
        self, project: Project, files: dict[str, str | None], *, user: User, message: str = "Change", **where: str
    ) -> str:
        """Commit and push files as a person, and return the commit; AssertionError says why GitLab refuses it."""
        return pipelines.push_files(self, project, files, user, message, **where)

    def trigger_token(self, project: Project, user: User) -> str:
        """Make a trigger token, which starts pipelines as its owner."""
        value = f"glptt-{number():020d}"
        project.trigger_tokens[value] = user
        return value

    # --- faults

    def fail(self, method: str, path: str, status: int, *, times: int = 1, after: bool = False, **headers: str) -> None:
        """Let requests fail: with a status, or with 0 by a broken connection. ``after`` carries them out first."""
        self.faults.append(Fault(method, path, status, times, headers, after))

    # --- what happened

    def run_form(
        self, project: Project, user: User, inputs: dict[str, str], variables: dict[str, str] | None = None
    ) -> Pipeline:
        """Start a pipeline from GitLab's form for a new pipeline."""
        made = pipelines.make(
            self, project, project.default_branch, "web", user, inputs=inputs, variables=variables or {}
        )
        self.settle()
        return made

    def run_schedule(self, project: Project, user: User) -> Pipeline:
        """Start a scheduled pipeline of the default branch."""
        made = pipelines.make(self, project, project.default_branch, "schedule", user)
        self.settle()
        return made

    def settle(self) -> None:
        """Run pipelines until there is nothing left to run."""
        pipelines.settle(self)

    def open_requests(self, project: Project) -> list[MergeRequest]:
        """Return the open merge requests of a project."""
        return [one for one in project.merge_requests if one.state == "opened"]

    def show(self, project: Project, path: str, revision: str = "main") -> str:
        """Return a file of a repository."""
        return git(project, "show", f"{revision}:{path}")

    def commit(self, project: Project, revision: str = "main") -> str:
        """Return the commit of a branch or tag."""
        return git(project, "rev-parse", f"{revision}^{{commit}}")

    def subjects(self, project: Project, revision: str = "main") -> list[str]:
        """Return the subjects of a branch's commits, newest first."""
        return git(project, "log", "--format=%s", revision).splitlines()

    # --- looking things up

    def find_project(self, name: str) -> Project | None:
        """Return a project by its number or path."""
        name = unquote(name)
        return next((one for one in self.projects if name in (one.path, str(one.id))), None)

    def remove_project(self, project: Project) -> None:
        """Delete a project: its path is free again, its number is not."""
        self.projects.remove(project)

    def job_of(self, token: str) -> Job | None:
        """Return the job whose token it is, while it runs."""
        jobs = (job for project in self.projects for pipeline in project.pipelines for job in pipeline.jobs)
        return next((job for job in jobs if job.token == token and job.status == "running"), None)

    def who(self, request: Request) -> Who:
        """Return whom an API request is from."""
        job = self.job_of(request.headers.get("job-token", "-"))
        if job is not None:
            return Who(job.pipeline.user, None, job)
        value = request.headers.get("private-token") or request.headers.get("authorization", "").removeprefix("Bearer ")
        return self._by_token(value)

    def who_by_basic(self, request: Request) -> Who:
        """Return whom a git request is from."""
        name, password = basic(request)
        job = self.job_of(password) if name == "gitlab-ci-token" else None
        return Who(job.pipeline.user, None, job) if job else self._by_token(password)

    def _by_token(self, value: str) -> Who:
        token = next((one for one in self.tokens if one.value == value and not one.expired), None)
        return Who(token.user, token) if token else Who()

    def is_allowed(self, job: Job, project: Project) -> bool:
        """Whether a job's token may be used on a project: https://docs.gitlab.com/ci/jobs/ci_job_token/."""
        own = job.pipeline.project
        return own is project or own.path in project.allowlist or not project.is_allowlist_on

    def job_refusal(self, job: Job, project: Project, permission: str) -> str:
        """Return GitLab's words where a job's token may not do something in a project; none where it may.

        Read in GitLab's source, 18.11: lib/api/helpers.rb and app/policies (facts, part 12).
        """
        own = job.pipeline.project
        if not self.is_allowed(job, project):
            return f"403 Forbidden - Authentication by CI/CD job token not allowed from {own.path} to {project.path}."
        allowed = project.job_permissions.get(own.path)
        if own is project or allowed is None or permission in allowed:
            return ""
        return (
            f"403 Forbidden - Insufficient permissions to access this resource in project {project.path}. "
            f"The following token permission is required: {permission}."
        )

    def is_newer_than(self, *version: int) -> bool:
        """Whether this GitLab is of a version, or newer."""
        return tuple(int(part) for part in self.version.split(".")[: len(version)]) >= version

    def tag_protection(self, project: Project, tag: str) -> int:
        """Return the level that a protected tag asks for; 0 for one that is not protected."""
        return next((level for pattern, level in project.protected_tags.items() if fnmatchcase(tag, pattern)), 0)

    # --- what is set off

    def pushed(self, project: Project, who: Who, updates: list[Update], options: list[str]) -> None:
        """Do what a push sets off: merge requests by push options, newer commits in them, pipelines."""
        assert who.user is not None
        project.events += [rest.push_event(one, who.user, len(updates)) for one in updates]
        webhooks.tell(project, updates)
        mergeside.after_push(self, project, who, updates, options)
        # https://docs.gitlab.com/ci/jobs/ci_job_token/: pushes made with a job token never create pipelines
        if who.job is None and not {"ci.skip", "ci.no_pipeline"} & set(options):
            for one in updates[: self.push_pipelines]:
                if one.new != NOTHING and not mergerules.skips_pipeline(project, one.ref):
                    pipelines.on_push(self, project, one.ref, one.new, who.user)

    def handle(self, request: Request) -> Answer:
        """Answer one request: git, the API, or GitLab's keys."""
        fault = next((one for one in self.faults if one.meets(request.method, request.path)), None)
        if fault is not None and not fault.after:
            return self._logged(request, Answer(fault.status, {"message": "a fault"}, headers=fault.headers))
        answer = self._answer(request)
        if fault is not None:
            answer = Answer(fault.status, {"message": "a fault"}, headers=fault.headers)
        return self._logged(request, answer)

    def _answer(self, request: Request) -> Answer:
        if ".git/" in request.path:
            return gitside.answer_git(self, request)
        page = self.pages(request)
        if page is not None:
            return page
        if request.path == "/oauth/discovery/keys":
            return Answer(200, self.keys.public())
        if request.path == "/jwt/auth":
            return registrytokens.answer(self, request)
        with self.lock:
            answer = rest.answer(self, request)
        self.violations += self.judge(request, answer)
        return answer

    def _logged(self, request: Request, answer: Answer) -> Answer:
        who = self.who_by_basic(request) if ".git/" in request.path else self.who(request)
        self.requests.append(Logged(request.method, unquote(request.path), answer.status, who.kind))
        return answer


@contextmanager
def serve_gitlab(
    root: Path, path: str = "", tls: ssl.SSLContext | None = None, name: str = "", ca_file: str = ""
) -> Iterator[Double]:
    """Run a GitLab for as long as the block lasts. Raises AssertionError when an exchange broke GitLab's contract.

    With ``tls`` it speaks https and is called ``name``; ``ca_file`` is what its runner tells jobs of its certificate.
    """
    double = Double(root, path, ca_file=ca_file)
    server = Server(double.handle, tls, name)
    double.url = server.url
    try:
        yield double
    finally:
        server.stop()
    wrong = [*server.errors, *double.violations]
    assert not wrong, "\n".join(wrong)


__all__ = ["DEVELOPER", "MAINTAINER", "Double", "pause", "refs", "serve_gitlab"]
