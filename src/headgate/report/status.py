"""The status of apps, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from headgate.bounded import counted
from headgate.model import Release
from headgate.releases.release import parts
from headgate.releases.unapproved import unapproved_text
from headgate.report.approvals import missing_text
from headgate.report.health import health_facts
from headgate.report.history import SHORT, version
from headgate.report.json import error_to_json
from headgate.report.table import age, write_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from headgate.flux.verdict import Health
    from headgate.gitlab.approvals import Approvals
    from headgate.releases.pending import Group
    from headgate.report.table import Cell
    from headgate.report.terminal import Terminal
    from headgate.state.proposals import Proposed
    from headgate.state.status import AppStatus, Status

_TITLES = ("APP", "ENVIRONMENT", "VERSION", "COMMIT", "AGE", "HEALTH", "STATE")


def write_status(terminal: Terminal, status: Status, now: datetime) -> None:
    """Write a row for each app and environment, the notes, the totals, and how what holds them ends."""
    write_table(terminal, _TITLES, [_row(app, now) for app in status.apps])
    for note in status.notes:
        terminal.line(note, "yellow")
    terminal.line(summary(status), "" if status.apps else "dim")
    for way_out in ways_out(status):
        terminal.line(way_out, "dim")


def _row(app: AppStatus, now: datetime) -> list[Cell]:
    facts = list(states(app))
    style = next((known for known in ("red", "yellow", "cyan") if any(style == known for _, style in facts)), "")
    return [
        (app.app, "bold"),
        (app.environment, ""),
        (version(app.release), ""),
        (", ".join(commits(app.release)), "cyan"),
        (age(app.last_change.time, now) if app.last_change else "", "dim"),
        _health(app, now),
        ("; ".join(text for text, _ in facts), style),
    ]


def _health(app: AppStatus, now: datetime) -> Cell:
    if app.health is None:
        return "", ""
    since = f" {age(app.health.since, now)}" if app.health.since is not None else ""
    styles = {"healthy": "green", "failed": "red", "unknown": "yellow"}
    return f"{app.health.state}{since}", styles.get(app.health.state, "cyan")


def commits(release: Release | None) -> list[str]:
    """Return the short commits that a release was built from."""
    return list(dict.fromkeys(part.commit[:SHORT] for part in parts(release).values()))


def states(app: AppStatus) -> Iterator[Cell]:
    """Yield what is out of the ordinary, the worst first."""
    if app.error is not None:
        yield f"fails: {str(app.error).splitlines()[0]}", "red"
    for group in app.failed:
        failure = group.record.failure
        yield f"{_group_version(app, group)} failed{f': {failure.message}' if failure else ''}", "red"
    yield from _health_problems(app.health)
    if app.edited:
        yield "edited by hand", "red"
    for merge in app.unapproved:
        yield unapproved_text(merge), "red"
    if app.state == "stale" and not app.edited:
        yield "stale: its inputs changed", "yellow"
    if app.state == "empty":
        yield f"waits for {', '.join(app.waits_for)}", "cyan"
    if app.foreign:
        yield f"foreign files: {', '.join(app.foreign[:3])}", "yellow"
    yield from _holds(app)
    if app.flags:
        yield f"look at: {', '.join(app.flags)}", "yellow"
    if app.proposed is not None:
        missing = missing_text(app.proposed.approvals) if app.proposed.approvals else ""
        yield f"proposed: {_proposed(app.proposed)}{f', {missing}' if missing else ''}", "cyan"


def _proposed(proposed: Proposed) -> str:
    decision = proposed.decision
    if decision is None:
        return version(proposed.release) or "other YAML"
    to = f" to {version(proposed.release)}" if proposed.release is not None else ""
    reason = f": {decision.reason}" if decision.reason else ""
    return f"{decision.kind}{to} by {decision.actor or 'somebody'}{reason}"


def _health_problems(health: Health | None) -> Iterator[Cell]:
    reason = f": {' '.join(health.reason.split())}" if health is not None and health.reason else ""
    if health is not None and health.state == "failed":
        yield f"failed in the cluster{reason}", "red"
    if health is not None and health.state == "unknown":
        yield f"health is unknown{reason}", "yellow"


def _holds(app: AppStatus) -> Iterator[Cell]:
    pinned = f"pinned by {app.pin.by}: {app.pin.reason}" if app.pin else ""
    if pinned:
        yield pinned, "yellow"
    if app.freeze is not None:
        yield f"frozen by {app.freeze.by}: {app.freeze.reason}", "yellow"
    if app.closed:
        yield app.closed, "yellow"
    known = (app.closed, pinned)
    for group in app.held:
        reasons = [reason for reason in group.record.reasons if reason not in known and " is frozen by " not in reason]
        yield f"{_group_version(app, group)} is held{f': {reasons[0]}' if reasons else ''}", "yellow"
    if app.state == "held" and not app.edited:
        yield "a change of its inputs is held", "yellow"


def _group_version(app: AppStatus, group: Group) -> str:
    """Return the version of a group, with the names of its images where the app has others."""
    images = group.record.images
    release = Release(images=images, config=group.record.config)
    known = {name for other in (*app.held, *app.failed) for name in other.record.images}
    if len(known | (app.release.images.keys() if app.release else set())) > 1 and len(images) == 1:
        return f"{next(iter(images))} {version(release)}"
    return version(release) or ", ".join(commits(release))


def ways_out(status: Status) -> Iterator[str]:
    """Yield how each kind of hold that there is ends: as it is typed where there is one, else with names to fill in."""
    for text, names, place in _WAYS_OUT:
        places = list(dict.fromkeys(filter(None, map(place, status.apps))))
        if places:
            yield text.format(places[0] if len(places) == 1 else names)


def _at(app: AppStatus) -> str:
    return f"{app.app} --environment {app.environment}"


def _pinned_at(app: AppStatus) -> str:
    return _at(app) if app.pin else ""


def _failed_at(app: AppStatus) -> str:
    return app.environment if app.failed else ""


def _held_at(app: AppStatus) -> str:
    return _at(app) if app.held else ""


def _pending_at(app: AppStatus) -> str:
    return _at(app) if app.held or app.failed else ""


def _frozen_at(app: AppStatus) -> str:
    return app.environment if app.freeze else ""


def _decided_at(app: AppStatus) -> str:
    return app.proposed.branch if app.proposed is not None and app.proposed.decision is not None else ""


_ANYWHERE = "APP --environment ENVIRONMENT"
_WAYS_OUT: tuple[tuple[str, str, Callable[[AppStatus], str]], ...] = (
    ("to unpin: headgate unpin {}", _ANYWHERE, _pinned_at),
    ("to thaw: headgate thaw {}", "ENVIRONMENT", _frozen_at),
    ("to end the review: merge or close {}", "headgate/ENVIRONMENT/APP", _decided_at),
    ("to try again what failed: headgate rehydrate --environment {}", "ENVIRONMENT", _failed_at),
    ("to deliver what is held: headgate deliver-held {} --reason TEXT", _ANYWHERE, _held_at),
    ("to drop what is held or failed: headgate discard-held {} --reason TEXT", _ANYWHERE, _pending_at),
)


def summary(status: Status) -> str:
    """Return the totals on one line."""
    if not status.apps:
        return "no apps configured"
    totals = Counter(label for app in status.apps for label in labels(app))
    shown = [f"{totals[label]} {label}" for label in _LABELS if totals[label]]
    return f"{counted(len(status.apps), 'app-environment')}: {', '.join(shown) or 'all current'}"


_LABELS = (
    "failing",
    "failed in the cluster",
    "edited by hand",
    "unapproved",
    "stale",
    "empty",
    "pinned",
    "frozen",
    "failed",
    "held",
    "proposed",
)


def labels(app: AppStatus) -> Iterator[str]:
    """Yield under what an app counts in the totals."""
    counted = {
        "failing": app.error is not None,
        "failed in the cluster": app.health is not None and app.health.state == "failed",
        "edited by hand": app.edited,
        "unapproved": bool(app.unapproved),
        "stale": app.state == "stale" and not app.edited,
        "empty": app.state == "empty",
        "pinned": app.pin is not None,
        "frozen": app.freeze is not None,
        "failed": bool(app.failed),
        "held": bool(app.held) or app.state == "held",
        "proposed": app.proposed is not None,
    }
    yield from (label for label, holds in counted.items() if holds)


def status_to_json(status: Status) -> str:
    """Return the status as JSON. Version 1; keys are only ever added."""
    data = {"version": 1, "notes": list(status.notes), "apps": [app_to_json(app) for app in status.apps]}
    return json.dumps(data, indent=2)


def app_to_json(app: AppStatus) -> dict[str, Any]:
    """Return one app in one environment as data."""
    last_change, proposed = app.last_change, app.proposed
    return {
        "app": app.app,
        "environment": app.environment,
        "state": app.state,
        "version": version(app.release) or None,
        "release": _dump(app.release),
        "landed": last_change
        and {
            "commit": last_change.commit,
            "time": last_change.time.isoformat(),
            "who": last_change.who,
            "actors": list(last_change.actors),
        },
        "pin": _dump(app.pin),
        "frozen": _dump(app.freeze),
        "closed": app.closed or None,
        "waiting": _dump(app.waiting),
        "held": [_dump(group.record) for group in app.held],
        "failed": [_dump(group.record) for group in app.failed],
        "proposed": proposed
        and {
            "branch": proposed.branch,
            "commit": proposed.commit,
            "release": _dump(proposed.release),
            "decision": proposed.decision
            and {"kind": proposed.decision.kind, "by": proposed.decision.actor, "reason": proposed.decision.reason},
            "approvals": proposed.approvals and _approvals(proposed.approvals),
        },
        "edited_by_hand": app.edited,
        "foreign_files": list(app.foreign),
        "waits_for": list(app.waits_for),
        "flags": list(app.flags),
        "unapproved": [_dump(merge) for merge in app.unapproved],
        "error": error_to_json(app.error) if app.error else None,
        "health": health_facts(app.health) if app.health else None,
    }


def _approvals(approvals: Approvals) -> dict[str, Any]:
    return {
        "needed": approvals.needed,
        "given": list(approvals.given),
        "missing": approvals.missing,
        "ignored": [{"by": name, "reason": reason} for name, reason in approvals.ignored],
        "unknown": approvals.error.what if approvals.error else None,
    }


def _dump(record: Any) -> Any:
    return None if record is None else record.model_dump(mode="json", exclude_defaults=True)
