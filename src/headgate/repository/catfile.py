"""A running ``git cat-file`` that answers all questions about a repository's objects, in place of a process for each.

https://git-scm.com/docs/git-cat-file#_batch_output
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
import weakref
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from headgate import process, signals
from headgate.errors import GitError, Location
from headgate.repository.gitconfig import OVERRIDES, environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# So many names fit into a pipe, so that git never waits for us to read while we wait for it to read.
_MANY = 256
_NONE = (b" missing", b" ambiguous")
_LAST_SECONDS = 5


@dataclass(frozen=True)
class StoredObject:
    """An object: id, kind, size in bytes, and its content where that was asked for."""

    oid: str
    kind: str
    size: int
    content: bytes


class CatFile:
    """Starts with the first question, and ends with `close` or with the last reference to it."""

    def __init__(self, folder: Path, *, contents: bool) -> None:
        """Start nothing yet. With ``contents`` the answers have them."""
        self._folder, self._contents = folder, contents
        self._lock = threading.Lock()
        self._running: tuple[process.Child, IO[bytes]] | None = None

    def read(self, names: Sequence[str]) -> list[StoredObject | None]:
        """Return the object of each id or revision, None where there is none. Raises GitError."""
        if any("\n" in name for name in names):
            raise GitError("a newline in the name of a revision", where=Location(str(self._folder)))
        with self._lock:
            parts = (names[start : start + _MANY] for start in range(0, len(names), _MANY))
            return [answer for part in parts for answer in self._answers(part)]

    def close(self) -> None:
        """End the process; the next question starts another one."""
        if self._running:
            self._end()
        self._running = None

    def _answers(self, names: Sequence[str]) -> list[StoredObject | None]:
        signals.check()
        child, errors = self._running = self._running or self._start()
        is_complete = False
        try:
            answers = list(_exchange(child, names, contents=self._contents))
            is_complete = True
        except (OSError, ValueError):
            process.wait(child, _LAST_SECONDS)
            errors.seek(0)
            reason = errors.read().decode("utf-8", "replace").strip().removeprefix("fatal: ") or "it ended early"
            raise GitError(f"git cat-file failed: {reason}", where=Location(str(self._folder))) from None
        finally:
            if not is_complete:  # what is still in its pipes answers no later question
                self.close()
        return answers

    def _start(self) -> tuple[process.Child, IO[bytes]]:
        errors = tempfile.TemporaryFile()  # noqa: SIM115  _end closes it
        args = ["git", *OVERRIDES, "cat-file", "--batch" if self._contents else "--batch-check"]
        child = process.start_piped(args, environment(self._folder), cwd=self._folder, errors=errors)
        self._end = weakref.finalize(self, _end, child, errors)
        return child, errors


def _exchange(child: process.Child, names: Sequence[str], *, contents: bool) -> Iterator[StoredObject | None]:
    """Ask and read. Raises OSError or ValueError when the process ended."""
    if not child.stdin or not child.stdout:
        raise ValueError("no pipes")
    child.stdin.write("".join(f"{name}\n" for name in names).encode("utf-8", "surrogateescape"))
    child.stdin.flush()
    for _ in names:
        header = child.stdout.readline()
        if header[:-1].endswith(_NONE):
            yield None
            continue
        oid, kind, size = header.decode().split(" ")
        content = child.stdout.read(int(size) + 1) if contents else b"\n"
        if not content.endswith(b"\n") or len(content) != (int(size) + 1 if contents else 1):
            raise ValueError("cut off")
        yield StoredObject(oid, kind, int(size), content[:-1])


def _end(child: process.Child, errors: IO[bytes]) -> None:
    process.end(child)
    for stream in (child.stdin, child.stdout, errors):
        with contextlib.suppress(OSError):  # what it did not read any more
            stream.close()  # type: ignore[union-attr]
