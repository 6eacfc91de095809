"""The versions of an app's parts in a change: what came in the place of what, from which commit. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.records import frozen_record
from headgate.releases.release import CONFIG, parts
from headgate.report.history import SHORT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.model import ReleasedConfig, ReleasedImage
    from headgate.report.appchange import AppChange

    Part = ReleasedImage | ReleasedConfig


SourceStep = tuple[str, str, str]
"""A project, and two of its commits."""


@frozen_record
class VersionStep:
    """One part with another version. ``old`` or ``new`` is empty where there was or is none.

    ``project`` and the commits say where it came from; ``note`` says what is the same.
    """

    part: str
    old: str = ""
    new: str = ""
    note: str = ""
    project: str = ""
    old_commit: str = ""
    commit: str = ""

    @property
    def is_comparable(self) -> bool:
        """Whether the commits before and after can be compared in the project."""
        return bool(self.old_commit) and self.old_commit != self.commit

    @property
    def source_step(self) -> SourceStep:
        """The step from one commit to another that it takes in its project."""
        return (self.project, self.old_commit, self.commit)


def version_steps(change: AppChange) -> Iterator[VersionStep]:
    """Yield each part whose version changes."""
    before, after = parts(change.before), parts(change.after)
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if old is not None and new is None and change.after is not None:
            yield VersionStep(part=name, old=_version(old))
        elif new is not None and (old is None or _identity(new) != _identity(old)):
            yield _step(name, old, new)


def _step(name: str, old: Part | None, new: Part) -> VersionStep:
    is_same = old is not None and _version(old) == _version(new)
    note = "another digest" if old is not None and _digest(old) != _digest(new) else "another commit"
    return VersionStep(
        part=name,
        old="" if old is None or is_same else _version(old),
        new=_version(new),
        note=note if is_same else "new" if old is None else "",
        project=new.project,
        old_commit=old.commit if old is not None and old.project == new.project else "",
        commit=new.commit,
    )


def _identity(part: Part) -> tuple[str, ...]:
    """Return what makes a part another version: not who brought it, nor by which pipeline."""
    return (part.project, part.commit, _version(part), _digest(part), getattr(part, "repository", ""))


def _digest(part: Part) -> str:
    return str(getattr(part, "digest", ""))


def part_name(name: str) -> tuple[str, str]:
    """Return what kind of part it is, and its name: ``("image", "web")``; the config has no name."""
    return ("the app's config", "") if name == CONFIG else ("image", name)


def _version(part: Part) -> str:
    return part.tag if hasattr(part, "tag") else part.commit[:SHORT]
