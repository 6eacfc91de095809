"""The status of apps, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from headgate.model import Release
from headgate.releases.release import parts
from headgate.report.history import SHORT, version
from headgate.report.json import error_to_json
from headgate.report.table import age, write_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from headgate.releases.pending import Group
    from headgate.report.table import Cell
    from headgate.report.terminal import Terminal
    from headgate.state.status import AppStatus, Status

_TITLES = ("APP", "ENVIRONMENT", "VERSION", "COMMIT", "AGE", "STATE")


def write_status(terminal: Terminal, status: Status, now: datetime) -> None:
    """Write a row for each app and environment, the notes, and the totals."""
    write_table(terminal, _TITLES, [_row(app_status, now) for app_status in status.apps])
    for note in status.notes:
        terminal.line(note, "yellow")
    terminal.line(summary(status), "" if status.apps else "dim")


def _row(app_status: AppStatus, now: datetime) -> list[Cell]:
    facts = list(states(app_status))
    style = next((known for known in ("red", "yellow", "cyan") if any(style == known for _, style in facts)), "")
    return [
        (app_status.app, "bold"),
        (app_status.environment, ""),
        (version(app_status.release), ""),
        (", ".join(commits(app_status.release)), "cyan"),
        (age(app_status.last_change.time, now) if app_status.last_change else "", "dim"),
        ("; ".join(text for text, _ in facts), style),
    ]


def commits(release: Release | None) -> list[str]:
    """Return the short commits that a release was built from."""
    return list(dict.fromkeys(part.commit[:SHORT] for part in parts(release).values()))


def states(app_status: AppStatus) -> Iterator[Cell]:
    """Yield what is out of the ordinary, the worst first."""
    if app_status.error is not None:
        yield f"fails: {str(app_status.error).splitlines()[0]}", "red"
    for group in app_status.failed:
        failure = group.record.failure
        yield f"{_group_version(group)} failed{f': {failure.message}' if failure else ''}", "red"
    if app_status.edited:
        yield "edited by hand", "red"
    if app_status.state == "stale" and not app_status.edited:
        yield "stale: its inputs changed", "yellow"
    if app_status.state == "empty":
        yield f"waits for {', '.join(app_status.waits_for)}", "cyan"
    if app_status.foreign:
        yield f"foreign files: {', '.join(app_status.foreign[:3])}", "yellow"
    yield from _holds(app_status)
    if app_status.proposed is not None:
        yield f"proposed: {version(app_status.proposed.release) or 'other YAML'}", "cyan"


def _holds(app_status: AppStatus) -> Iterator[Cell]:
    if app_status.pin is not None:
        yield f"pinned by {app_status.pin.by}: {app_status.pin.reason}", "yellow"
    if app_status.freeze is not None:
        yield f"frozen by {app_status.freeze.by}: {app_status.freeze.reason}", "yellow"
    if app_status.closed:
        yield app_status.closed, "yellow"
    known = {
        text
        for text in (
            app_status.closed,
            f"pinned by {app_status.pin.by}: {app_status.pin.reason}" if app_status.pin else "",
        )
        if text
    }
    for group in app_status.held:
        reasons = [reason for reason in group.record.reasons if reason not in known and " is frozen by " not in reason]
        yield f"{_group_version(group)} is held{f': {reasons[0]}' if reasons else ''}", "yellow"
    if app_status.state == "held" and not app_status.edited:
        yield "a change of its inputs is held", "yellow"


def _group_version(group: Group) -> str:
    release = Release(images=group.record.images, config=group.record.config)
    return version(release) or ", ".join(commits(release))


def summary(status: Status) -> str:
    """Return the totals on one line."""
    if not status.apps:
        return "no apps configured"
    totals = Counter(label for app_status in status.apps for label in _labels(app_status))
    shown = [f"{totals[label]} {label}" for label in _LABELS if totals[label]]
    return f"{len(status.apps)} app-environments: {', '.join(shown) or 'all current'}"


_LABELS = ("failing", "edited by hand", "stale", "empty", "pinned", "frozen", "failed", "held", "proposed")


def _labels(app_status: AppStatus) -> Iterator[str]:
    labels = {
        "failing": app_status.error is not None,
        "edited by hand": app_status.edited,
        "stale": app_status.state == "stale" and not app_status.edited,
        "empty": app_status.state == "empty",
        "pinned": app_status.pin is not None,
        "frozen": app_status.freeze is not None,
        "failed": bool(app_status.failed),
        "held": bool(app_status.held) or app_status.state == "held",
        "proposed": app_status.proposed is not None,
    }
    yield from (label for label, holds in labels.items() if holds)


def status_to_json(status: Status) -> str:
    """Return the status as JSON. Version 1; keys are only ever added."""
    data = {"version": 1, "notes": list(status.notes), "apps": [_app(app_status) for app_status in status.apps]}
    return json.dumps(data, indent=2)


def _app(app_status: AppStatus) -> dict[str, Any]:
    last_change, proposed = app_status.last_change, app_status.proposed
    return {
        "app": app_status.app,
        "environment": app_status.environment,
        "state": app_status.state,
        "version": version(app_status.release) or None,
        "release": _dump(app_status.release),
        "landed": last_change
        and {"commit": last_change.commit, "time": last_change.time.isoformat(), "who": last_change.who},
        "pin": _dump(app_status.pin),
        "frozen": _dump(app_status.freeze),
        "waiting": _dump(app_status.waiting),
        "held": [_dump(group.record) for group in app_status.held],
        "failed": [_dump(group.record) for group in app_status.failed],
        "proposed": proposed
        and {"branch": proposed.branch, "commit": proposed.commit, "release": _dump(proposed.release)},
        "edited_by_hand": app_status.edited,
        "foreign_files": list(app_status.foreign),
        "waits_for": list(app_status.waits_for),
        "error": error_to_json(app_status.error) if app_status.error else None,
    }


def _dump(record: Any) -> Any:
    return None if record is None else record.model_dump(mode="json", exclude_defaults=True)
