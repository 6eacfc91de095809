"""Errors and warnings as GitLab's Code Quality report: https://docs.gitlab.com/ci/testing/code_quality/. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal

from headgate.records import frozen_record
from headgate.report.markdown import single_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from headgate.hydration.outcome import Outcome

_MAX_DESCRIPTION = 500


@frozen_record
class QualityIssue:
    """One problem in a file."""

    check: str
    severity: Literal["info", "minor", "major", "critical", "blocker"]
    file: str
    line: int
    description: str


def issues(outcomes: Iterable[Outcome]) -> list[QualityIssue]:
    """Return errors and warnings that name a file, each once for all apps."""
    return list(dict.fromkeys(issue for outcome in outcomes for issue in _issues(outcome)))


def _issues(outcome: Outcome) -> Iterator[QualityIssue]:
    error = outcome.error
    if error is not None and error.where is not None and error.where.file:
        description = f"{error.where.key}: {error.what}" if error.where.key else error.what
        yield QualityIssue(
            check=type(error).__name__,
            severity="major",
            file=error.where.file,
            line=error.where.line or 1,
            description=description,
        )
    for warning in outcome.warnings:
        if warning.where is not None:
            yield QualityIssue(
                check="warning",
                severity="minor",
                file=warning.where.file,
                line=warning.where.line or 1,
                description=warning.what,
            )


def to_code_quality(issues: Iterable[QualityIssue]) -> str:
    """Return issues as JSON. A fingerprint identifies an issue in every run, even when its line moves."""
    return json.dumps([_entry(issue) for issue in issues], indent=1) + "\n"


def _entry(issue: QualityIssue) -> dict[str, Any]:
    fingerprint = hashlib.sha256(
        f"{issue.check}\0{issue.file}\0{issue.description}".encode("utf-8", "replace")
    ).hexdigest()
    return {
        "description": single_line(issue.description, _MAX_DESCRIPTION),
        "check_name": issue.check,
        "fingerprint": fingerprint,
        "severity": issue.severity,
        "location": {"path": single_line(issue.file), "lines": {"begin": issue.line}},
    }
