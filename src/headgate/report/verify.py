"""What differs from a fresh hydration, for people and as JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from headgate.report.history import SHORT
from headgate.report.json import error_to_json, object_to_json
from headgate.report.table import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.report.terminal import Terminal
    from headgate.state.verify import Difference, Verdict

_TITLES = {
    "stale": "its inputs changed, and it was not hydrated since",
    "edited": "edited by hand",
    "waits": "a change of its inputs is held until it is unpinned or thawed",
    "orphaned": "left from an app or environment that is gone",
    "empty": "nothing was handed off yet",
}
_STYLES = {"stale": "bold yellow", "edited": "bold red", "orphaned": "bold yellow", "waits": "dim", "empty": "dim"}
_KINDS = {
    "changed": ("~", "yellow", "differs"),
    "missing": ("-", "red", "is missing"),
    "left": ("+", "red", "would not be written"),
    "added": ("+", "red", "is not Headgate's"),
    "record": ("~", "red", "does not fit the files"),
}
_WAYS_OUT = {
    "stale": "'headgate rehydrate' hydrates it",
    "edited": "'headgate rehydrate' writes it as it should be; what is meant belongs into values or the template",
    "orphaned": "'headgate rehydrate' takes it away",
}
_MAX_FILES = 10


def write_verdicts(terminal: Terminal, found: Sequence[Verdict]) -> None:
    """Write what differs, object by object and field by field, and what cannot be rendered; then the sum."""
    if any(one.is_wrong for one in found):
        terminal.line("- as committed, + as hydrated now", "dim")
    for one in found:
        if one.state in _TITLES:
            name = f"{one.app} in {one.environment}" if one.app else one.folder
            terminal.line(f"{name}: {_TITLES[one.state]}", _STYLES[one.state])
        if one.is_wrong:
            _differences(terminal, one)
        for warning in one.warnings:
            terminal.line(f"{one.app} in {one.environment}: warning: {warning}", "yellow")
    for one in found:
        if one.error is not None:
            terminal.error(one.error, title=f"{one.app} in {one.environment}")
    terminal.line(summary(found))


def _differences(terminal: Terminal, verdict: Verdict) -> None:
    shown = verdict.differences if verdict.state == "edited" else verdict.differences[:_MAX_FILES]
    for one in shown:
        mark, style, words = _KINDS[one.kind]
        terminal.pieces((f"  {mark} {one.file} {words}", style), (_who(one), "dim"))
        if one.change is not None and one.kind == "changed":
            if not one.change.fields:
                terminal.line("      only in how it is written", "dim")
            terminal.fields(one.change)
    if len(verdict.differences) > len(shown):
        terminal.line(f"    and {len(verdict.differences) - len(shown)} more", "dim")
    is_foreign = all(one.kind == "added" for one in verdict.differences)
    way_out = "delete what is not wanted there, or move it to a folder of its own" if is_foreign else ""
    terminal.line(f"  {way_out or _WAYS_OUT[verdict.state]}", "dim")


def _who(one: Difference) -> str:
    if not one.by_hand or one.touched is None:
        return ""
    last = one.touched
    return f": {last.who.rsplit(' <', 1)[0]}, {moment(last.time)}, {last.commit[:SHORT]} {last.subject}"


def summary(found: Sequence[Verdict]) -> str:
    """Say in one line how many there are of what."""
    words = {
        "equal": "as hydrated",
        "edited": "edited by hand",
        "stale": "stale",
        "waits": "held",
        "empty": "waiting for a hand-off",
        "failed": "failed",
    }
    counts = Counter(one.state for one in found)
    number = len(found) - counts["orphaned"]
    told = [f"{counts[state]} {word}" for state, word in words.items() if counts[state]]
    left = f"; folders left over: {counts['orphaned']}" if counts["orphaned"] else ""
    return (f"{number} app-environments: {', '.join(told)}" if told else "nothing to verify") + left


def verdicts_to_json(found: Sequence[Verdict]) -> str:
    """Return the same as JSON. Version 1; keys are only ever added."""
    return json.dumps({"version": 1, "apps": [_verdict(one) for one in found]}, indent=2)


def _verdict(one: Verdict) -> dict[str, Any]:
    return {
        "app": one.app or None,
        "environment": one.environment or None,
        "folder": one.folder,
        "state": one.state,
        "differences": [_difference(difference) for difference in one.differences],
        "warnings": list(one.warnings),
        "error": error_to_json(one.error) if one.error else None,
    }


def _difference(one: Difference) -> dict[str, Any]:
    last = one.touched
    return {
        "file": one.file,
        "kind": one.kind,
        "by_hand": one.by_hand,
        "last_commit": last
        and {"commit": last.commit, "time": last.time.isoformat(), "who": last.who, "subject": last.subject},
        "object": object_to_json(one.change) if one.change else None,
    }
