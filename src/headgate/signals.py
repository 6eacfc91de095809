"""Stop signals: SIGTERM of a cancelled job, SIGINT of Ctrl-C, SIGHUP of a closed terminal.

A signal becomes the exception `Stopped` in the main thread, so that ``with`` and ``finally`` clean up as after an
error. A pipe that closes notifies other threads: `process.run` polls it while it waits.
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
    """A stop signal arrived. No Exception, so that only cleanup code catches it."""

    def __init__(self, received: signal.Signals) -> None:
        """Keep the signal."""
        super().__init__(received.name)
        self.signal = received

    @property
    def code(self) -> int:
        """The exit code as in shells: 128 plus the signal's number."""
        return 128 + self.signal


_received: list[signal.Signals] = []  # empty until the first signal
_pipe = os.pipe()
_deferrals = threading.local()  # ``depth``: number of `deferred` blocks that this thread is in


def pipe() -> int:
    """Return the descriptor of a pipe that hangs up (POLLHUP) on a stop signal."""
    return _pipe[0]


def check() -> None:
    """Raise Stopped after a stop signal, unless the thread is in `deferred`."""
    if _received and not is_deferred():
        raise Stopped(_received[0])


def is_deferred() -> bool:
    """Whether this thread is in `deferred`."""
    return _depth() > 0


@contextmanager
def deferred() -> Iterator[None]:
    """Raise Stopped only after the block, which must not be left half-done."""
    _deferrals.depth = _depth() + 1
    try:
        yield
    finally:
        _deferrals.depth -= 1
    check()


def _depth() -> int:
    return getattr(_deferrals, "depth", 0)


def _receive(number: int, _frame: FrameType | None) -> None:
    if _received:
        return  # cleaning up already
    _received.append(signal.Signals(number))
    os.close(_pipe[1])
    check()


def _report_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Report an exception that code in C swallowed, as Python does, but for Stopped, which the next `check` raises."""
    if not isinstance(unraisable.exc_value, Stopped):
        sys.__unraisablehook__(unraisable)


def handle_signals(work: Callable[[], None]) -> None:
    """Run ``work``; on a stop signal, clean up, print it and exit. Ignored signals stay ignored."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _receive)
    sys.unraisablehook = _report_unraisable
    try:
        work()
    except Stopped as stopped:
        clear = "\r\x1b[K" if sys.stderr.isatty() else ""  # the progress line
        print(f"{clear}stopped by {stopped.signal.name}", file=sys.stderr)  # noqa: T201
        sys.exit(stopped.code)
