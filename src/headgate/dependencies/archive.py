"""Charts that lie as archives in ``charts/``: unpacked in memory, within limits, as hostile as any archive. Pure."""

from __future__ import annotations

import gzip
import io
import posixpath
import re
import tarfile
import zlib
from typing import TYPE_CHECKING

from headgate.engine.reading import documents
from headgate.errors import HeadgateError, Location, RenderError, TooLargeError, UnsafeFileError
from headgate.repository.tree import MAX_FILES, MAX_FOLDER, MemoryBlob, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headgate.repository.tree import Blob

# Where Helm looks for archives; it passes over names that begin with "_" or ".".
_ARCHIVE = re.compile(r"(?P<parent>(?:charts/[^/]+/)*charts)/(?P<stem>[^/_.][^/]*)\.tgz")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
# Headers and padding of a tar file, beyond what its files have.
_MAX_TAR = MAX_FOLDER + MAX_FILES * 4096
_MAX_NESTING = 10


def without_archives(files: Tree, label: str, owner: str, depth: int = 0) -> Tree:
    """Return a chart's files with each archive in a ``charts/`` folder replaced by what it holds.

    What an archive holds goes into the folder of the chart's name beside it, or of the archive's name where that
    one is taken. Raises UnsafeFileError for an archive that holds anything but plain files below one folder,
    TooLargeError above the limits of a folder, RenderError for what is no archive.
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
    """Return the name in a chart's Chart.yaml, or an empty string when it has none that can be a folder."""
    try:
        read = documents(files.get("Chart.yaml", b""), "Chart.yaml", owner=owner)
    except HeadgateError:
        return ""
    name = read[0].data.get("name") if read and isinstance(read[0].data, dict) else None
    return name if isinstance(name, str) and _NAME.fullmatch(name) else ""


def unpack(data: bytes, where: Location) -> dict[str, bytes]:
    """Return the files of a chart's archive, without the folder that all of them are in.

    Raises what `without_archives` does.
    """
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(_decompressed(data, where)), mode="r:") as archive:
            for member in archive:
                if member.isdir():
                    continue
                path = _path(member, where)  # first, since only a plain file has a content of its own
                files[path] = _content(archive, member)
                if len(files) > MAX_FILES:
                    raise TooLargeError(f"the archive holds more than {MAX_FILES} files", where=where)
    except (tarfile.TarError, EOFError, OSError, ValueError, zlib.error) as error:
        raise RenderError(f"not a chart archive: {error}", where=where) from None
    return files


def _decompressed(data: bytes, where: Location) -> bytes:
    """Decompress before anything is parsed: the headers of a tar file may claim, and have, any size."""
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        content = stream.read(_MAX_TAR + 1)
    if len(content) > _MAX_TAR:
        raise TooLargeError("the archive unpacks to more than may be read", where=where)
    return content


def _path(member: tarfile.TarInfo, where: Location) -> str:
    parts = posixpath.normpath(member.name).split("/")
    unsafe = member.name.startswith("/") or ".." in member.name.split("/") or "\\" in member.name
    if not member.isreg() or member.issparse() or unsafe or not member.name.isprintable():
        raise UnsafeFileError(f"the archive holds {member.name!r}, which is no plain file", where=where)
    if len(parts) == 1:
        raise UnsafeFileError(f"the archive holds {member.name!r} beside the chart's folder", where=where)
    return "/".join(parts[1:])


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    content = archive.extractfile(member)
    return content.read() if content else b""


def _check_total(blobs: Iterable[Blob], where: Location) -> None:
    total = sum(blob.size for blob in blobs if isinstance(blob, MemoryBlob))
    if total > MAX_FOLDER:
        raise TooLargeError("the archive unpacks to more than may be read", where=where)
