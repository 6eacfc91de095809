"""Errors and warnings as GitLab's Code Quality report: https://docs.gitlab.com/ci/testing/code_quality/. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headgate.report.markdown import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from headgate.hydration.hydrate import Outcome

_PLACE = re.compile(r"(?P<file>[^\s:]+\.\w+):(?P<line>\d+): (?P<what>.+)", re.DOTALL)
"""How a warning begins that names a place: `errors.Place`."""
_MOST = 500


@dataclass(frozen=True)
class QualityIssue:
    """One thing that is wrong in a file. ``severity`` is one of GitLab's words: ``info``, ``minor``, ``major``..."""

    check: str
    severity: str
    file: str
    line: int
    what: str


def issues(outcomes: Iterable[Outcome]) -> list[QualityIssue]:
    """Return what is wrong in which file: errors, and warnings that name a place. Each once, for however many apps."""
    return list(dict.fromkeys(issue for one in outcomes for issue in _issues(one)))


def _issues(one: Outcome) -> Iterator[QualityIssue]:
    error = one.error
    if error is not None and error.where is not None and error.where.file:
        what = f"{error.where.key}: {error.what}" if error.where.key else error.what
        yield QualityIssue(type(error).__name__, "major", error.where.file, error.where.line or 1, what)
    for warning in one.warnings:
        match = _PLACE.fullmatch(warning)
        if match:
            yield QualityIssue("warning", "minor", match["file"], int(match["line"]), match["what"])


def to_code_quality(found: Iterable[QualityIssue]) -> str:
    """Return issues as JSON. A fingerprint names the same issue in every run, wherever its line is by then."""
    return json.dumps([_entry(one) for one in found], indent=1) + "\n"


def _entry(one: QualityIssue) -> dict[str, Any]:
    fingerprint = hashlib.sha256(f"{one.check}\0{one.file}\0{one.what}".encode("utf-8", "replace")).hexdigest()
    return {
        "description": one_line(one.what, _MOST),
        "check_name": one.check,
        "fingerprint": fingerprint,
        "severity": one.severity,
        "location": {"path": one_line(one.file), "lines": {"begin": one.line}},
    }
