"""Differences from a fresh hydration, for people and as JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from headgate.bounded import counted
from headgate.report.history import SHORT
from headgate.report.json import error_to_json, object_to_json
from headgate.report.table import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.report.terminal import Terminal
    from headgate.state.verify import Difference, DifferenceKind, Verification, VerificationState

_TITLES: dict[VerificationState, str] = {
    "stale": "its inputs changed since it was hydrated",
    "edited": "edited by hand",
    "waits": "a change of its inputs is held until it is unpinned or thawed",
    "orphaned": "left over from a removed app or environment",
    "empty": "nothing handed off yet",
}
_STYLES: dict[VerificationState, str] = {
    "stale": "bold yellow",
    "edited": "bold red",
    "orphaned": "bold yellow",
    "waits": "dim",
    "empty": "dim",
}
_KINDS: dict[DifferenceKind, tuple[str, str, str]] = {
    "changed": ("~", "yellow", "differs"),
    "missing": ("-", "red", "is missing"),
    "left": ("+", "red", "would not be written"),
    "added": ("+", "red", "was not written by Headgate"),
    "record": ("~", "red", "does not match the files"),
}
_WAYS_OUT: dict[VerificationState, str] = {
    "stale": "'headgate rehydrate' hydrates it",
    "edited": "'headgate rehydrate' reverts it; make the change in values or the template",
    "orphaned": "'headgate rehydrate' removes it",
}
_MAX_FILES = 10


def write_verifications(terminal: Terminal, verifications: Sequence[Verification]) -> None:
    """Write the differences object by object and field by field, the errors, and the totals."""
    if any(verification.is_wrong for verification in verifications):
        terminal.line("- as committed, + as hydrated now", "dim")
    for verification in verifications:
        if verification.state in _TITLES:
            name = f"{verification.app} in {verification.environment}" if verification.app else verification.folder
            terminal.line(f"{name}: {_TITLES[verification.state]}", _STYLES[verification.state])
        if verification.is_wrong:
            _differences(terminal, verification)
        for warning in verification.warnings:
            terminal.line(f"{verification.app} in {verification.environment}: warning: {warning}", "yellow")
    for verification in verifications:
        if verification.error is not None:
            terminal.error(verification.error, title=f"{verification.app} in {verification.environment}")
    terminal.line(summary(verifications))


def _differences(terminal: Terminal, verification: Verification) -> None:
    shown = verification.differences if verification.state == "edited" else verification.differences[:_MAX_FILES]
    for difference in shown:
        mark, style, text = _KINDS[difference.kind]
        terminal.pieces((f"  {mark} {difference.file} {text}", style), (_who(difference), "dim"))
        if difference.change is not None and difference.kind == "changed":
            if not difference.change.fields:
                terminal.line("      in formatting only", "dim")
            terminal.fields(difference.change)
    if len(verification.differences) > len(shown):
        terminal.line(f"    and {len(verification.differences) - len(shown)} more", "dim")
    is_foreign = all(difference.kind == "added" for difference in verification.differences)
    way_out = "delete these files, or move them to another folder" if is_foreign else ""
    terminal.line(f"  {way_out or _WAYS_OUT[verification.state]}", "dim")


def _who(difference: Difference) -> str:
    if not difference.by_hand or difference.last_commit is None:
        return ""
    commit = difference.last_commit
    return f": {commit.who.rsplit(' <', 1)[0]}, {moment(commit.time)}, {commit.commit[:SHORT]} {commit.subject}"


def summary(verifications: Sequence[Verification]) -> str:
    """Return the totals on one line."""
    labels: dict[VerificationState, str] = {
        "equal": "as hydrated",
        "edited": "edited by hand",
        "stale": "stale",
        "waits": "held",
        "empty": "waiting for a hand-off",
        "failed": "failed",
    }
    counts = Counter(verification.state for verification in verifications)
    number = len(verifications) - counts["orphaned"]
    totals = [f"{counts[state]} {label}" for state, label in labels.items() if counts[state]]
    orphans = f"; folders left over: {counts['orphaned']}" if counts["orphaned"] else ""
    return (f"{counted(number, 'app-environment')}: {', '.join(totals)}" if totals else "nothing to verify") + orphans


def verifications_to_json(verifications: Sequence[Verification]) -> str:
    """Return the verifications as JSON. Version 1; keys are only ever added."""
    return json.dumps({"version": 1, "apps": [_verification(verification) for verification in verifications]}, indent=2)


def _verification(verification: Verification) -> dict[str, Any]:
    return {
        "app": verification.app or None,
        "environment": verification.environment or None,
        "folder": verification.folder,
        "state": verification.state,
        "differences": [_difference(difference) for difference in verification.differences],
        "warnings": [str(warning) for warning in verification.warnings],
        "error": error_to_json(verification.error) if verification.error else None,
    }


def _difference(difference: Difference) -> dict[str, Any]:
    commit = difference.last_commit
    return {
        "file": difference.file,
        "kind": difference.kind,
        "by_hand": difference.by_hand,
        "last_commit": commit
        and {"commit": commit.commit, "time": commit.time.isoformat(), "who": commit.who, "subject": commit.subject},
        "object": object_to_json(difference.change) if difference.change else None,
    }
