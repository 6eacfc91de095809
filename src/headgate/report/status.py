"""Where apps stand, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from headgate.model import Release
from headgate.releases.release import parts
from headgate.report.health import health_facts
from headgate.report.history import SHORT, version
from headgate.report.json import error_to_json
from headgate.report.table import age, write_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from headgate.flux.verdict import Health
    from headgate.releases.pending import Group
    from headgate.report.table import Cell
    from headgate.report.terminal import Terminal
    from headgate.state.status import AppStatus, Status

_TITLES = ("APP", "ENVIRONMENT", "VERSION", "COMMIT", "AGE", "HEALTH", "STATE")


def write_status(terminal: Terminal, status: Status, now: datetime) -> None:
    """Write a row for each app and environment, and what could not be found out."""
    write_table(terminal, _TITLES, [_row(one, now) for one in status.standings])
    for note in status.notes:
        terminal.line(note, "yellow")
    terminal.line(summary(status), "" if status.standings else "dim")


def _row(one: AppStatus, now: datetime) -> list[Cell]:
    facts = list(states(one))
    style = next((known for known in ("red", "yellow", "cyan") if any(style == known for _, style in facts)), "")
    return [
        (one.app, "bold"),
        (one.environment, ""),
        (version(one.release), ""),
        (", ".join(commits(one.release)), "cyan"),
        (age(one.landing.time, now) if one.landing else "", "dim"),
        _health(one, now),
        ("; ".join(text for text, _ in facts), style),
    ]


def _health(one: AppStatus, now: datetime) -> Cell:
    if one.health is None:
        return "", ""
    since = f" {age(one.health.since, now)}" if one.health.since is not None else ""
    styles = {"healthy": "green", "failed": "red", "unknown": "yellow"}
    return f"{one.health.state}{since}", styles.get(one.health.state, "cyan")


def commits(release: Release | None) -> list[str]:
    """Return the commits that a release was built from, cut short."""
    return list(dict.fromkeys(part.commit[:SHORT] for part in parts(release).values()))


def states(one: AppStatus) -> Iterator[Cell]:
    """Say what is out of the ordinary, the worst first."""
    if one.error is not None:
        yield f"fails: {str(one.error).splitlines()[0]}", "red"
    for group in one.failed:
        failure = group.record.failure
        yield f"{_versions(group)} failed{f': {failure.message}' if failure else ''}", "red"
    if one.health is not None and one.health.state == "failed":
        yield f"failed in the cluster{_why(one.health)}", "red"
    if one.health is not None and one.health.state == "unknown":
        yield f"health is unknown{_why(one.health)}", "yellow"
    if one.edited:
        yield "edited by hand", "red"
    if one.state == "stale" and not one.edited:
        yield "stale: its inputs changed", "yellow"
    if one.state == "empty":
        yield f"waits for {', '.join(one.waits_for)}", "cyan"
    if one.foreign:
        yield f"not Headgate's: {', '.join(one.foreign[:3])}", "yellow"
    yield from _holds(one)
    if one.proposed is not None:
        yield f"proposed: {version(one.proposed.release) or 'other YAML'}", "cyan"


def _why(health: Health) -> str:
    return f": {' '.join(health.reason.split())}" if health.reason else ""


def _holds(one: AppStatus) -> Iterator[Cell]:
    if one.pin is not None:
        yield f"pinned by {one.pin.by}: {one.pin.reason}", "yellow"
    if one.freeze is not None:
        yield f"frozen by {one.freeze.by}: {one.freeze.reason}", "yellow"
    if one.closed:
        yield one.closed, "yellow"
    known = {text for text in (one.closed, f"pinned by {one.pin.by}: {one.pin.reason}" if one.pin else "") if text}
    for group in one.held:
        reasons = [reason for reason in group.record.reasons if reason not in known and " is frozen by " not in reason]
        yield f"{_versions(group)} is held{f': {reasons[0]}' if reasons else ''}", "yellow"
    if one.state == "held" and not one.edited:
        yield "a change of its inputs is held", "yellow"


def _versions(group: Group) -> str:
    """Name what a group brings."""
    release = Release(images=group.record.images, config=group.record.config)
    return version(release) or ", ".join(commits(release))


def summary(status: Status) -> str:
    """Say in one line how many there are of what."""
    if not status.standings:
        return "no app is there yet"
    found = Counter(word for one in status.standings for word in _words(one))
    told = [f"{found[word]} {word}" for word in _WORDS if found[word]]
    return f"{len(status.standings)} app-environments: {', '.join(told) or 'all as they should be'}"


_WORDS = (
    "failing",
    "failed in the cluster",
    "edited by hand",
    "stale",
    "empty",
    "pinned",
    "frozen",
    "failed",
    "held",
    "proposed",
)


def _words(one: AppStatus) -> Iterator[str]:
    facts = {
        "failing": one.error is not None,
        "failed in the cluster": one.health is not None and one.health.state == "failed",
        "edited by hand": one.edited,
        "stale": one.state == "stale" and not one.edited,
        "empty": one.state == "empty",
        "pinned": one.pin is not None,
        "frozen": one.freeze is not None,
        "failed": bool(one.failed),
        "held": bool(one.held) or one.state == "held",
        "proposed": one.proposed is not None,
    }
    yield from (word for word, holds in facts.items() if holds)


def status_to_json(status: Status) -> str:
    """Return the same as JSON. Version 1; keys are only ever added."""
    data = {"version": 1, "notes": list(status.notes), "apps": [_standing(one) for one in status.standings]}
    return json.dumps(data, indent=2)


def _standing(one: AppStatus) -> dict[str, Any]:
    landing, proposed = one.landing, one.proposed
    return {
        "app": one.app,
        "environment": one.environment,
        "state": one.state,
        "version": version(one.release) or None,
        "release": _dump(one.release),
        "landed": landing and {"commit": landing.commit, "time": landing.time.isoformat(), "who": landing.who},
        "pin": _dump(one.pin),
        "frozen": _dump(one.freeze),
        "waiting": _dump(one.waiting),
        "held": [_dump(group.record) for group in one.held],
        "failed": [_dump(group.record) for group in one.failed],
        "proposed": proposed
        and {"branch": proposed.branch, "commit": proposed.commit, "release": _dump(proposed.release)},
        "edited_by_hand": one.edited,
        "foreign_files": list(one.foreign),
        "waits_for": list(one.waits_for),
        "error": error_to_json(one.error) if one.error else None,
        "health": health_facts(one.health) if one.health else None,
    }


def _dump(record: Any) -> Any:
    return None if record is None else record.model_dump(mode="json", exclude_defaults=True)
