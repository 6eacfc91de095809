"""Notifications after a run, to receivers outside of GitLab.

The run that pushes a commit to the default branch sends what it brought, and the pipeline of a push what a person
pushed or merged. A run that is killed between push and notification loses it: no other run sends for it, so nobody
hears of anything twice. Flux's verdicts are sent by the run that records them as the state of GitLab's deployment.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from headgate.errors import GitError, GitLabError, HeadgateError
from headgate.gitlab.api import project_path
from headgate.landing.proof import PROOF
from headgate.landing.records import with_records
from headgate.landing.trailer import INTENT
from headgate.notifications.announcement import Announcement
from headgate.notifications.changes import announcements
from headgate.notifications.post import USUAL, address_in, open_poster, post_all
from headgate.notifications.request import receivers, request, signing_key
from headgate.paths import RECORDS_BRANCH
from headgate.releases.release import parts
from headgate.report.history import version
from headgate.report.terminal import Terminal
from headgate.repository import git
from headgate.repository.remote import fetch
from headgate.repository.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headgate.configuration import Configuration
    from headgate.feedback.commit_report import AppState
    from headgate.gitlab.run import Run
    from headgate.landing.land import Landing
    from headgate.landing.workspace import Workspace
    from headgate.model import Notification
    from headgate.notifications.post import Poster, PostLimits

_MAX_ANNOUNCEMENTS = 20
"""So many go to one receiver by one run; the job's log counts the others."""


@dataclass(eq=False)
class JobAnnouncements:
    """What a job has to tell, and what it could not find out. Each step adds to it; `notify` sends it."""

    announcements: list[Announcement] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notifications: Mapping[str, Notification] = field(default_factory=dict)

    def landed(self, workspace: Workspace, landings: Sequence[Landing]) -> None:
        """Add what landings brought to the default branch."""
        for landing in landings:
            if self._concerns(workspace, landing.configuration):
                commits = {made.branch: made.commit for made in landing.delivered if made.commit != git.NO_COMMIT}
                main, records = commits.get(workspace.branch, ""), commits.get(RECORDS_BRANCH, "")
                if main or records:
                    self._add(workspace, landing.configuration, main, records)

    def pushed(self, run: Run, workspace: Workspace) -> None:
        """Add what the push brought that this pipeline is for, unless a run of Headgate pushed it, which sends it."""
        commit = run.job.commit
        if not self._concerns(workspace, workspace.configuration):
            return
        try:
            fetch(workspace.repository, workspace.remote, commit, depth=2)
            is_own = pushed_by_headgate(run, workspace, commit)
        except (GitError, GitLabError) as error:
            self.problems.append(f"no notification of {commit[:12]}: {error.what}")
            return
        if not is_own and git.has_commit(workspace.repository, f"{commit}^"):
            self._add(workspace, workspace.configuration, commit, "")

    def health(self, states: Sequence[AppState]) -> None:
        """Add Flux's verdicts that GitLab's deployments did not have before."""
        for state in states:
            if state.health is not None and state.health.state in ("healthy", "failed"):
                found = parts(state.release)
                self.announcements.append(
                    Announcement(
                        event="healthy" if state.health.state == "healthy" else "unhealthy",
                        app=state.owner[0],
                        environment=state.environment,
                        commit=state.health.deployed,
                        version=version(state.release),
                        parts=tuple(sorted(found.items())),
                        reasons=(state.health.reason,) if state.health.reason else (),
                        url=state.url,
                        key=state.health.since.isoformat() if state.health.since else "",
                    )
                )

    def _add(self, workspace: Workspace, configuration: Configuration, main: str, records: str) -> None:
        try:
            before, after = (_tree(workspace, main, records, parent) for parent in ("^", ""))
            self.announcements += announcements(before, after, configuration, main or records)
        except HeadgateError as error:  # what has landed has landed: the run goes on
            self.problems.append(f"no notification of {(main or records)[:12]}: {error.what}")

    def _concerns(self, workspace: Workspace, configuration: Configuration) -> bool:
        """Keep the receivers that headgate.yaml names now; whether there is any."""
        if workspace.target is not None:  # a merge request's branch
            return False
        self.notifications = configuration.settings.notifications
        return bool(self.notifications)


def _tree(workspace: Workspace, main: str, records: str, parent: str) -> Tree:
    """Return the files of commits, or of their parents; the records are those of their own branch, if they have one."""

    def files(commit: str) -> Tree:
        is_there = git.has_commit(workspace.repository, f"{commit}{parent}")
        return git.tree_as_needed(workspace.repository, f"{commit}{parent}") if is_there else Tree({})

    tree = files(main) if main else workspace.tree
    if not workspace.has_records_apart:
        return tree
    return with_records(tree, files(records) if records else workspace.tree)


def pushed_by_headgate(run: Run, workspace: Workspace, commit: str) -> bool:
    """Whether a run of Headgate pushed a commit right to the default branch: by the bot, and no merged proposal.

    Pushes with a job token start no pipeline.
    """
    if run.write is None or run.job.user != run.write.user:
        return False
    args = ("log", "--no-walk", "--format=%(trailers:only,unfold)", "--end-of-options", commit)
    trailers = workspace.repository.git(*args)
    return f"{INTENT}: " in trailers and f"{PROOF}: " not in trailers


def notify(run: Run, found: JobAnnouncements, variables: Mapping[str, str], limits: PostLimits = USUAL) -> None:
    """Send a job's announcements, and print what went wrong, a line for each receiver. That is no error of the run."""
    terminal = Terminal(sys.stdout)
    for line in (*found.problems, *_sent(run, found, variables, limits)):
        terminal.line(f"warning: {line}", "yellow")


def _sent(run: Run, found: JobAnnouncements, variables: Mapping[str, str], limits: PostLimits) -> Iterator[str]:
    chosen = receivers(found.notifications, found.announcements)
    if not chosen:
        return
    linked = {
        id(announcement): _linked(run, announcement)
        for _, items in chosen.values()
        for announcement in items[:_MAX_ANNOUNCEMENTS]
    }
    with open_poster(limits) as poster:
        for name, (receiver, items) in chosen.items():
            ready = [linked[id(announcement)] for announcement in items[:_MAX_ANNOUNCEMENTS]]
            problem = _send(poster, receiver, ready, _address(run), variables)
            if problem:
                yield f"notification '{name}': {problem}"
            if len(items) > len(ready):
                yield f"notification '{name}': {len(items) - len(ready)} more events of this run were not sent"


def _send(
    poster: Poster, receiver: Notification, ready: Sequence[Announcement], source: str, variables: Mapping[str, str]
) -> str:
    address, problem = address_in(variables, receiver.url_variable)
    if problem:
        return problem
    key = signing_key(variables.get(receiver.key_variable, "")) if receiver.key_variable else b""
    if key is None:
        return (
            f"the variable {receiver.key_variable} is not a key such as whsec_ and 32 bytes in base64; nothing was sent"
        )
    now = datetime.now(UTC)
    problem = post_all(poster, address, [request(announcement, receiver, source, now, key) for announcement in ready])
    return f"the receiver in {receiver.url_variable}: {problem}" if problem else ""


def _linked(run: Run, announcement: Announcement) -> Announcement:
    """Return a announcement with the page where people look: its merge request or its commit."""
    if announcement.url:
        return announcement
    page = f"{_address(run)}/-/commit/{announcement.commit}"
    return replace(announcement, url=_request_page(run, announcement.branch) if announcement.branch else page)


def _request_page(run: Run, branch: str) -> str:
    query = {"source_branch": branch, "state": "opened", "per_page": 1}
    path = f"{project_path(run.event.manifests)}/merge_requests"
    try:
        found: list[dict[str, Any]] = (run.write or run.read).get(path, query)
        return str(found[0]["web_url"])
    except (GitLabError, LookupError, TypeError):  # not opened, or no token here may look
        return f"{_address(run)}/-/commits/{quote(branch)}"


def _address(run: Run) -> str:
    return f"{run.event.server}/{run.event.manifests}"
