"""A long-running program that answers lines with lines: the engine, or the process that renders Jinja2."""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import select
import sys
import time
from collections import deque
from typing import TYPE_CHECKING

from headgate import process, signals

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

_CHUNK = 1 << 20
_PIPE = 1 << 20
"""Size of a pipe, so that the program can continue while this process handles its answers."""
_MAX_STDERR = 1 << 16
_LAST_SECONDS = 5
_PRECISION = 0.1
"""The error of processor time, in seconds."""


class EndedError(Exception):
    """The program ended before it answered. ``code`` is negative for the signal that ended it. It was ended when a
    line of its output was too long (``is_too_long``).
    """

    def __init__(self, code: int, stderr: str, *, is_too_long: bool = False) -> None:
        """Keep its exit code and standard error."""
        super().__init__(f"ended with {code}")
        self.code = code
        self.stderr = stderr
        self.is_too_long = is_too_long


class Dialogue:
    """A running program. Input waits here until the program reads it, so that neither side blocks the other."""

    def __init__(self, args: Sequence[str], env: Mapping[str, str], max_line: int = 0) -> None:
        """Start it with exactly this environment. A line of its output has at most ``max_line`` bytes (0: no limit).

        Raises ToolError when it cannot run.
        """
        self._child = process.start_piped(args, env)
        self._stdin, self._stdout, self._stderr = (
            process.descriptor(stream) for stream in (self._child.stdin, self._child.stdout, self._child.stderr)
        )
        _widen(self._stdin)
        _widen(self._stdout)
        self._pending = bytearray()
        self._partial = bytearray()
        self._stderr_text = bytearray()
        self._open = {self._stdout, self._stderr}
        self._max_line, self._is_too_long = max_line, False
        self.lines: deque[bytes] = deque()

    def send(self, line: bytes) -> None:
        """Send a line, including its newline."""
        self._pending += line

    @property
    def ended(self) -> bool:
        """Whether its output has ended."""
        return self._stdout not in self._open

    def end(self) -> EndedError:
        """End the program, and return how it ended."""
        if self.ended:
            process.wait(self._child, _LAST_SECONDS)
            self._read_stderr()
        self.close()
        stderr = self._stderr_text.decode("utf-8", "replace")
        return EndedError(self._child.returncode, stderr, is_too_long=self._is_too_long)

    def _read_stderr(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._stderr in self._open:
                self.read(self._stderr)

    def close(self) -> None:
        """End the program and its children."""
        if self._child.returncode is None:
            process.end(self._child)
        for stream in (self._child.stdin, self._child.stdout, self._child.stderr):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        self._open.clear()
        self._pending.clear()

    def processor_seconds(self) -> float:
        """Return the processor time that the program has used; 0 where the system does not say."""
        return process.processor_seconds(self._child.pid)

    def register(self, poll: select.poll) -> dict[int, Dialogue]:
        """Register the descriptors to read and write with a poll, and return them."""
        for descriptor in self._open:
            poll.register(descriptor, select.POLLIN)
        if not self._pending:
            return dict.fromkeys(self._open, self)
        poll.register(self._stdin, select.POLLOUT)
        return dict.fromkeys([*self._open, self._stdin], self)

    def transfer(self, descriptor: int) -> None:
        """Read from or write to a descriptor that is ready."""
        if descriptor == self._stdin:
            self._write()
        elif descriptor in self._open:
            self.read(descriptor)

    def _write(self) -> None:
        try:
            written = os.write(self._stdin, self._pending[:_CHUNK])
        except BlockingIOError:
            return
        except BrokenPipeError:  # its output says why
            self._pending.clear()
            return
        del self._pending[:written]

    def read(self, descriptor: int) -> None:
        """Read available output."""
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
            if self._max_line and len(self._partial) > self._max_line:  # it would take this process's memory
                self._is_too_long = True
                self._partial.clear()
                process.end(self._child)
                self._open.discard(self._stdout)
        elif len(self._stderr_text) < _MAX_STDERR:
            self._stderr_text += data


class Stopwatch:
    """Measures work in processor time, so that a verdict does not depend on what else the machine does.

    A program that waits instead of working is caught by the clock, at twice the time.
    """

    def __init__(self, worked: Callable[[], float]) -> None:
        """Start it. ``worked`` returns the processor time used since any fixed moment."""
        self._worked = worked
        self._read_at = -math.inf
        self.restart()

    def restart(self) -> None:
        """Count from now on."""
        self._since = time.monotonic()
        if self._since - self._read_at > _PRECISION:  # the system takes its time to answer
            self._read_at, self._worked_before = self._since, self._worked()

    def left(self, seconds: float) -> float:
        """Return how long the program may at least go on with so much processor time; 0 or less if no longer."""
        passed = time.monotonic() - self._since
        if passed < seconds:
            return seconds - passed
        return min(2 * seconds - passed, seconds - (self._worked() - self._worked_before))


def _widen(descriptor: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # the kernel limits the number of large pipes per user
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE)


def exchange(dialogues: Collection[Dialogue], seconds: float) -> None:
    """Wait until a program reads or writes, for at most ``seconds``. Raises Stopped."""
    poll = select.poll()
    owners: dict[int, Dialogue] = {}
    for dialogue in dialogues:
        owners |= dialogue.register(poll)
    poll.register(signals.pipe(), select.POLLIN)
    for descriptor, _ in poll.poll(max(0.0, seconds) * 1000):
        if descriptor in owners:
            owners[descriptor].transfer(descriptor)
    signals.check()
