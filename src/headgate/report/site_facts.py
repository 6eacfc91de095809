"""What the site shows: one record for all pages and all JSON of it."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from headgate.report.appchange import AppChange
    from headgate.report.history import HistoryEntry
    from headgate.state.status import AppStatus


@frozen_record
class RequestLink:
    """A merge request: ``!12`` and its address."""

    name: str
    url: str


@frozen_record
class SiteFacts:
    """A manifest repository as of ``made``, at a ``commit``.

    ``url`` is GitLab's address and ``project`` the manifest project, both empty where headgate.yaml says neither.
    ``requests`` are the open merge requests by branch. ``notes`` say what is unknown, and what of the repository is of
    no app.
    """

    made: datetime
    commit: str
    environments: tuple[str, ...]
    apps: Mapping[str, Mapping[str, AppStatus]]
    notes: tuple[str, ...] = ()
    url: str = ""
    project: str = ""
    requests: Mapping[str, RequestLink] = field(default_factory=dict)

    def commit_url(self, project: str, commit: str) -> str:
        """Return the address of a commit of a project; empty where there is no GitLab."""
        return f"{self.url}/{project}/-/commit/{commit}" if self.url and project and commit else ""


@frozen_record
class EnvironmentDifference:
    """How an app in one environment differs from the same in the environment before; None where it is equal."""

    left: str
    right: str
    change: AppChange | None

    @property
    def file(self) -> str:
        """The name of its page within the app's folder."""
        return f"{self.left}-{self.right}.html"


@frozen_record
class AppFacts:
    """What an app's own page shows besides its status."""

    app: str
    history: Mapping[str, Sequence[HistoryEntry]]
    comparisons: Sequence[EnvironmentDifference]
    cut: str = ""
