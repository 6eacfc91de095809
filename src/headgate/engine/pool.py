"""The engine's processes: one for each owner, so that no app shares one with another; kept for a while.

Those who ask for one thing at a time use `call`, those who ask for many `converse`, which keeps all processors busy.
"""

from __future__ import annotations

import atexit
from collections import deque
from typing import TYPE_CHECKING

from headgate import process
from headgate.engine.budget import USUAL
from headgate.engine.dialogue import EndedError, exchange
from headgate.engine.protocol import Answer, engine_command, validator_command
from headgate.engine.worker import Worker, not_locked, out_of_time, why_it_ended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from headgate.engine.budget import Budget
    from headgate.engine.protocol import Request
    from headgate.errors import HeadgateError

_IDLE = 4  # processes that wait for their owner to come again, the platform's among them
_SHARE = 8  # requests of the platform from which on a second process of the engine pays
_SHARE_SLOW = 500  # and of another program: Python takes longer to start

_KEPT = (engine_command, validator_command)
"""Programs whose processes are kept: what they have read and compiled serves the next requests."""
_idle: list[tuple[str, Worker]] = []  # the longest idle first
_sandbox = {"required": True}


def require_sandbox(*, required: bool) -> None:
    """Say whether what an app owns is refused where an engine could not lock itself in."""
    _sandbox["required"] = required


def sandbox_is_required() -> bool:
    """Whether it is."""
    return _sandbox["required"]


def close_all() -> None:
    """End all processes that wait."""
    while _idle:
        _idle.pop()[1].close()


atexit.register(close_all)


def status() -> tuple[bool, str]:
    """Return whether the engine is locked in here, and if not, why."""
    worker = _borrow("", USUAL)
    try:
        return worker.sandboxed, str(worker.greeting.get("reason", ""))
    finally:
        _give_back("", worker)


def start_ahead(command: Callable[[Budget, int], list[str]] = engine_command, budget: Budget = USUAL) -> None:
    """Start a process for the platform's files, so that it is ready when the first one is to be read."""
    _give_back("", _borrow("", budget, command))


def call(request: Request) -> Answer:
    """Return the answer to one request."""
    ((_, answer),) = converse([request])  # to its end, where the process is kept for the next one
    return answer


def converse(requests: Iterable[Request]) -> Iterator[tuple[Request, Answer]]:
    """Yield each request with its answer, as they come.

    Raises ToolError when there is no engine, and Stopped when this process is told to stop.
    """
    lanes = deque(_lanes(requests))
    active: list[_Lane] = []
    try:
        while lanes or active:
            while lanes and len(active) <= process.processors():  # one more, which starts while the others work
                active.append(lanes.popleft())
                active[-1].start()
            yield from _answers(active, lanes)
            active = [lane for lane in active if lane.worker is not None]
    finally:
        for lane in active:
            lane.drop()


def _lanes(requests: Iterable[Request]) -> list[_Lane]:
    """Group requests by who owns their inputs; the platform's go into as many processes as there are processors."""
    groups: dict[tuple[str, object], list[Request]] = {}
    for request in requests:
        groups.setdefault((request.owner, request.command), []).append(request)
    lanes = []
    for (owner, command), own in groups.items():
        share = _SHARE if command is engine_command else _SHARE_SLOW
        parts = 1 if owner or len(own) < share else process.processors()
        size = -(-len(own) // parts)
        lanes += [_Lane(owner, own[at : at + size]) for at in range(0, len(own), size)]
    return lanes


class _Lane:
    """Requests of one owner, one after another in one process."""

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
            self.worker.ask(request)

    def drop(self) -> None:
        if self.worker is not None:
            self.worker.close()
            self.worker = None


def _answers(active: list[_Lane], lanes: deque[_Lane]) -> Iterator[tuple[Request, Answer]]:
    """Wait until something comes, and yield all that came; put what is to be tried again among the lanes."""
    running = [(lane, lane.worker) for lane in active if lane.worker is not None]
    if not any(worker.dialogue.lines or worker.dialogue.ended for _, worker in running):
        exchange([worker.dialogue for _, worker in running], min(worker.seconds_left for _, worker in running))
    for lane, worker in running:
        try:
            refused = _refusal(lane, worker)
            if refused is not None:
                left = worker.unanswered()
                lane.drop()
                yield from ((request, Answer(error=refused)) for request in left)
                continue
            while (found := worker.take()) is not None:
                yield found
        except EndedError as error:
            yield from _failed(lane, worker, lanes, why_it_ended(error, worker.budget))
            continue
        if not worker.busy:
            lane.worker = None
            _give_back(lane.owner, worker)
        elif worker.seconds_left <= 0:
            yield from _failed(lane, worker, lanes, out_of_time(worker.unanswered()[0].budget))


def _failed(lane: _Lane, worker: Worker, lanes: deque[_Lane], why: HeadgateError) -> Iterator[tuple[Request, Answer]]:
    """A process is gone, or is ended since it takes too long: charge the request that it worked on.

    Where the process had answered others before, that request is tried once more alone, and only that counts.
    """
    left = worker.unanswered()
    shared = worker.answered > 0 or len(left) > 1
    lane.drop()
    if shared and not lane.alone:
        lanes.appendleft(_Lane(lane.owner, left[:1], alone=True))
    else:
        yield left[0], Answer(error=why)
    if left[1:]:
        lanes.append(_Lane(lane.owner, left[1:]))


def _refusal(lane: _Lane, worker: Worker) -> HeadgateError | None:
    if not lane.owner or not worker.greets() or worker.sandboxed or not sandbox_is_required():
        return None
    return not_locked(str(worker.greeting.get("reason", "")))


def _borrow(owner: str, budget: Budget, command: Callable[[Budget, int], list[str]] = engine_command) -> Worker:
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
    while len(_idle) > _IDLE:
        place = next((place for place, (name, _) in enumerate(_idle) if name), 0)
        _idle.pop(place)[1].close()
