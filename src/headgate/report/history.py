"""An app's releases, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

from headgate.records import frozen_record
from headgate.releases.release import parts
from headgate.report.table import moment, write_table
from headgate.report.terminal import WIDTH
from headgate.repository.gitlog import author_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.model import Release
    from headgate.releases.history import ReleaseStep
    from headgate.report.table import Cell
    from headgate.report.terminal import Terminal

SHORT = 12

_TITLES = ("WHEN (UTC)", "COMMIT", "WHO", "IMAGES", "FROM", "")


@frozen_record
class HistoryEntry:
    """A step with notes: the commit that it went back to, the environment that had the release first.

    ``actors`` are the people behind it, besides the commit's author.
    """

    step: ReleaseStep
    back_to: str = ""
    as_in: str = ""
    notes: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()


def write_history(
    terminal: Terminal, app: str, entries: Mapping[str, Sequence[HistoryEntry]], cuts: Mapping[str, str]
) -> None:
    """Write an app's releases in each environment, newest first."""
    if not entries:
        terminal.line(f"{app} has no release yet", "dim")
    for number, (environment, steps) in enumerate(entries.items()):
        if number:
            terminal.line()
        for line in textwrap.wrap(f"{app} in {environment}", WIDTH, break_on_hyphens=False):
            terminal.line(line, "bold")
        write_table(terminal, _TITLES, [_row(entry) for entry in steps], indent="  ")
        if not steps:
            terminal.line("  no known change", "dim")
        if cuts.get(environment):
            terminal.line(f"  history before {cuts[environment][:SHORT]} is not in this repository", "yellow")


def _row(entry: HistoryEntry) -> list[Cell]:
    step = entry.step
    gone = step.release is None and not step.problem
    dim = "" if step.is_version else "dim"
    return [
        (moment(step.time), dim),
        (step.commit[:SHORT], "cyan"),
        (_people(entry), dim),
        (images(step.release), "bold" if step.is_version else "dim"),
        (source(step.release), dim),
        ("; ".join(entry.notes), "red" if gone or step.problem else "yellow"),
    ]


def _people(entry: HistoryEntry) -> str:
    """Return the commit's author, and who is behind it where that is somebody else whom no note names."""
    author = author_of(entry.step.who)
    notes = " ".join(entry.notes)
    others = [actor for actor in entry.actors if actor != author and f"by {actor}:" not in notes]
    return f"{author} for {', '.join(others)}" if others else author


def write_steps(terminal: Terminal, steps: Sequence[tuple[str, str, HistoryEntry]], cut: str) -> None:
    """Write the steps of many apps, newest first."""
    titles = ("WHEN (UTC)", "APP", "ENVIRONMENT", "VERSION", "COMMIT", "WHO", "")
    rows = [
        [
            (moment(entry.step.time), ""),
            (app, "bold"),
            (environment, ""),
            (version(entry.step.release), ""),
            (entry.step.commit[:SHORT], "cyan"),
            (_people(entry), ""),
            ("; ".join(entry.notes), "yellow"),
        ]
        for app, environment, entry in steps
    ]
    write_table(terminal, titles, rows)
    if not steps:
        terminal.line("no known change", "dim")
    if cut:
        terminal.line(f"history before {cut[:SHORT]} is not in this repository", "yellow")


def images(release: Release | None) -> str:
    """Return the images of a release: ``shop:1.4.2@0f1e2d3c4b5a``."""
    items = release.images.items() if release else ()
    return ", ".join(f"{name}:{image.tag}@{image.digest.removeprefix('sha256:')[:SHORT]}" for name, image in items)


def version(release: Release | None) -> str:
    """Return a release's version: the tags of its images, else the commit of its config."""
    if release is None:
        return ""
    tags = list(dict.fromkeys(image.tag for image in release.images.values()))
    if len(tags) > 1:
        return ", ".join(f"{name} {image.tag}" for name, image in release.images.items())
    return tags[0] if tags else release.config.commit[:SHORT] if release.config else ""


def source(release: Release | None) -> str:
    """Return the source commits of a release, with the names of the parts when they differ."""
    by_source: dict[str, list[str]] = {}
    for name, part in parts(release).items():
        ref = part.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
        by_source.setdefault(f"{part.project}@{part.commit[:SHORT]} ({ref})", []).append(name)
    if len(by_source) == 1:
        return next(iter(by_source))
    return ", ".join(f"{'+'.join(names)} {commit}" for commit, names in by_source.items())


def history_to_json(
    app: str, entries: Mapping[str, Sequence[HistoryEntry]], cuts: Mapping[str, str], actor: str = ""
) -> str:
    """Return the history as JSON. Version 1; keys are only ever added."""
    environments = [
        {"environment": name, "cut": cuts.get(name) or None, "steps": [step_to_json(entry) for entry in steps]}
        for name, steps in entries.items()
    ]
    return json.dumps({"version": 1, "app": app, "actor": actor or None, "environments": environments}, indent=2)


def steps_to_json(steps: Sequence[tuple[str, str, HistoryEntry]], cut: str, actor: str = "") -> str:
    """Return the steps of many apps as JSON, newest first. Version 1; keys are only ever added."""
    found = [{"app": app, "environment": name, **step_to_json(entry)} for app, name, entry in steps]
    return json.dumps({"version": 1, "actor": actor or None, "cut": cut or None, "steps": found}, indent=2)


def step_to_json(entry: HistoryEntry) -> dict[str, Any]:
    """Return one step as data."""
    step = entry.step
    return {
        "commit": step.commit,
        "time": step.time.isoformat(),
        "who": step.who,
        "actors": list(entry.actors),
        "subject": step.subject,
        "folder": step.folder,
        "is_version": step.is_version,
        "back_to": entry.back_to or None,
        "as_in": entry.as_in or None,
        "problem": step.problem or None,
        "notes": list(entry.notes),
        "release": None if step.release is None else step.release.model_dump(mode="json", exclude_defaults=True),
    }
