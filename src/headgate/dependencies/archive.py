"""Chart archives in ``charts/``: unpacked in memory, within limits, and not trusted. Pure."""

from __future__ import annotations

import gzip
import io
import posixpath
import re
import tarfile
import zlib
from typing import TYPE_CHECKING

from headgate.engine.reading import mapping
from headgate.errors import HeadgateError, Location, RenderError, TooLargeError, UnsafeFileError
from headgate.repository.tree import MAX_FILES, MAX_FOLDER, MemoryBlob, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headgate.repository.tree import Blob

# Where Helm looks for archives; it ignores names that begin with "_" or ".".
_ARCHIVE = re.compile(r"(?P<parent>(?:charts/[^/]+/)*charts)/(?P<stem>[^/_.][^/]*)\.tgz")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
# A tar file has headers and padding in addition to the content of its files.
_MAX_TAR = MAX_FOLDER + MAX_FILES * 4096
_MAX_NESTING = 10


def without_archives(files: Tree, label: str, owner: str, depth: int = 0) -> Tree:
    """Return a chart's files with each archive in a ``charts/`` folder replaced by its files.

    They go to a folder named like the chart, or like the archive if that folder exists. Raises UnsafeFileError for
    an archive with anything but plain files in a single folder, TooLargeError above the limits of a folder,
    RenderError for an invalid archive.
    """
    archives = [match for match in map(_ARCHIVE.fullmatch, files.paths()) if match]
    if not archives:
        return files
    if depth > _MAX_NESTING:
        raise TooLargeError(f"archives nested deeper than {_MAX_NESTING}", where=Location(f"{label}/{archives[0][0]}"))
    packed = {match[0] for match in archives}
    blobs: dict[str, Blob] = {path: files.blob(path) for path in files.paths() if path not in packed}
    for match in archives:
        where = Location(f"{label}/{match[0]}")
        unpacked = unpack(files.read(match[0]), where)
        folder = f"{match['parent']}/{chart_name(unpacked, owner)}"
        if folder.endswith("/") or any(path.startswith(f"{folder}/") for path in blobs):
            folder = f"{match['parent']}/{match['stem']}"
        blobs |= {f"{folder}/{path}": MemoryBlob(data) for path, data in unpacked.items()}
        _check_total(blobs.values(), where)
    return without_archives(Tree(blobs), label, owner, depth + 1)


def chart_name(files: Mapping[str, bytes], owner: str) -> str:
    """Return the name in a chart's Chart.yaml if it can be a folder name, else an empty string."""
    try:
        name = mapping(files.get("Chart.yaml", b""), "Chart.yaml", owner=owner).get("name")
    except HeadgateError:
        return ""
    return name if isinstance(name, str) and _NAME.fullmatch(name) else ""


def unpack(data: bytes, where: Location) -> dict[str, bytes]:
    """Return the files of a chart archive without their common folder. Raises the errors of `without_archives`."""
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(_decompressed(data, where)), mode="r:") as archive:
            for member in archive:
                if member.isdir():
                    continue
                path = _path(member, where)  # first, since only plain files have content
                files[path] = _content(archive, member)
                if len(files) > MAX_FILES:
                    raise TooLargeError(f"the archive contains more than {MAX_FILES} files", where=where)
    except (tarfile.TarError, EOFError, OSError, ValueError, zlib.error) as error:
        raise RenderError(f"not a chart archive: {error}", where=where) from None
    return files


def _decompressed(data: bytes, where: Location) -> bytes:
    """Decompress before parsing: the headers of a tar file may claim, and have, any size."""
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        content = stream.read(_MAX_TAR + 1)
    if len(content) > _MAX_TAR:
        raise TooLargeError("the unpacked archive exceeds the size limit", where=where)
    return content


def _path(member: tarfile.TarInfo, where: Location) -> str:
    parts = posixpath.normpath(member.name).split("/")
    unsafe = member.name.startswith("/") or ".." in member.name.split("/") or "\\" in member.name
    if not member.isreg() or member.issparse() or unsafe or not member.name.isprintable():
        raise UnsafeFileError(f"the archive contains {member.name!r}, which is not a plain file", where=where)
    if len(parts) == 1:
        raise UnsafeFileError(f"the archive contains {member.name!r} outside the chart's folder", where=where)
    return "/".join(parts[1:])


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    content = archive.extractfile(member)
    return content.read() if content else b""


def _check_total(blobs: Iterable[Blob], where: Location) -> None:
    total = sum(blob.size for blob in blobs if isinstance(blob, MemoryBlob))
    if total > MAX_FOLDER:
        raise TooLargeError("the unpacked archive exceeds the size limit", where=where)
