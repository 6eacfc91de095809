"""What one job did, gathered over all that it landed, as files for GitLab."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.report.appchange import app_changes
from headgate.report.describe import describe
from headgate.report.files import FOLDER, report_files, write_files
from headgate.report.junit import ReportCase, of_outcome, of_verdict
from headgate.report.markdown import block
from headgate.report.quality import issues
from headgate.repository import git

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.errors import HeadgateError
    from headgate.hydration.hydrate import Outcome
    from headgate.landing.land import Landing
    from headgate.landing.workspace import Workspace
    from headgate.report.appchange import AppChange
    from headgate.state.verify import Verification


@dataclass(frozen=True)
class JobReport:
    """What a job did so far. ``url`` is GitLab's address; what is added is written at once."""

    url: str
    folder: Path = Path(FOLDER)
    _cases: dict[tuple[str, str], ReportCase] = field(default_factory=dict)
    _outcomes: list[Outcome] = field(default_factory=list)
    _changes: list[AppChange] = field(default_factory=list)

    def add(self, workspace: Workspace, landings: Sequence[Landing]) -> None:
        """Add what landed, and what could not."""
        for landing in landings:
            self._outcomes.extend(landing.outcomes)
            self._cases.update({(one.app, one.environment): of_outcome(one) for one in landing.outcomes})
            self._changes.extend(_delivered(workspace, landing))
        self._write()

    def verified(self, found: Sequence[Verification]) -> None:
        """Add what was verified."""
        self._cases.update({(one.app or one.folder, one.environment): of_verdict(one) for one in found})
        self._write()

    def failed(self, error: HeadgateError) -> None:
        """Add what ended the job."""
        file = error.where.file if error.where else ""
        self._cases["", ""] = ReportCase("headgate", "", file, error.what, str(error))
        self._write()

    def _write(self) -> None:
        cases = list(self._cases.values())
        errors = [
            block([f"{one.app} {one.environment}".strip(), *one.details.split("\n")]) for one in cases if one.failure
        ]
        text = "\n\n".join([describe(self._changes, self.url), *errors])
        write_files(self.folder, report_files(cases, issues(self._outcomes), self._changes, text))


def _delivered(workspace: Workspace, landing: Landing) -> list[AppChange]:
    """Return what the commits of a landing change, each against what it stands on."""
    found: list[AppChange] = []
    for one in landing.delivered:
        if one.commit != git.NO_COMMIT and git.has_commit(workspace.repository, f"{one.commit}^"):
            trees = [git.tree_of_commit(workspace.repository, commit) for commit in (f"{one.commit}^", one.commit)]
            found += app_changes(trees[0], trees[1], landing.configuration)
    return found
