"""One run in a pipeline: the job as GitLab knows it, and GitLab by each of the tokens."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.dependencies.download import Access, host_of
from headgate.errors import ConfigError, GitLabError, Place, UntrustedError
from headgate.gitlab.api import connect
from headgate.gitlab.identity import branch, running_job
from headgate.landing.trailer import INTENT
from headgate.layout import SETTINGS
from headgate.registry.credentials import access as registry_access
from headgate.releases.order import no_histories
from headgate.repository.login import Login

if TYPE_CHECKING:
    from headgate.gitlab.api import GitLab
    from headgate.gitlab.event import Event
    from headgate.gitlab.identity import RunningJob
    from headgate.model import Settings
    from headgate.releases.order import Histories


@dataclass(frozen=True)
class Run:
    """A run: what it was told, its job, and GitLab by the job's token, by what reads apps, and by what writes.

    ``write`` and ``branch`` are None without their tokens. ``histories`` are those of the projects that hand off.
    """

    event: Event
    job: RunningJob
    by_job: GitLab
    read: GitLab
    write: GitLab | None
    branch: GitLab | None
    histories: Histories = no_histories

    @property
    def address(self) -> str:
        """The manifest repository's address."""
        return self.repository(self.event.manifests)

    def keyed(self, intent: str) -> str:
        """Return an intent's id that nobody can write into a commit before: with a hash keyed by the bot's token.

        Where there is no such token, jobs push by themselves, and in the manifest project: there it is enough that
        commits from before the pipeline do not count.
        """
        key = self.event.tokens.write
        if not key:
            return intent
        return f"{intent}-{hmac.digest(key.encode(), f'{INTENT} {intent}'.encode(), hashlib.sha256).hex()[:32]}"

    def repository(self, project: str) -> str:
        """Return the address of a project's repository."""
        return f"{self.event.server}/{project}.git"

    @property
    def manifests_login(self) -> Login:
        """Who git is at the manifest repository: the bot, or the job."""
        return self._login(self.event.manifests, "HEADGATE_TOKEN", self.event.tokens.write)

    def reading_login(self, project: str) -> Login:
        """Return who git is at a repository that is only read: who reads, or the job."""
        return self._login(project, "HEADGATE_READ_TOKEN", self.event.tokens.read)

    def access(self, settings: Settings) -> Access:
        """Return the logins with which what an app's config builds on is read: GitLab's, and those for registries."""
        login = self.reading_login("")
        at_gitlab = {host_of(self.event.server, Place(SETTINGS)): (login.user, login.password)}
        return Access(credentials=at_gitlab, registries=registry_access(settings, self.event.registry_variables))

    @property
    def branch_login(self) -> Login:
        """Return who git is at the manifest repository in a merge request's pipeline, which gets no other token."""
        return self._login(self.event.manifests, "HEADGATE_BRANCH_TOKEN", self.event.tokens.branch)

    def _login(self, project: str, name: str, token: str) -> Login:
        address = self.repository(project)
        if token:
            return Login(address, "headgate", token, name)
        # https://docs.gitlab.com/ci/jobs/ci_job_token/#to-git-clone-a-private-projects-repository
        return Login(address, "gitlab-ci-token", self.event.tokens.job, "the job token")


def open_run(event: Event) -> Run:
    """Ask GitLab which job this is, and connect by each token. Raises GitLabError, UntrustedError.

    A token that may write must not be there for a branch that anybody may push to: then it is theirs too.
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
            "HEADGATE_TOKEN and HEADGATE_BRANCH_TOKEN are of one user: what anybody pushes with the second, which "
            "every branch is shown, GitLab calls the bot's own",
            hint="make HEADGATE_BRANCH_TOKEN anew, as another user's",
        )
    return Run(event, job, by_job, read, write, branches)


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
    """Refuse a writing token where GitLab shows it to unprotected branches.

    https://docs.gitlab.com/ci/variables/#protect-a-cicd-variable
    """
    is_open = job.source == "merge_request_event" or job.ref.startswith("refs/")
    if not is_open and not job.is_tag:
        found = branch(gitlab, job.project, job.ref)
        is_open = found is None or not found["protected"]
    if is_open:
        raise UntrustedError(
            f"HEADGATE_TOKEN is visible to a pipeline of {job.ref}, which is not protected: whoever can push there can "
            "read it",
            hint="set 'Protect variable' for it (Settings, CI/CD, Variables), and make a new token",
        )


def check_settings(settings: Settings, event: Event) -> None:
    """Compare what headgate.yaml says of GitLab with where this runs. Raises ConfigError, UntrustedError."""
    told = settings.gitlab
    if told is None:
        raise ConfigError(
            "gitlab is missing, by which runs in pipelines are checked",
            where=Place(SETTINGS),
            hint=f"add 'gitlab: {{url: {event.server}, project: {event.manifests}}}'",
        )
    if (told.url, told.project) != (event.server, event.manifests):
        raise UntrustedError(
            f"{SETTINGS} is of {told.project} at {told.url}, but this runs for {event.manifests} at {event.server}",
            hint=f"mend gitlab in {SETTINGS}, or the inputs of the component 'hydrate'; if neither is wrong, a "
            "variable was set from outside",
        )
