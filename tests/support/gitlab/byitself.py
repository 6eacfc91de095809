"""Pipelines that run by themselves, as on a GitLab with runners; elsewhere tests say when, with ``settle()``."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from support.gitlab import pipelines
from support.gitlab.double import Double

_SECONDS = 0.05


@contextmanager
def repeating(work: Callable[[threading.Event], object], name: str, seconds: float) -> Iterator[None]:
    """Do something again and again, for as long as the block lasts: then the event is set that it gets.

    Raises AssertionError in the end for what it raised.
    """
    stopped, wrong = threading.Event(), []

    def repeat() -> None:
        while not stopped.wait(seconds):
            try:
                work(stopped)
            except Exception:  # noqa: BLE001  told below; the others go on
                wrong.append(traceback.format_exc())

    thread = threading.Thread(target=repeat, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
    assert not wrong, "\n".join(wrong)


def running(double: Double) -> AbstractContextManager[None]:
    """Run what is set off, for as long as the block lasts. Raises AssertionError for the double's own faults."""
    return repeating(lambda _: pipelines.settle(double), "runners", _SECONDS)
