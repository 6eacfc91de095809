"""Where an image runs, waits and ran: as tables for people and as JSON for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from headgate.bounded import counted
from headgate.objects.images import parse_reference
from headgate.report.history import SHORT
from headgate.report.table import moment, write_table
from headgate.report.terminal import WIDTH
from headgate.repository.gitlog import author_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.report.table import Cell
    from headgate.report.terminal import Terminal
    from headgate.repository.gitlog import LogEntry
    from headgate.state.where import ImagePlace, ImagePlaces

_TITLES = ("APP", "ENVIRONMENT", "STATE", "SINCE (UTC)", "UNTIL (UTC)", "BY", "")
_STYLES = {"runs": "green", "ran": "dim", "failed": "red"}


def write_places(terminal: Terminal, search: str, found: ImagePlaces) -> None:
    """Write a table for each image, below what it is and where it comes from; then what is unknown."""
    by_image: dict[tuple[str, str], list[ImagePlace]] = {}
    for place in found.places:
        by_image.setdefault((place.reference, _source(place)), []).append(place)
    for (reference, source), places in by_image.items():
        _write_reference(terminal, reference)
        terminal.line(f"  {source}", "dim")
        write_table(terminal, _TITLES, [_row(place) for place in places], indent="  ")
    for note in found.notes:
        terminal.line(note, "yellow")
    if found.cut:
        terminal.line(f"history before {found.cut[:SHORT]} is not in this repository", "yellow")
    terminal.line(_summary(search, found.places), "" if found.places else "dim")


def _write_reference(terminal: Terminal, text: str) -> None:
    """Write an image, a long digest on a line of its own."""
    if len(text) <= WIDTH or "@" not in text:
        terminal.line(text, "bold")
        return
    name, _, digest = text.partition("@")
    terminal.line(name, "bold")
    terminal.line(f"  @{digest}", "bold")


def _source(place: ImagePlace) -> str:
    part = place.part
    if part is None:
        return "from a template or an app's config, or edited by hand: no hand-off brought it"
    pipeline = f", handed off in pipeline {part.pipeline}" if part.pipeline else ""  # by whom stands with each place
    ref = part.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    return f"from {part.project}@{part.commit[:SHORT]} ({ref}){pipeline}"


def _row(place: ImagePlace) -> list[Cell]:
    notes = [*place.reasons]
    if place.part is None or len(place.objects) > 1:
        notes.append(", ".join(place.objects))
    return [
        (place.app or place.file.rpartition("/")[0], "bold"),
        (place.environment, ""),
        (place.state, _STYLES.get(place.state, "yellow")),
        (moment(place.since.time) if place.since else "", ""),
        (moment(place.until.time) if place.until else "", "dim"),
        (people(place.since), ""),
        ("; ".join(filter(None, notes)), "dim"),
    ]


def people(entry: LogEntry | None) -> str:
    """Return who brought something: the person whom Headgate named, else the commit's author."""
    if entry is None:
        return ""
    return ", ".join(entry.actors) or author_of(entry.who)


def _summary(search: str, places: Sequence[ImagePlace]) -> str:
    running = [place for place in places if place.state == "runs"]
    waiting = [place for place in places if place.state not in ("runs", "ran")]
    past = [place for place in places if place.state == "ran"]
    counts = [
        f"runs in {_count(running)}" if running else "runs nowhere",
        *([f"waits in {_count(waiting)}"] if waiting else []),
        *([f"ran in {_count(past)}"] if past else []),
    ]
    return f"{search}: {', '.join(counts)}"


def _count(places: Sequence[ImagePlace]) -> str:
    number = len({(place.app, place.environment, place.file if not place.app else "") for place in places})
    return counted(number, "app-environment")


def places_to_json(search: str, found: ImagePlaces) -> str:
    """Return the places as JSON. Version 1; keys are only ever added."""
    data = {
        "version": 1,
        "search": search,
        "notes": list(found.notes),
        "cut": found.cut or None,
        "places": [_place(place) for place in found.places],
    }
    return json.dumps(data, indent=2)


def _place(place: ImagePlace) -> dict[str, Any]:
    reference = parse_reference(place.reference)
    return {
        "app": place.app or None,
        "environment": place.environment or None,
        "state": place.state,
        "image": place.reference,
        "repository": reference.repository,
        "tag": reference.tag or None,
        "digest": reference.digest or None,
        "name": place.name or None,
        "file": place.file,
        "objects": list(place.objects),
        "handed_off": place.part.model_dump(mode="json", include=_HANDED_OFF) if place.part else None,
        "since": entry_to_json(place.since),
        "until": entry_to_json(place.until),
        "reasons": list(place.reasons),
    }


_HANDED_OFF = {"project", "project_id", "commit", "ref", "pipeline", "actor"}


def entry_to_json(entry: LogEntry | None) -> dict[str, Any] | None:
    """Return a commit of the manifest repository as data."""
    if entry is None:
        return None
    return {
        "commit": entry.commit,
        "time": entry.time.isoformat(),
        "who": entry.who,
        "actors": list(entry.actors),
        "subject": entry.subject,
    }
