"""Whose turn it is to push, where many want to: refs of the remote say who waits, as numbers do in a shop.

Only the names of these tickets are read, and they only save work: who believes nobody may push at any time, and the
branch itself decides. A ticket whose holder does not come is passed over, and taken away by who lands next.
"""

from __future__ import annotations

import contextlib
import random
import re
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headgate.errors import ConflictError, GitError
from headgate.repository.git import NO_COMMIT
from headgate.repository.remote import RefUpdate, push, remote_refs
from headgate.retry import pause
from headgate.signals import deferred

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.repository.git import Repository

TICKETS = "refs/headgate/queue/"
_NAME = re.compile(r"[0-9]{13}-[0-9a-f]{16}")

_FIRST_PACE = 0.5
_PATIENCE = 15.0
_TICKETS_TRIED = 3
_LONGEST_PATIENCE = 120.0
_LONGEST = 1200.0


@dataclass
class PushQueue:
    """The line of those who wait for a branch, as one of them sees it.

    ``along`` are refs that the next push of the branch removes too, our own ticket first; who pushes empties it.
    ``pace`` is how many seconds one landing takes, as far as was seen; ``effort`` how many our own last attempt took.
    """

    repository: Repository
    remote: str
    ref: str
    along: list[RefUpdate] = field(default_factory=list)
    pace: float = _FIRST_PACE
    refused: int = 0
    without_ticket: int = 0
    effort: float = 0
    began: float = field(default_factory=time.monotonic)

    def wait(self, base: str) -> str:
        """Return the branch's newest commit when it is our turn; ``base`` is the commit that was not newest.

        Returns an empty string where the remote takes no tickets: then the wait was a random one.
        """
        self.refused += 1
        self.effort = time.monotonic() - self.began
        newest = self._wait(base)
        self.began = time.monotonic()
        return newest

    def _wait(self, base: str) -> str:
        if self.without_ticket < _TICKETS_TRIED and not self.along:
            self._take_ticket(base)
        if self.along:
            return self._until_turn()
        pause(min(self.refused, 5))
        return ""

    def _take_ticket(self, base: str, again: str = "") -> None:
        ticket = again or f"{TICKETS}{time.time_ns() // 1_000_000:013d}-{secrets.token_hex(8)}"
        self.along[:] = [RefUpdate(ticket, NO_COMMIT, base)]
        try:
            push(self.repository, self.remote, [RefUpdate(ticket, base, NO_COMMIT)])
        except (GitError, ConflictError):
            self.along.clear()
            self.without_ticket += 1

    def _until_turn(self) -> str:
        own = self.along[0]
        began = quiet_since = time.monotonic()
        before: tuple[str, int] = ("", 0)
        while True:
            refs = remote_refs(self.repository, self.remote, self.ref, f"{TICKETS}*")
            head = refs.get(self.ref, "")
            tickets = sorted(ref for ref in refs if _NAME.fullmatch(ref.removeprefix(TICKETS)))
            now = time.monotonic()
            if own.ref not in tickets:  # somebody passed us over, but here we are: the same ticket has the same place
                self._take_ticket(head or own.old, own.ref)
                if not self.along:
                    return head
                own, tickets = self.along[0], sorted([*tickets, own.ref])
            position = tickets.index(own.ref)
            if (head, position) != before:
                self._learn(before[1] - position if before[0] else 0, now - quiet_since)
                quiet_since, before = now, (head, position)
            if position == 0 or now - quiet_since > self._patience(position) or now - began > _LONGEST:
                self.along[1:] = [RefUpdate(ticket, NO_COMMIT, refs[ticket]) for ticket in tickets[:position]]
                return head
            time.sleep(self._nap(position))

    def _learn(self, gone: int, seconds: float) -> None:
        if gone > 0:
            self.pace = min(max((self.pace + seconds / gone) / 2, 0.1), 5)

    def _patience(self, position: int) -> float:
        """Return for how long nothing may happen until we pass over those before us: the one behind them first.

        On a busy machine everything takes long, so it is measured by how long we took ourselves.
        """
        return min(max(_PATIENCE, 6 * self.effort, 6 * self.pace) * (1 + (position - 1) / 2), _LONGEST_PATIENCE)

    def _nap(self, position: int) -> float:
        """Return how long to wait before looking again: who is next looks often, who is far back rarely."""
        return min(max(self.pace * (position - 0.8), 0.1), 15) * random.uniform(0.8, 1.2)  # noqa: S311  no secret


@contextmanager
def line(repository: Repository, remote: str, ref: str) -> Iterator[PushQueue]:
    """Stand in line for a branch, for as long as the block lasts. However it ends, no ticket of ours stays."""
    one = PushQueue(repository, remote, ref)
    try:
        yield one
    finally:
        if one.along:
            with deferred(), contextlib.suppress(GitError, ConflictError):
                push(repository, remote, one.along[:1])
