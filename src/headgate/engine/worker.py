"""One process of the engine, for the files of one owner."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from headgate import PINNED, PINNED_VALIDATOR, process
from headgate.engine.dialogue import Dialogue, EndedError, exchange
from headgate.engine.protocol import (
    VERSION,
    Answer,
    EngineObject,
    Incoming,
    engine_command,
    request_message,
    tree_message,
    validator_command,
)
from headgate.errors import ExhaustedError, HeadgateError, RenderError, SandboxError, ToolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from headgate.engine.budget import Budget
    from headgate.engine.protocol import Request

_PINNED: dict[object, dict[str, str]] = {engine_command: PINNED, validator_command: PINNED_VALIDATOR}
_START_SECONDS = 60
_AHEAD = 32  # requests that wait in the process, so that it never waits for us


class Worker:
    """A running engine, or another program that speaks its protocol. It answers requests in their order."""

    def __init__(
        self, budget: Budget, command: Callable[[Budget, int], list[str]] = engine_command, requests: int = 1
    ) -> None:
        """Start it within the seconds and the memory of a budget. Raises ToolError when the engine is not there."""
        self.budget, self.command = budget, command
        self.dialogue = Dialogue(command(budget, requests), _ENVIRONMENT)
        self._greeting: dict[str, Any] | None = None
        self._known: dict[str, EngineObject] = {}
        self._trees: set[str] = set()
        self._unsent: deque[Request] = deque()
        self._sent: deque[tuple[Request, Incoming]] = deque()
        self._number = 0
        self._since = time.monotonic()
        self.answered = 0

    @property
    def greeting(self) -> dict[str, Any]:
        """What it said of itself, which may have to be waited for. Raises what `greets` does."""
        while not self.greets():
            exchange([self.dialogue], self.seconds_left)
        return self._greeting or {}

    def greets(self) -> bool:
        """Whether it has begun. Raises ToolError when it is another engine than expected, or could not start."""
        if self._greeting is None and (self.dialogue.lines or self.seconds_left <= 0):
            pinned = _PINNED.get(self.command, {})
            self._greeting = _checked(self.dialogue.lines.popleft() if self.dialogue.lines else b"{}", pinned)
            self._since = time.monotonic()
        elif self._greeting is None and self.dialogue.ended:
            error = self.dialogue.end()
            raise ToolError(f"the engine ended with {error.code} when it started: {error.stderr[:500]}")
        return self._greeting is not None

    @property
    def sandboxed(self) -> bool:
        """Whether it has locked itself in."""
        return bool(self.greeting["sandbox"])

    @property
    def busy(self) -> bool:
        """Whether it has requests to answer."""
        return bool(self._sent or self._unsent)

    def ask(self, request: Request) -> None:
        """Put a request to it, after those that it has."""
        if not self.busy:
            self._since = time.monotonic()
        self._unsent.append(request)
        self._send()

    def _send(self) -> None:
        while self._unsent and len(self._sent) < _AHEAD:
            if self._unsent[0].owner and self._greeting is None:
                return  # what an app wrote is given only to a process that said whether it is locked in
            request = self._unsent.popleft()
            tree = request.tree
            if tree is not None and tree.id not in self._trees:
                self._trees.add(tree.id)
                self.dialogue.send(tree_message(tree))
            self._number += 1
            self.dialogue.send(request_message(self._number, request))
            self._sent.append((request, Incoming(self._known)))

    @property
    def seconds_left(self) -> float:
        """How long its start, or the request that it works on, may still take."""
        seconds: float = _START_SECONDS
        if self._greeting is not None:
            seconds = (self._sent[0][0] if self._sent else self._unsent[0]).budget.seconds
        return self._since + seconds - time.monotonic()

    def take(self) -> tuple[Request, Answer] | None:
        """Return the next answer if it is complete already. Raises EndedError when none will come."""
        if not self.greets():
            return None
        self._send()
        while self.dialogue.lines:
            request, incoming = self._sent[0]
            answer = incoming.take(self.dialogue.lines.popleft())
            if answer is not None:
                self._sent.popleft()
                self._since = time.monotonic()
                self.answered += 1
                self._send()
                return request, answer
        if self.dialogue.ended:
            raise self.dialogue.end()
        return None

    def unanswered(self) -> list[Request]:
        """Return the requests without an answer; it works on the first one."""
        return [request for request, _ in self._sent] + list(self._unsent)

    def close(self) -> None:
        """End it."""
        self.dialogue.close()


def _checked(line: bytes, pinned: dict[str, str]) -> dict[str, Any]:
    greeting: dict[str, Any] = json.loads(line)
    versions = {name: greeting.get(name) for name in pinned}
    if greeting.get("protocol") != VERSION or versions != pinned:
        raise ToolError(
            f"the engine speaks protocol {greeting.get('protocol')} with {versions}, expected {VERSION} with {pinned}",
            hint="'make tools' in a checkout of Headgate builds the right one, 'make validator' that validator",
        )
    return greeting


# Go links time zones in, and starts quicker without collecting garbage, which the engine switches on when it has begun.
# Python takes its encoding and its order of sets from here.
_ENVIRONMENT = {"TZ": "UTC", "GOGC": "off", "GOMAXPROCS": "1", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}

_OUT_OF_MEMORY = re.compile(
    # The last is Go's runtime itself, which now and then uses memory that it was refused before it says so.
    r"out of memory|cannot allocate memory|MemoryError|SIGSEGV: segmentation violation\nPC="
)


def why_it_ended(error: EndedError, budget: Budget) -> HeadgateError:
    """Return what a process that ended while it worked on a request says of that request."""
    if error.code == -9 or _OUT_OF_MEMORY.search(error.stderr):  # noqa: PLR2004  SIGKILL, of the kernel
        return ExhaustedError(
            f"used more than {budget.memory // process.MEBI} MiB of memory",
            hint="look for a loop or a value that grows without end; the limit is limits.render_mebibytes",
        )
    words = " ".join(error.stderr.split())[:300]
    return RenderError(f"the engine failed (exit code {error.code}): {words}", hint="please report it")


def out_of_time(budget: Budget) -> HeadgateError:
    """Return the error of a request that took too long."""
    return ExhaustedError(
        f"was stopped after {budget.seconds:g} seconds",
        hint="look for a loop that does not end; the limit is limits.render_seconds",
    )


def not_locked(reason: str) -> HeadgateError:
    """Return why what an app owns is refused where the engine is not locked in."""
    return SandboxError(
        f"what an app wrote is not read here, since the engine cannot lock itself in: {reason}",
        hint="run it on Linux with seccomp, or set 'sandbox: optional' in headgate.yaml on the default branch; "
        "a trial on your own machine may pass --no-sandbox",
    )
