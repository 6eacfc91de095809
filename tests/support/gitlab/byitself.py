"""Pipelines that run by themselves, as on a GitLab with runners; elsewhere tests say when, with ``settle()``."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from support.gitlab import pipelines
from support.gitlab.double import Double

_SECONDS = 0.05


@contextmanager
def running(double: Double) -> Iterator[None]:
    """Run what is set off, for as long as the block lasts. Raises AssertionError for the double's own faults."""
    stopped, wrong = threading.Event(), []

    def work() -> None:
        while not stopped.wait(_SECONDS):
            try:
                pipelines.settle(double)
            except Exception:  # noqa: BLE001  told below; the others go on
                wrong.append(traceback.format_exc())

    thread = threading.Thread(target=work, name="runners", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
    assert not wrong, "\n".join(wrong)
