"""One run in a pipeline: its job, and a connection to GitLab for each token."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from typing import TYPE_CHECKING

from headgate.dependencies.download import DownloadAccess, host_of
from headgate.errors import ConfigError, GitLabError, Location, UntrustedError
from headgate.gitlab.api import connect, merge_request_path, path_of
from headgate.gitlab.identity import branch, running_job
from headgate.landing.trailer import INTENT
from headgate.paths import SETTINGS
from headgate.records import frozen_record
from headgate.registry.credentials import access as registry_access
from headgate.releases.version_order import no_histories
from headgate.repository.login import Login

if TYPE_CHECKING:
    from headgate.gitlab.api import GitLab
    from headgate.gitlab.event import Event
    from headgate.gitlab.identity import RunningJob
    from headgate.hydration.results import ResultFolder
    from headgate.model import Settings
    from headgate.releases.version_order import Histories


@frozen_record
class Run:
    """A run: its environment, its job, and GitLab with the job's token and those for reading, writing and branches.

    ``write`` and ``branch`` are None without their tokens. ``histories`` opens the repositories of projects that hand
    off. ``results`` has what other jobs of the pipeline rendered.
    """

    event: Event
    job: RunningJob
    by_job: GitLab
    read: GitLab
    write: GitLab | None
    branch: GitLab | None
    histories: Histories = no_histories
    results: ResultFolder | None = None

    @property
    def readers(self) -> tuple[GitLab, ...]:
        """Those that may read apps' projects, the bot first."""
        return tuple(dict.fromkeys(filter(None, (self.write, self.read, self.by_job))))

    @property
    def address(self) -> str:
        """The address of the manifest repository."""
        return self.repository(self.event.manifests)

    def keyed(self, intent: str) -> str:
        """Return an intent's id that nobody can forge in a commit: it ends with a hash keyed by a token of the project.

        Without any token the form is filled in in the manifest project itself (`check_person`), where it suffices that
        commits from before the pipeline do not count.
        """
        key = self.event.tokens.write or self.event.tokens.read
        if not key:
            return intent
        return f"{intent}-{hmac.digest(key.encode(), f'{INTENT} {intent}'.encode(), hashlib.sha256).hex()[:32]}"

    def repository(self, project: str) -> str:
        """Return the address of a project's repository."""
        return f"{self.event.server}/{project}.git"

    @property
    def manifests_login(self) -> Login:
        """The login at the manifest repository: the bot's, else the job's."""
        login = self._login(self.event.manifests, "HEADGATE_TOKEN", self.event.tokens.write)
        return login if self.event.tokens.write else replace(login, push_hint=self._push_hint())

    def _push_hint(self) -> str:
        """Say what lets the job's token push to the manifest repository.

        https://docs.gitlab.com/ci/jobs/ci_job_token/#allow-git-push-requests-to-your-project-repository
        """
        own, manifests = path_of(self.by_job, self.job.address), self.event.manifests
        settings = f"in {manifests}, Settings > CI/CD > Job token permissions: 'Allow Git push requests to"
        if own == manifests:
            return f"{settings} the repository' on; or give it the variable HEADGATE_TOKEN"
        return (
            f"give {own} the variable HEADGATE_TOKEN, the bot's token. Or, from GitLab 19.0 on, {settings} the "
            f"repository' and 'Allow cross-project Git push requests from allowlisted projects' on, {own} on the "
            f"allowlist (with admin_repositories), and whoever runs the job a Developer there who may push"
        )

    def reading_login(self, project: str) -> Login:
        """Return the login for reading a project's repository: that of HEADGATE_READ_TOKEN, else the job's."""
        return self._login(project, "HEADGATE_READ_TOKEN", self.event.tokens.read)

    def own_login(self, project: str) -> Login:
        """Return the login at the repository of the job's own project, which every job may read."""
        return self._login(project, "the job token", "")

    def access(self, settings: Settings) -> DownloadAccess:
        """Return the logins for downloads of an app's dependencies: at GitLab and at registries."""
        login = self.reading_login("")
        at_gitlab = {host_of(self.event.server, Location(SETTINGS)): (login.user, login.password)}
        return DownloadAccess(
            credentials=at_gitlab, registries=registry_access(settings, self.event.registry_variables)
        )

    @property
    def branch_login(self) -> Login:
        """The login at the manifest repository in a merge request's pipeline, which has no other token."""
        return self._login(self.event.manifests, "HEADGATE_BRANCH_TOKEN", self.event.tokens.branch)

    def _login(self, project: str, name: str, token: str) -> Login:
        address = self.repository(project)
        if token:
            return Login(url=address, user="headgate", password=token, name=name)
        # https://docs.gitlab.com/ci/jobs/ci_job_token/#to-git-clone-a-private-projects-repository
        return Login(url=address, user="gitlab-ci-token", password=self.event.tokens.job, name="the job token")


def open_run(event: Event) -> Run:
    """Look up the running job and connect with each token. Raises GitLabError, UntrustedError.

    A pipeline of an unprotected branch must not have the writing token: whoever can push there could read it.
    """
    tokens = event.tokens
    by_job = connect(event.server, "the job token", tokens.job, is_job_token=True)
    job = running_job(by_job)
    if tokens.write:
        _check_hidden(by_job, job)
    read = connect(event.server, "HEADGATE_READ_TOKEN", tokens.read) if tokens.read else by_job
    write = connect(event.server, "HEADGATE_TOKEN", tokens.write) if tokens.write else None
    branches = connect(event.server, "HEADGATE_BRANCH_TOKEN", tokens.branch) if tokens.branch else None
    if write is not None and branches is not None and write.user == _user_of(branches):
        raise UntrustedError(
            "HEADGATE_TOKEN and HEADGATE_BRANCH_TOKEN belong to the same user: every branch can read the second, and "
            "GitLab attributes what anybody pushes with it to the bot",
            hint="replace HEADGATE_BRANCH_TOKEN by a token of another user",
        )
    return Run(event=event, job=job, by_job=by_job, read=read, write=write, branch=branches)


_NO_TOKEN = 401


def _user_of(gitlab: GitLab) -> int:
    """Return whose a token is; 0 for one that is expired or revoked, with which nobody pushes. Raises GitLabError."""
    try:
        return gitlab.user
    except GitLabError as error:
        if error.status == _NO_TOKEN:
            return 0
        raise


def _check_hidden(gitlab: GitLab, job: RunningJob) -> None:
    """Refuse a writing token that GitLab shows to unprotected branches.

    https://docs.gitlab.com/ci/variables/#protect-a-cicd-variable
    """
    if job.is_tag:
        return
    name = _source_branch(gitlab, job)
    source = branch(gitlab, job.project, name) if name else None
    if source is None or not source["protected"]:
        raise UntrustedError(
            f"HEADGATE_TOKEN is visible to a pipeline of {job.ref}, which is not protected: whoever can push there can "
            "read it",
            hint="set 'Protect variable' for it (Settings, CI/CD, Variables), and replace the token",
        )


def _source_branch(gitlab: GitLab, job: RunningJob) -> str:
    """Return the branch of this project that a pipeline runs for; empty for another project's.

    New projects let pipelines of merge requests between two protected branches see what protected branches see:
    https://docs.gitlab.com/ci/pipelines/merge_request_pipelines/#control-access-to-protected-variables-and-runners.
    """
    if not job.ref.startswith("refs/"):
        return job.ref
    if not job.ref.startswith("refs/merge-requests/"):
        return ""
    request = gitlab.get(merge_request_path(job.project, job.merge_request))
    return str(request["source_branch"]) if request["source_project_id"] == job.project else ""


def check_settings(settings: Settings, event: Event) -> None:
    """Compare ``gitlab`` in headgate.yaml with where this runs. Raises ConfigError, UntrustedError."""
    expected = settings.gitlab
    if expected is None:
        raise ConfigError(
            "gitlab is missing; runs in pipelines are checked against it",
            where=Location(SETTINGS),
            hint=f"add 'gitlab: {{url: {event.server}, project: {event.manifests}}}'",
        )
    if (expected.url, expected.project) != (event.server, event.manifests):
        raise UntrustedError(
            f"{SETTINGS} names {expected.project} at {expected.url}, "
            f"but this runs for {event.manifests} at {event.server}",
            hint=f"correct gitlab in {SETTINGS} or the inputs of the component 'hydrate'; if both are right, a "
            "variable was set from outside",
        )
