"""When what runs of each app last changed on the default branch: for all apps by one look at git's log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.config import parse_record
from headgate.errors import HeadgateError
from headgate.model import Release
from headgate.paths import APPS
from headgate.releases.history import release_of, running
from headgate.releases.release import CONFIG, HEADER, RELEASE
from headgate.repository.gitlog import ABSENT, below, contents, pieces

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from headgate.repository.git import Repository
    from headgate.repository.gitlog import FileChange, Logged

Owner = tuple[str, str]
"""App and environment."""


@dataclass(frozen=True)
class LastChange:
    """The commit that brought what runs now."""

    commit: str
    time: datetime
    who: str


def last_changes(repository: Repository, head: str, wanted: Collection[Owner]) -> dict[Owner, LastChange]:
    """Return when what runs last changed, for those of the apps and environments for which git still knows.

    Raises GitError.
    """
    found: dict[Owner, LastChange] = {}
    for logged in pieces(repository, head, [below(APPS)]):
        touched = [one for one in _of_owners(logged, wanted) if one[1] not in found]
        texts = _newest_texts(repository, touched)
        for one, owner, changes in touched:
            if owner not in found and _changes_what_runs(repository, changes, texts):
                found[owner] = LastChange(one.commit, one.time, one.who)
        if len(found) == len(wanted):
            break
    return found


Touched = tuple["Logged", Owner, dict[str, list["FileChange"]]]
"""A commit, an app and environment, and what it changed of that release, by name within the release."""


def _newest_texts(repository: Repository, touched: Sequence[Touched]) -> dict[str, bytes]:
    """Read by one process what is compared first: the releases before and after the newest change of each."""
    newest: dict[Owner, Touched] = {}
    for one in touched:
        newest.setdefault(one[1], one)
    ids = [(change.old, change.new) for _, _, changes in newest.values() for change in changes.get(RELEASE, ())]
    return contents(repository, [oid for pair in ids for oid in pair if oid != ABSENT])


def _of_owners(logged: list[Logged], wanted: Collection[Owner]) -> Iterator[Touched]:
    """Yield what each commit changed of each app's release."""
    for one in logged:
        by_owner: dict[Owner, dict[str, list[FileChange]]] = {}
        for change in one.files:
            found = release_of(change.path)
            if found is not None and (owner := found[1:3]) in wanted:
                by_owner.setdefault(owner, {}).setdefault(found[3], []).append(change)
        for owner, changes in by_owner.items():
            yield one, owner, changes


def _changes_what_runs(repository: Repository, changes: dict[str, list[FileChange]], texts: dict[str, bytes]) -> bool:
    """Whether a commit changes more than who may change the release, or where the app's folder is."""
    for name, found in changes.items():
        old = next((change.old for change in found if change.old != ABSENT), ABSENT)
        new = next((change.new for change in found if change.new != ABSENT), ABSENT)
        if old == new:
            continue
        if name.startswith(f"{CONFIG}/") or (name == RELEASE and not _run_the_same(repository, old, new, texts)):
            return True
    return False


def _run_the_same(repository: Repository, old: str, new: str, texts: dict[str, bytes]) -> bool:
    if ABSENT in (old, new):
        return False
    if old not in texts or new not in texts:
        texts |= contents(repository, [old, new])
    before, after = texts[old].decode("utf-8", "replace"), texts[new].decode("utf-8", "replace")
    if before.startswith(HEADER) and after.startswith(HEADER):
        return _what_runs(before) == _what_runs(after)  # thousands of them: reading YAML would take seconds
    return _read(texts[old]) == _read(texts[new])


_NOT_WHAT_RUNS = re.compile(
    r"^(?:#.*\n|(?:newest|pin|version):.*\n(?: .*\n)*| +(?:ref|pipeline|project_id): .*\n)", re.MULTILINE
)


def _what_runs(text: str) -> str:
    """Leave out of a release in its canonical text what `running` leaves out of its data."""
    return _NOT_WHAT_RUNS.sub("", text)


def _read(data: bytes) -> object:
    try:
        return list(running(parse_record(data, RELEASE, Release)))
    except HeadgateError:
        return data
