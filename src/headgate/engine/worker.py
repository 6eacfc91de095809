"""A process of the engine, for the files of a single owner."""

from __future__ import annotations

import json
import re
from collections import deque
from typing import TYPE_CHECKING, Any

from headgate import PINNED, PINNED_VALIDATOR, process
from headgate.engine.dialogue import Dialogue, EndedError, Stopwatch, exchange
from headgate.engine.protocol import (
    VERSION,
    Answer,
    EngineObject,
    PartialAnswer,
    engine_command,
    reader_command,
    request_message,
    tree_message,
    validator_command,
)
from headgate.errors import ExhaustedError, HeadgateError, RenderError, SandboxError, TooLargeError, ToolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from headgate.engine.budget import Budget
    from headgate.engine.protocol import Request

_PINNED: dict[object, dict[str, str]] = {
    engine_command: PINNED,
    reader_command: PINNED,
    validator_command: PINNED_VALIDATOR,
}
_START_SECONDS = 60
_MAX_SENT = 64  # requests sent ahead, so that the process never waits


class Worker:
    """A running engine, or another program that speaks its protocol. It answers requests in their order."""

    def __init__(
        self, budget: Budget, command: Callable[[Budget, int], list[str]] = engine_command, requests: int = 1
    ) -> None:
        """Start it with a budget. Raises ToolError when the engine is missing."""
        self.budget, self.command = budget, command
        self.dialogue = Dialogue(command(budget, requests), _ENVIRONMENT, budget.max_answer)
        self._greeting: dict[str, Any] | None = None
        self._objects: dict[str, EngineObject] = {}
        self._trees: set[str] = set()
        self._unsent: deque[Request] = deque()
        self._sent: deque[tuple[Request, PartialAnswer]] = deque()
        self._number = 0
        self._watch = Stopwatch(self.dialogue.processor_seconds)
        self.answered = 0

    @property
    def greeting(self) -> dict[str, Any]:
        """The greeting; waits for it. Raises the errors of `has_greeted`."""
        while not self.has_greeted():
            exchange([self.dialogue], self.seconds_left)
        return self._greeting or {}

    def has_greeted(self) -> bool:
        """Whether the process has started. Raises ToolError if it is the wrong engine or could not start."""
        if self._greeting is None and (self.dialogue.lines or self.seconds_left <= 0):
            pinned = _PINNED.get(self.command, {})
            self._greeting = _checked(self.dialogue.lines.popleft() if self.dialogue.lines else b"{}", pinned)
            self._watch.restart()
        elif self._greeting is None and self.dialogue.ended:
            error = self.dialogue.end()
            raise ToolError(f"the engine failed to start (exit code {error.code}): {error.stderr[:500]}")
        return self._greeting is not None

    @property
    def sandboxed(self) -> bool:
        """Whether the process has locked itself in."""
        return bool(self.greeting["sandbox"])

    @property
    def busy(self) -> bool:
        """Whether it has requests to answer."""
        return bool(self._sent or self._unsent)

    def submit(self, request: Request) -> None:
        """Queue a request."""
        if not self.busy:
            self._watch.restart()
        self._unsent.append(request)
        self._send()

    def _send(self) -> None:
        while self._unsent and len(self._sent) < _MAX_SENT:
            if self._unsent[0].owner and self._greeting is None:
                return  # an app's inputs wait until the greeting says whether the process is locked in
            request = self._unsent.popleft()
            tree = request.tree
            if tree is not None and tree.id not in self._trees:
                self._trees.add(tree.id)
                self.dialogue.send(tree_message(tree))
            self._number += 1
            self.dialogue.send(request_message(self._number, request))
            self._sent.append((request, PartialAnswer(self._objects)))

    @property
    def seconds_left(self) -> float:
        """The time that the start or the current request still has at least."""
        if self._greeting is None:
            return self._watch.left(_START_SECONDS)
        return self._watch.left((self._sent[0][0] if self._sent else self._unsent[0]).budget.seconds)

    def take(self) -> tuple[Request, Answer] | None:
        """Return the next complete answer, if any. Raises EndedError when none will follow."""
        if not self.has_greeted():
            return None
        self._send()
        while self.dialogue.lines:
            request, incoming = self._sent[0]
            answer = incoming.take(self.dialogue.lines.popleft())
            if answer is not None:
                self._sent.popleft()
                self._watch.restart()
                self.answered += 1
                self._send()
                return request, answer
        if self.dialogue.ended:
            raise self.dialogue.end()
        return None

    def unanswered(self) -> list[Request]:
        """Return the requests without an answer; the first is the current one."""
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
            hint="in a checkout of Headgate: 'make tools' builds the engine, 'make validator' the validator",
        )
    return greeting


# The engine embeds time zones, and turns garbage collection on after a quick start without it. The last two set
# Python's encoding and its order of sets.
_ENVIRONMENT = {"TZ": "UTC", "GOGC": "off", "GOMAXPROCS": "1", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}

_OUT_OF_MEMORY = re.compile(
    # The last is Go's runtime, which sometimes uses memory that it was denied before it reports the denial.
    r"out of memory|cannot allocate memory|MemoryError|SIGSEGV: segmentation violation\nPC="
)


def ended_error(error: EndedError, budget: Budget) -> HeadgateError:
    """Return the error of the request during which a process ended."""
    if error.is_too_long:
        return TooLargeError(
            f"gives more than {budget.max_answer // process.MEBI} MiB at once",
            hint="check for a loop or a value that keeps growing; the limits are limits.input_mebibytes and "
            "limits.output_mebibytes",
        )
    if error.code == -9 or _OUT_OF_MEMORY.search(error.stderr):  # noqa: PLR2004  SIGKILL, of the kernel
        return ExhaustedError(
            f"used more than {budget.memory // process.MEBI} MiB of memory",
            hint="check for an endless loop or a value that keeps growing; the limit is limits.render_mebibytes",
        )
    stderr = " ".join(error.stderr.split())[:300]
    return RenderError(f"the engine failed (exit code {error.code}): {stderr}", hint="please report it")


def timeout_error(budget: Budget) -> HeadgateError:
    """Return the error of a request that timed out."""
    return ExhaustedError(
        f"was stopped after {budget.seconds:g} seconds of processor time, or twice as long by the clock",
        hint="check for an endless loop; the limit is limits.render_seconds",
    )


def sandbox_error(reason: str) -> HeadgateError:
    """Return the error that refuses an app's inputs because the engine is not locked in."""
    return SandboxError(
        f"cannot read files of an app, since the engine cannot lock itself in: {reason}",
        hint="run it on Linux with seccomp, or set 'sandbox: optional' in headgate.yaml on the default branch; "
        "for a trial on your own machine, pass --no-sandbox",
    )
