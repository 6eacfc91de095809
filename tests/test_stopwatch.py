"""The time of a render is what it works, not what the machine leaves to it."""

from __future__ import annotations

import select
import sys
import time
from typing import TYPE_CHECKING

import pytest

from headgate.engine.dialogue import Dialogue, Stopwatch, exchange

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKS = "print(flush=True)\nwhile True: pass"
WAITS = "import time\nprint(flush=True)\ntime.sleep(60)"


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Iterator[tuple[Dialogue, Stopwatch]]:
    """A program that has started, and a watch on it."""
    dialogue = Dialogue([sys.executable, "-I", "-S", "-c", request.param], {})
    try:
        while not dialogue.lines:
            exchange([dialogue], 10)
        yield dialogue, Stopwatch(dialogue.processor_seconds)
    finally:
        dialogue.close()


def seconds_until_stopped(watch: Stopwatch, seconds: float) -> float:
    began = time.monotonic()
    while watch.left(seconds) > 0:
        select.select([], [], [], 0.01)
    return time.monotonic() - began


@pytest.mark.parametrize("started", [WORKS], indirect=True)
def test_work_is_charged_as_it_is_done(started: tuple[Dialogue, Stopwatch]) -> None:
    dialogue, watch = started
    before = dialogue.processor_seconds()
    while dialogue.processor_seconds() < before + 0.3:
        select.select([], [], [], 0.01)
    assert watch.left(0.3) <= 0
    assert 0 < watch.left(60) <= 59.7


@pytest.mark.parametrize("started", [WAITS], indirect=True)
def test_waiting_is_charged_at_half(started: tuple[Dialogue, Stopwatch]) -> None:
    assert 0.58 < seconds_until_stopped(started[1], 0.3) < 5


@pytest.mark.parametrize("started", [WAITS], indirect=True)
def test_watch_begins_anew(started: tuple[Dialogue, Stopwatch]) -> None:
    _, watch = started
    seconds_until_stopped(watch, 0.1)
    watch.restart()
    assert watch.left(0.1) > 0


def test_a_line_without_end_ends_the_program_and_takes_no_memory() -> None:
    dialogue = Dialogue([sys.executable, "-I", "-S", "-c", "while True: print('a' * 100000, end='')"], {}, 1 << 20)
    try:
        while not dialogue.ended:
            exchange([dialogue], 10)
        assert dialogue.end().is_too_long
        assert not dialogue.lines
    finally:
        dialogue.close()
