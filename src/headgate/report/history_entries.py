"""What is shown of the past of an app in an environment, with notes and with the people behind each step. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.releases.release import parts
from headgate.report.history import SHORT, HistoryEntry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.model import Release
    from headgate.releases.history import ReleaseHistory, ReleaseStep


def history_entries(
    histories: Mapping[str, ReleaseHistory], environments: Sequence[str]
) -> dict[str, tuple[HistoryEntry, ...]]:
    """Return the entries of an app's histories by environment, in promotion order; those that are no more come last."""

    def order(name: str) -> int:
        return environments.index(name) if name in environments else len(environments)

    ordered = sorted(histories, key=order)
    return {name: _entries(histories, ordered, name) for name in ordered}


def is_by(entry: HistoryEntry, actor: str) -> bool:
    """Whether somebody is behind an entry: as actor, or as author by name or address. Case does not count."""
    name, _, address = entry.step.who.rpartition(" <")
    people = (*entry.actors, name, address.removesuffix(">"))
    return actor.casefold() in (person.casefold() for person in people)


def _entries(histories: Mapping[str, ReleaseHistory], ordered: Sequence[str], name: str) -> tuple[HistoryEntry, ...]:
    """Return the steps of an environment that changed what runs, or who may change it."""
    history = histories[name]
    before = [histories[other] for other in ordered[: ordered.index(name)]]
    entries = []
    olders = (*history.steps, history.oldest)[1:]
    for step, older in zip(history.steps, olders, strict=True):
        pin_changed = _pin(step.release) != _pin(older.release if older else None)
        if step.is_version or pin_changed:
            actors = _actors(step, older, pin_changed=pin_changed)
            entries.append(_entry(history, before, step, actors, pin_changed=pin_changed))
    return tuple(entries)


def _entry(
    history: ReleaseHistory,
    before: Sequence[ReleaseHistory],
    step: ReleaseStep,
    actors: tuple[str, ...],
    *,
    pin_changed: bool,
) -> HistoryEntry:
    same = history.same_as(step)
    first = next((other.environment for other in reversed(before) if _had_before(other, step)), "")
    notes = []
    if step.is_version and step.release is None:
        notes.append(f"cannot be read: {step.problem}" if step.problem else "removed")
    if same is not None:
        notes.append(f"back to {same.commit[:SHORT]}")
    if first:
        notes.append(f"as in {first}")
    if pin_changed:
        pin = step.release.pin if step.release else None
        notes.append(f"pinned by {pin.by}: {pin.reason}" if pin else "unpinned")
    return HistoryEntry(step=step, back_to=same.commit if same else "", as_in=first, notes=tuple(notes), actors=actors)


def _actors(step: ReleaseStep, older: ReleaseStep | None, *, pin_changed: bool) -> tuple[str, ...]:
    """Return the people behind a step: whom Headgate named, who handed off what is new, and who pinned it."""
    before = parts(older.release) if older else {}
    handed_off = [part.actor for name, part in parts(step.release).items() if part != before.get(name)]
    pin = step.release.pin if step.release and pin_changed else None
    people = (*step.actors, *handed_off, pin.by if pin else None)
    return tuple(dict.fromkeys(filter(None, people)))


def _had_before(other: ReleaseHistory, step: ReleaseStep) -> bool:
    """Whether another environment had the same parts, from the same refs, with an earlier commit: a promotion."""
    if step.release is None or not step.is_version:
        return False
    for version in other.versions:
        earlier = version.time <= step.time and version.commit != step.commit
        if earlier and version.release is not None and _parts(version.release) == _parts(step.release):
            return True
    return False


def _parts(release: Release) -> object:
    return release.images, release.config


def _pin(release: Release | None) -> object:
    return release.pin if release else None
