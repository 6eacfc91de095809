"""A running ``git cat-file`` that answers all questions about a repository's objects, in place of a process for each.

https://git-scm.com/docs/git-cat-file#_batch_output
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import threading
import weakref
from typing import IO, TYPE_CHECKING, NamedTuple

from headgate import process, signals
from headgate.errors import GitError, Location
from headgate.repository.gitconfig import OVERRIDES, environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_MANY = 256
"""So many names fit into a pipe, so that git never waits for us to read while we wait for it to read. More of them are
read quicker by a process of their own, which need not answer each at once."""
_NONE = (b" missing", b" ambiguous")
_LAST_SECONDS = 5


class StoredObject(NamedTuple):
    """An object: id, kind, size in bytes, and its content where that was asked for."""

    oid: str
    kind: str
    size: int
    content: bytes


class _Expected(NamedTuple):
    """How many answers a question gets, and whether with contents."""

    answers: int
    contents: bool


class CatFile:
    """Starts with the first question, and ends with `close` or with the last reference to it."""

    def __init__(self, folder: Path) -> None:
        """Start nothing yet."""
        self._folder = folder
        self._args = ["git", *OVERRIDES, "cat-file", "--batch-command"]
        self._lock = threading.Lock()
        self._running: tuple[process.Child, IO[bytes]] | None = None

    def info(self, names: Sequence[str]) -> list[StoredObject | None]:
        """Return the object of each id or revision without its content, None where there is none. Raises GitError."""
        return self._query("info", names)

    def contents(self, names: Sequence[str]) -> list[StoredObject | None]:
        """Return the same with their contents."""
        return self._query("contents", names)

    def _query(self, command: str, names: Sequence[str]) -> list[StoredObject | None]:
        if any("\n" in name for name in names):
            raise GitError("a newline in the name of a revision", where=Location(str(self._folder)))
        if not names:
            return []
        question = "".join(f"{command} {name}\n" for name in names).encode("utf-8", "surrogateescape")
        expected = _Expected(len(names), contents=command == "contents")
        with self._lock:
            if len(names) > _MANY:
                return self._answers_of_another(question, expected)
            return self._answers(question, expected)

    def close(self) -> None:
        """End the process; the next question starts another one."""
        if self._running:
            self._end()
        self._running = None

    def _answers_of_another(self, question: bytes, expected: _Expected) -> list[StoredObject | None]:
        try:
            done = process.run(
                [*self._args, "--buffer"], env=environment(self._folder), cwd=self._folder, stdin=question
            )
            return list(_parsed(io.BytesIO(done.stdout), expected))
        except (process.ProcessError, ValueError) as error:
            raise self._error(error.stderr if isinstance(error, process.ProcessError) else "") from None

    def _answers(self, question: bytes, expected: _Expected) -> list[StoredObject | None]:
        signals.check()
        child, errors = self._running = self._running or self._start()
        is_complete = False
        try:
            answers = list(_exchange(child, question, expected))
            is_complete = True
        except (OSError, ValueError):
            process.wait(child, _LAST_SECONDS)
            errors.seek(0)
            raise self._error(errors.read().decode("utf-8", "replace")) from None
        finally:
            if not is_complete:  # what is still in its pipes answers no later question
                self.close()
        return answers

    def _error(self, stderr: str) -> GitError:
        reason = stderr.strip().removeprefix("fatal: ") or "it ended early"
        hint = "install git 2.36 or newer" if "unknown option" in reason else ""
        return GitError(f"git cat-file failed: {reason}", where=Location(str(self._folder)), hint=hint)

    def _start(self) -> tuple[process.Child, IO[bytes]]:
        errors = tempfile.TemporaryFile()  # noqa: SIM115  _end closes it
        child = process.start_piped(self._args, environment(self._folder), cwd=self._folder, errors=errors)
        self._end = weakref.finalize(self, _end, child, errors)
        return child, errors


def _exchange(child: process.Child, question: bytes, expected: _Expected) -> Iterator[StoredObject | None]:
    """Ask, and read the answers. Raises OSError or ValueError when the process ended."""
    if not child.stdin or not child.stdout:
        raise ValueError("no pipes")
    child.stdin.write(question)
    child.stdin.flush()
    return _parsed(child.stdout, expected)


def _parsed(output: IO[bytes], expected: _Expected) -> Iterator[StoredObject | None]:
    for _ in range(expected.answers):
        header = output.readline()
        if header[:-1].endswith(_NONE):
            yield None
            continue
        oid, kind, size = header.decode().split(" ")
        content = output.read(int(size) + 1) if expected.contents else b"\n"
        if not content.endswith(b"\n") or len(content) != (int(size) + 1 if expected.contents else 1):
            raise ValueError("cut off")
        yield StoredObject(oid, kind, int(size), content[:-1])


def _end(child: process.Child, errors: IO[bytes]) -> None:
    process.end(child)
    for stream in (child.stdin, child.stdout, errors):
        with contextlib.suppress(OSError):  # what it did not read any more
            stream.close()  # type: ignore[union-attr]
