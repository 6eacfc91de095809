"""The report files of one job, over all that it landed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.feedback.landed import landed_apps, landed_commits
from headgate.feedback.notify import JobAnnouncements
from headgate.releases.unapproved import unapproved_text
from headgate.report.changereport import ChangeReport, actors_of
from headgate.report.describe import describe
from headgate.report.files import FOLDER, LANDED, report_files, write_files
from headgate.report.junit import JunitCase, of_findings, of_outcome, of_verification
from headgate.report.landed import LandedApps, landed_text
from headgate.report.markdown import block
from headgate.report.quality import issues
from headgate.report.verdict import findings_of
from headgate.validation.weigh import NOT_JUDGED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.errors import HeadgateError
    from headgate.hydration.outcome import Outcome
    from headgate.landing.land import Landing
    from headgate.landing.workspace import Workspace
    from headgate.model import UnapprovedMerge
    from headgate.report.appchange import AppChange
    from headgate.state.verify import Verification


@dataclass(eq=False)
class JobReport:
    """What a job did so far. ``url`` is GitLab's address. Each addition rewrites the files at once.

    ``announcements`` are what receivers outside of GitLab will hear.
    """

    url: str
    folder: Path = Path(FOLDER)
    announcements: JobAnnouncements = field(default_factory=JobAnnouncements)
    _cases: dict[tuple[str, str], JunitCase] = field(default_factory=dict)
    _findings: dict[tuple[str, str], list[JunitCase]] = field(default_factory=dict)
    _outcomes: list[Outcome] = field(default_factory=list)
    _changes: list[AppChange] = field(default_factory=list)
    _landed: LandedApps = field(default_factory=LandedApps)

    def add(self, workspace: Workspace, landings: Sequence[Landing]) -> None:
        """Add landings, with the outcomes that failed."""
        commits = landed_commits(workspace, landings)
        for landing in landings:
            self._outcomes.extend(landing.outcomes)
            self._cases.update(
                {(outcome.app, outcome.environment): of_outcome(outcome) for outcome in landing.outcomes}
            )
            self._findings.update(
                {
                    (outcome.app, outcome.environment): of_findings(outcome)
                    for outcome in landing.outcomes
                    if outcome.judgement is not NOT_JUDGED
                }
            )
        self._changes += [change for commit in commits.values() for change in commit.changes]
        self._landed = self._landed.followed_by(landed_apps(workspace, landings, commits))
        self._write()

    def verified(self, verifications: Sequence[Verification]) -> None:
        """Add verifications."""
        self._cases.update(
            {
                (verification.app or verification.folder, verification.environment): of_verification(verification)
                for verification in verifications
            }
        )
        self._write()

    def unapproved(self, merges: Sequence[tuple[str, UnapprovedMerge]]) -> None:
        """Add what people merged without its approvals, by environment."""
        for environment, merge in merges:
            text = unapproved_text(merge)
            self._cases[merge.request, environment] = JunitCase(
                app=merge.request, environment=environment, failure=text, details=text
            )
        if merges:
            self._write()

    def failed(self, error: HeadgateError) -> None:
        """Add the error that ended the job."""
        file = error.where.file if error.where else ""
        self._cases["", ""] = JunitCase(
            app="headgate", environment="", file=file, failure=error.what, details=str(error)
        )
        self._write()

    def _write(self) -> None:
        cases = list(self._cases.values())
        report = ChangeReport(
            changes=self._changes, findings=findings_of(self._outcomes), requested_by=actors_of(self._changes)
        )
        described = {(finding.app, finding.environment) for finding in report.findings if finding.is_error}
        errors = [
            block([f"{case.app} {case.environment}".strip(), *case.details.split("\n")])
            for case in cases
            if case.failure and (case.app, case.environment) not in described
        ]
        text = "\n\n".join([describe(report, self.url), *errors])
        cases += [case for found in self._findings.values() for case in found]
        files = report_files(cases, issues(self._outcomes), report, text, self.url)
        write_files(self.folder, {**files, LANDED: landed_text(self._landed)})
