"""The engine's processes: one per owner, so that apps never share one; reused for a while.

`call` sends a single request, `converse` sends many and keeps all processors busy.
"""

from __future__ import annotations

import atexit
from collections import deque
from functools import cache
from typing import TYPE_CHECKING

from headgate import process
from headgate.engine.budget import USUAL
from headgate.engine.dialogue import EndedError, exchange
from headgate.engine.protocol import Answer, engine_command, reader_command, validator_command
from headgate.engine.worker import Worker, ended_error, sandbox_error, timeout_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from headgate.engine.budget import Budget
    from headgate.engine.protocol import Request
    from headgate.errors import HeadgateError

_MAX_IDLE = 6
_SHARES: dict[object, int] = {engine_command: 8, reader_command: 8, validator_command: 100}
"""The number of platform requests that justifies another process; the validator starts slowest."""
_SHARE_SLOW = 1000
"""The same for the Jinja2 process, which starts slowest and renders quickly."""

_KEPT = (engine_command, reader_command, validator_command)
"""Programs whose processes are kept: what they have read and compiled serves the next requests."""
_idle: list[tuple[str, Worker]] = []  # by owner, longest idle first
_sandbox = {"required": True}


def require_sandbox(*, required: bool) -> None:
    """Set whether inputs of apps are refused when the engine could not lock itself in."""
    _sandbox["required"] = required


def sandbox_is_required() -> bool:
    """Return what `require_sandbox` set."""
    return _sandbox["required"]


def close_all() -> None:
    """End all idle processes."""
    while _idle:
        _idle.pop()[1].close()


atexit.register(close_all)


def status() -> tuple[bool, str]:
    """Return whether the engine is locked in, and the reason if not."""
    worker = _borrow("", USUAL, reader_command)
    try:
        return worker.sandboxed, str(worker.greeting.get("reason", ""))
    finally:
        _give_back("", worker)


@cache
def build() -> str:
    """Return the id of the sources that the engine was built from."""
    worker = _borrow("", USUAL, reader_command)
    try:
        return str(worker.greeting["build"])
    finally:
        _give_back("", worker)


def start_ahead(command: Callable[[Budget, int], list[str]] = reader_command) -> None:
    """Start a process for the platform's files before the first one is read."""
    _give_back("", _borrow("", USUAL, command))


def call(request: Request) -> Answer:
    """Return the answer to one request."""
    ((_, answer),) = converse([request])  # exhausts the generator, which then keeps the process
    return answer


def converse(requests: Iterable[Request]) -> Iterator[tuple[Request, Answer]]:
    """Yield each request with its answer, in order of arrival.

    Raises ToolError when the engine is missing, Stopped when this process receives a stop signal.
    """
    lanes = deque(_lanes(requests))
    active: list[_Lane] = []
    try:
        while lanes or active:
            while lanes and len(active) <= process.processors():  # plus one that starts while the others work
                active.append(lanes.popleft())
                active[-1].start()
            yield from _answers(active, lanes)
            active = [lane for lane in active if lane.worker is not None]
    finally:
        for lane in active:
            lane.drop()


def _lanes(requests: Iterable[Request]) -> list[_Lane]:
    """Group requests by the owner of their inputs; the platform's are spread over all processors."""
    groups: dict[tuple[str, object], list[Request]] = {}
    for request in requests:
        groups.setdefault((request.owner, request.command), []).append(request)
    lanes = []
    for (owner, command), own in groups.items():
        share = _SHARES.get(command, _SHARE_SLOW)
        parts = 1 if owner or len(own) < share else process.processors()
        size = -(-len(own) // parts)
        lanes += [_Lane(owner, own[at : at + size]) for at in range(0, len(own), size)]
    return lanes


class _Lane:
    """Requests of the same owner, in sequence in the same process."""

    def __init__(self, owner: str, requests: list[Request], *, alone: bool = False) -> None:
        self.owner, self.requests, self.alone = owner, requests, alone
        self.worker: Worker | None = None

    def start(self) -> None:
        first = self.requests[0]
        if first.command in _KEPT and not self.alone:
            self.worker = _borrow(self.owner, first.budget, first.command)
        else:
            self.worker = Worker(first.budget, first.command, len(self.requests))
        for request in self.requests:
            self.worker.submit(request)

    def drop(self) -> None:
        if self.worker is not None:
            self.worker.close()
            self.worker = None


def _answers(active: list[_Lane], lanes: deque[_Lane]) -> Iterator[tuple[Request, Answer]]:
    """Wait for answers and yield them; add requests to retry to the lanes."""
    running = [(lane, lane.worker) for lane in active if lane.worker is not None]
    if not any(worker.dialogue.lines or worker.dialogue.ended for _, worker in running):
        exchange([worker.dialogue for _, worker in running], min(worker.seconds_left for _, worker in running))
    for lane, worker in running:
        try:
            refusal = _refusal(lane, worker)
            if refusal is not None:
                left = worker.unanswered()
                lane.drop()
                yield from ((request, Answer(error=refusal)) for request in left)
                continue
            while (answered := worker.take()) is not None:
                yield answered
        except EndedError as error:
            yield from _failed(lane, worker, lanes, ended_error(error, worker.budget))
            continue
        if not worker.busy:
            lane.worker = None
            _give_back(lane.owner, worker)
        elif worker.seconds_left <= 0:
            yield from _failed(lane, worker, lanes, timeout_error(worker.unanswered()[0].budget))


def _failed(lane: _Lane, worker: Worker, lanes: deque[_Lane], error: HeadgateError) -> Iterator[tuple[Request, Answer]]:
    """Yield the error for the request that a process worked on when it ended or timed out.

    If the process served other requests too, retry that request alone instead: only this result counts.
    """
    left = worker.unanswered()
    shared = worker.answered > 0 or len(left) > 1
    lane.drop()
    if shared and not lane.alone:
        lanes.appendleft(_Lane(lane.owner, left[:1], alone=True))
    else:
        yield left[0], Answer(error=error)
    if left[1:]:
        lanes.append(_Lane(lane.owner, left[1:]))


def _refusal(lane: _Lane, worker: Worker) -> HeadgateError | None:
    if not lane.owner or not worker.has_greeted() or worker.sandboxed or not sandbox_is_required():
        return None
    return sandbox_error(str(worker.greeting.get("reason", "")))


def _borrow(owner: str, budget: Budget, command: Callable[[Budget, int], list[str]]) -> Worker:
    for place, (name, worker) in enumerate(_idle):
        if (name, worker.command, worker.budget.memory) == (owner, command, budget.memory):
            del _idle[place]
            return worker
    return Worker(budget, command)


def _give_back(owner: str, worker: Worker) -> None:
    if worker.dialogue.ended or worker.command not in _KEPT:
        worker.close()
        return
    _idle.append((owner, worker))
    while len(_idle) > _MAX_IDLE:
        place = next((place for place, (name, _) in enumerate(_idle) if name), 0)
        _idle.pop(place)[1].close()
