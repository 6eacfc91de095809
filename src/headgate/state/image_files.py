"""The images that files of a manifest repository name: releases, pending groups, and final YAML."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from headgate.config import parse_record
from headgate.engine import reading
from headgate.errors import HeadgateError
from headgate.model import GroupRecord, Release
from headgate.objects.images import Reference, uses
from headgate.objects.manifest import manifests
from headgate.records import frozen_record
from headgate.releases.history import parse_release_path
from headgate.releases.pending import DIVERGED, FAILED, GROUP, HELD, PROPOSED
from headgate.releases.release import RELEASE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from headgate.model import ReleasedImage
    from headgate.objects.image_query import ImageQuery

_PENDING = (HELD, DIVERGED, PROPOSED, FAILED)


@frozen_record
class NamedImage:
    """An image as a file names it, with the handed-off part, or else the object that runs it."""

    reference: str
    name: str = ""
    part: ReleasedImage | None = None
    record: GroupRecord | None = None
    object: str = ""


def place_of(path: str) -> str:
    """Return the kind of a file of a release: `release`, `held`, `proposed` ...; empty for every other file."""
    parsed = parse_release_path(path)
    place, _, rest = parsed.file.partition("/") if parsed else ("", "", "")
    if place == RELEASE:
        return "release"
    is_record = rest.endswith(f"/{GROUP}") or (place == PROPOSED and rest == RELEASE)
    return place if place in _PENDING and is_record else ""


def named_images(
    files: Iterable[tuple[str, str, bytes]], query: ImageQuery, workloads: Mapping[str, str]
) -> dict[str, list[NamedImage]]:
    """Return the images that match, by id. ``files`` are ids, paths and contents; unreadable ones name none."""
    candidates = [file for file in files if query.needle in file[2] or b"\\" in file[2]]
    with suppress(HeadgateError):
        reading.read_objects_ahead((path, data) for _, path, data in candidates if not is_of_app(path))
    found: dict[str, list[NamedImage]] = {}
    for identity, path, data in candidates:
        with suppress(HeadgateError):
            images = _in_record(path, data) if is_of_app(path) else _in_yaml(path, data, workloads)
            matching = [image for image in images if query.matches_text(image.reference)]
            if matching:
                found[identity] = matching
    return found


def is_of_app(path: str) -> bool:
    """Whether a file belongs to an app's release, and not to the final YAML."""
    return parse_release_path(path) is not None


def _in_yaml(path: str, data: bytes, workloads: Mapping[str, str]) -> Iterator[NamedImage]:
    for manifest in manifests(reading.objects(data, path)):
        for use in uses(manifest, workloads):
            yield NamedImage(reference=str(use.text), object=str(manifest))


def _in_record(path: str, data: bytes) -> Iterator[NamedImage]:
    place = place_of(path)
    if not place:
        return
    is_group = path.endswith(f"/{GROUP}")
    record = parse_record(data, path, GroupRecord) if is_group else parse_record(data, path, Release)
    for name, part in record.images.items():
        yield NamedImage(
            reference=str(Reference(part.repository, part.tag, part.digest)),
            name=name,
            part=part,
            record=record if isinstance(record, GroupRecord) else None,
        )
