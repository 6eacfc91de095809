"""When the running version of each app last changed on the default branch: for all apps by one read of git's log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from headgate.config import parse_record
from headgate.errors import HeadgateError
from headgate.model import Release
from headgate.paths import APPS
from headgate.records import frozen_record
from headgate.releases.history import parse_release_path, running_version
from headgate.releases.release import CONFIG, HEADER, RELEASE
from headgate.repository.gitlog import ABSENT, below, pieces

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from headgate.configuration import Owner
    from headgate.repository.git import Repository
    from headgate.repository.gitlog import FileChange, LogEntry


@frozen_record(kw_only=False)
class _ReleaseChange:
    """What a commit changed of one release, by the name of the file in the release's folder."""

    entry: LogEntry
    owner: Owner
    files: dict[str, list[FileChange]]


def last_changes(repository: Repository, head: str, owners: Collection[Owner]) -> dict[Owner, LogEntry]:
    """Return the commit that last changed each owner's running version, as far as history goes. Raises GitError."""
    last: dict[Owner, LogEntry] = {}
    for entries in pieces(repository, head, [below(APPS)]):
        changes = [change for change in _release_changes(entries, owners) if change.owner not in last]
        _load_newest(repository, changes)
        for change in changes:
            if change.owner not in last and _changes_version(repository, change.files):
                last[change.owner] = change.entry
        if len(last) == len(owners):
            break
    return last


def _load_newest(repository: Repository, changes: Sequence[_ReleaseChange]) -> None:
    """Load in one batch what is compared first: the releases before and after the newest change of each."""
    newest = {change.owner: change for change in reversed(changes)}
    pairs = [(file.old, file.new) for change in newest.values() for file in change.files.get(RELEASE, ())]
    repository.load([oid for pair in pairs for oid in pair if oid != ABSENT])


def _release_changes(entries: Sequence[LogEntry], owners: Collection[Owner]) -> Iterator[_ReleaseChange]:
    for entry in entries:
        by_owner: dict[Owner, dict[str, list[FileChange]]] = {}
        for file in entry.files:
            path = parse_release_path(file.path)
            if path is not None and path.owner in owners:
                by_owner.setdefault(path.owner, {}).setdefault(path.file, []).append(file)
        for owner, files in by_owner.items():
            yield _ReleaseChange(entry, owner, files)


def _changes_version(repository: Repository, files: dict[str, list[FileChange]]) -> bool:
    """Whether a commit changes more than who may change the release, or where the app's folder is."""
    for name, changes in files.items():
        old = next((change.old for change in changes if change.old != ABSENT), ABSENT)
        new = next((change.new for change in changes if change.new != ABSENT), ABSENT)
        if old == new:
            continue
        if name.startswith(f"{CONFIG}/") or (name == RELEASE and not _run_the_same(repository, old, new)):
            return True
    return False


def _run_the_same(repository: Repository, old: str, new: str) -> bool:
    if ABSENT in (old, new):
        return False
    texts = repository.load([old, new])
    before, after = texts[old].decode("utf-8", "replace"), texts[new].decode("utf-8", "replace")
    if before.startswith(HEADER) and after.startswith(HEADER):
        return _version_lines(before) == _version_lines(after)  # reading thousands as YAML would take seconds
    return _read_version(texts[old]) == _read_version(texts[new])


_OTHER_LINES = re.compile(
    r"^(?:#.*\n|(?:newest|pin|version):.*\n(?: .*\n)*| +(?:ref|pipeline|project_id): .*\n)", re.MULTILINE
)


def _version_lines(text: str) -> str:
    """Drop from a release's canonical text the fields that `running_version` ignores."""
    return _OTHER_LINES.sub("", text)


def _read_version(data: bytes) -> object:
    try:
        return list(running_version(parse_record(data, RELEASE, Release)))
    except HeadgateError:
        return data
