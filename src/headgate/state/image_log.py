"""When images were added to files and removed from them, read from git's log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.records import frozen_record
from headgate.releases.history import parse_release_path
from headgate.repository.gitlog import ABSENT, below, pieces
from headgate.state.image_files import is_of_app, named_images, place_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headgate.objects.image_query import ImageQuery
    from headgate.repository.git import Repository
    from headgate.repository.gitlog import FileChange, LogEntry
    from headgate.state.image_files import NamedImage


@frozen_record
class ImageMove:
    """How a commit changed the images in a file: the added and the removed ones, by reference."""

    entry: LogEntry
    file: str
    came: dict[str, NamedImage]
    went: dict[str, NamedImage]


def file_key(path: str) -> str:
    """Return the key of a file: for a release's file independent of the app's folder, else its path."""
    parsed = parse_release_path(path)
    return f"{parsed.app} {parsed.environment} {parsed.file}" if parsed is not None else path


def image_moves(
    repository: Repository, head: str, paths: Sequence[str], query: ImageQuery, workloads: Mapping[str, str]
) -> Iterator[ImageMove]:
    """Yield the moves of the images that match in files below some paths, newest first. Raises GitError."""
    for entries in pieces(repository, head, [below(path) for path in paths]):
        changes = [change for entry in entries for change in entry.files if _is_read(change.path)]
        texts = repository.load([oid for change in changes for oid in (change.old, change.new) if oid != ABSENT])
        versions = {(change.path, oid) for change in changes for oid in (change.old, change.new) if oid in texts}
        files = ((_version(path, oid), path, texts[oid]) for path, oid in versions)
        known = {
            version: {image.reference: image for image in images}
            for version, images in named_images(files, query, workloads).items()
        }
        for entry in entries:
            yield from _moves(entry, known)


def _is_read(path: str) -> bool:
    return bool(place_of(path)) if is_of_app(path) else path.endswith((".yaml", ".yml"))


def _version(path: str, oid: str) -> str:
    return f"{oid} {path}"


def _moves(entry: LogEntry, known: Mapping[str, dict[str, NamedImage]]) -> Iterator[ImageMove]:
    by_key: dict[str, list[FileChange]] = {}
    for change in entry.files:
        if _is_read(change.path):
            by_key.setdefault(file_key(change.path), []).append(change)
    for changes in by_key.values():
        before = _side([(change.path, change.old) for change in changes], known)
        after = _side([(change.path, change.new) for change in changes], known)
        came = {text: image for text, image in after.items() if text not in before}
        went = {text: image for text, image in before.items() if text not in after}
        if came or went:
            yield ImageMove(entry=entry, file=changes[-1].path, came=came, went=went)


def _side(versions: Sequence[tuple[str, str]], known: Mapping[str, dict[str, NamedImage]]) -> dict[str, NamedImage]:
    return {text: image for path, oid in versions for text, image in known.get(_version(path, oid), {}).items()}
