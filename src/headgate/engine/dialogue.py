"""A program that stays and answers lines with lines: the engine, and the process that renders Jinja2."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import sys
from collections import deque
from typing import TYPE_CHECKING

from headgate import process, signals

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_CHUNK = 1 << 20
_PIPE = 1 << 20
"""Bytes that wait in a pipe, so that the program works on while its answers are looked at here."""
_MAX_STDERR = 1 << 16
_LAST_SECONDS = 5


class EndedError(Exception):
    """The program ended before it answered. ``code`` is negative for the signal that ended it."""

    def __init__(self, code: int, stderr: str) -> None:
        """Keep its last words."""
        super().__init__(f"ended with {code}")
        self.code = code
        self.stderr = stderr


class Dialogue:
    """A running program. What it is told waits here until it reads, so that neither side blocks the other."""

    def __init__(self, args: Sequence[str], env: Mapping[str, str]) -> None:
        """Start it, with this environment and no other. Raises ToolError when it cannot be run."""
        self._child = process.start_piped(args, env)
        self._stdin, self._stdout, self._stderr = (
            process.descriptor(stream) for stream in (self._child.stdin, self._child.stdout, self._child.stderr)
        )
        _widen(self._stdin)
        _widen(self._stdout)
        self._pending = bytearray()
        self._partial = bytearray()
        self._words = bytearray()
        self._open = {self._stdout, self._stderr}
        self.lines: deque[bytes] = deque()

    def send(self, line: bytes) -> None:
        """Tell it a line, which ends with a newline."""
        self._pending += line

    @property
    def ended(self) -> bool:
        """Whether it will say no more."""
        return self._stdout not in self._open

    def end(self) -> EndedError:
        """End it, and tell how it ended."""
        if self.ended:
            process.wait(self._child, _LAST_SECONDS)
            self._drain()
        self.close()
        return EndedError(self._child.returncode, self._words.decode("utf-8", "replace"))

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._stderr in self._open:
                self.read(self._stderr)

    def close(self) -> None:
        """End it with all that it started."""
        if self._child.returncode is None:
            process.end(self._child)
        for stream in (self._child.stdin, self._child.stdout, self._child.stderr):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        self._open.clear()
        self._pending.clear()

    def register(self, poll: select.poll) -> dict[int, Dialogue]:
        """Let a poll wait for what can be read and written, and say whose descriptors these are."""
        for descriptor in self._open:
            poll.register(descriptor, select.POLLIN)
        if not self._pending:
            return dict.fromkeys(self._open, self)
        poll.register(self._stdin, select.POLLOUT)
        return dict.fromkeys([*self._open, self._stdin], self)

    def go_on(self, descriptor: int) -> None:
        """Read or write what can be now."""
        if descriptor == self._stdin:
            self._write()
        elif descriptor in self._open:
            self.read(descriptor)

    def _write(self) -> None:
        try:
            written = os.write(self._stdin, self._pending[:_CHUNK])
        except BlockingIOError:
            return
        except BrokenPipeError:  # its output tells why
            self._pending.clear()
            return
        del self._pending[:written]

    def read(self, descriptor: int) -> None:
        """Take what it said."""
        data = os.read(descriptor, _CHUNK)
        if not data:
            self._open.discard(descriptor)
        elif descriptor == self._stdout:
            *complete, rest = data.split(b"\n")
            if complete:
                self.lines.append(bytes(self._partial) + complete[0])
                self.lines.extend(complete[1:])
                self._partial.clear()
            self._partial += rest
        elif len(self._words) < _MAX_STDERR:
            self._words += data


def _widen(descriptor: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # an ordinary user may have so many of such pipes, and no more
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE)


def exchange(dialogues: Collection[Dialogue], seconds: float) -> None:
    """Wait until one of the programs reads or says something, for at most ``seconds``. Raises Stopped."""
    poll = select.poll()
    owners: dict[int, Dialogue] = {}
    for dialogue in dialogues:
        owners |= dialogue.register(poll)
    poll.register(signals.pipe(), select.POLLIN)
    for descriptor, _ in poll.poll(max(0.0, seconds) * 1000):
        if descriptor in owners:
            owners[descriptor].go_on(descriptor)
    signals.check()
