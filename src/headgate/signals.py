"""Being told to stop: SIGTERM of a cancelled job, SIGINT of Ctrl-C, SIGHUP of a closed terminal.

A signal becomes the exception `Stopped` in the main thread, so that ``with`` and ``finally`` clean up as they do
after an error. Other threads learn of it from a pipe that closes: `process.run` looks at it while it waits.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stopped(BaseException):
    """Somebody told this process to stop. No error: nothing catches it but who cleans up."""

    def __init__(self, received: signal.Signals) -> None:
        """Keep which signal it was."""
        super().__init__(received.name)
        self.signal = received

    @property
    def code(self) -> int:
        """The exit code, as shells have it: 128 and the signal's number."""
        return 128 + self.signal


_told: list[signal.Signals] = []  # empty until a signal came
_pipe = os.pipe()
_held = threading.local()  # how many `deferred` this thread is in


def pipe() -> int:
    """Return the descriptor of a pipe that hangs up (POLLHUP) when this process is told to stop."""
    return _pipe[0]


def check() -> None:
    """Raise Stopped when this process was told to stop, unless the thread is in `deferred`."""
    if _told and not is_put_off():
        raise Stopped(_told[0])


def is_put_off() -> bool:
    """Whether this thread is in `deferred`."""
    return _depth() > 0


@contextmanager
def deferred() -> Iterator[None]:
    """Let the block end before Stopped is raised: what is half done at its end must not be."""
    _held.depth = _depth() + 1
    try:
        yield
    finally:
        _held.depth -= 1
    check()


def _depth() -> int:
    return getattr(_held, "depth", 0)


def _receive(number: int, _frame: FrameType | None) -> None:
    if _told:
        return  # cleaning up already
    _told.append(signal.Signals(number))
    os.close(_pipe[1])
    check()


def handle_signals(work: Callable[[], None]) -> None:
    """Run ``work``; when told to stop, clean up, say so in a line, and exit. A signal that is ignored stays so."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _receive)
    try:
        work()
    except Stopped as stopped:
        begin = "\r\x1b[K" if sys.stderr.isatty() else ""  # over the line that shows progress
        print(f"{begin}stopped by {stopped.signal.name}", file=sys.stderr)  # noqa: T201
        sys.exit(stopped.code)
