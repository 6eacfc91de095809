"""A queue of runs that push to the same branch: each waiting run holds a ticket, which is a ref of the remote.

The queue only saves work: a run may push at any time, and the branch's lease decides. A run passes over a ticket whose
holder does nothing, and the next push deletes it.
"""

from __future__ import annotations

import contextlib
import random
import re
import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headgate.errors import ConflictError, GitError
from headgate.repository.git import NO_COMMIT
from headgate.repository.remote import RefUpdate, fetch, push, remote_refs
from headgate.retry import pause
from headgate.signals import deferred

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.repository.git import Repository

TICKETS = "refs/headgate/queue/"
_NAME = re.compile(r"[0-9]{13}-[0-9a-f]{16}")

_FIRST_PACE = 0.4
_PATIENCE = 15.0
_TICKETS_TRIED = 3
_LONGEST_PATIENCE = 120.0
_LONGEST = 1200.0


class PushQueue:
    """The queue for a branch, as one of the runs in it sees it."""

    def __init__(self, repository: Repository, remote: str, ref: str, *, fetches: bool) -> None:
        """Take no ticket yet. ``fetches``: the branch may be fetched without its history, as into a clone."""
        self._repository = repository
        self._remote = remote
        self._ref = ref
        self._fetches = fetches
        self._ticket: RefUpdate | None = None
        self._skipped: list[RefUpdate] = []
        self._pace = _FIRST_PACE  # seconds per landing, as observed
        self._effort = 0.0  # seconds that our last attempt took
        self._began = time.monotonic()
        self._refused = 0
        self._tickets_failed = 0

    @property
    def delete_refs(self) -> list[RefUpdate]:
        """The refs that the next push of the branch deletes too: our own ticket, and those that we passed over."""
        return [self._ticket, *self._skipped] if self._ticket else []

    def pushed(self) -> None:
        """Forget the tickets, which the push deleted."""
        self._ticket = None

    def wait(self, base: str) -> str:
        """Wait for our turn, or a random time where the remote refuses tickets.

        ``base`` is the commit that was not the newest. Returns the newest commit of the branch if it was fetched,
        otherwise an empty string.
        """
        self._refused += 1
        self._effort = time.monotonic() - self._began
        if self._ticket is None and self._tickets_failed < _TICKETS_TRIED:
            self._take_ticket(base, f"{TICKETS}{time.time_ns() // 1_000_000:013d}-{secrets.token_hex(8)}")
        newest = ""
        if self._ticket is None:
            pause(min(self._refused, 5))
        else:
            newest = self._wait_for_turn(self._ticket)
        self._began = time.monotonic()
        return newest

    def _take_ticket(self, base: str, name: str) -> None:
        self._ticket, self._skipped = RefUpdate(name, NO_COMMIT, base), []
        try:
            push(self._repository, self._remote, [RefUpdate(name, base, NO_COMMIT)], may_be_behind=True)
        except (GitError, ConflictError):
            self._ticket = None
            self._tickets_failed += 1

    def _wait_for_turn(self, own: RefUpdate) -> str:
        """Return the newest commit if it was fetched, otherwise an empty string."""
        began = quiet_since = time.monotonic()
        self._skipped = []
        before: tuple[str, int] = ("", 0)
        reached_at = ""  # where the branch was when we reached our place
        while True:
            refs = remote_refs(self._repository, self._remote, self._ref, f"{TICKETS}*")
            head = refs.get(self._ref, "")
            tickets = sorted(ref for ref in refs if _NAME.fullmatch(ref.removeprefix(TICKETS)))
            now = time.monotonic()
            if own.ref not in tickets:  # another run passed us over: the same name gets the same place back
                self._take_ticket(head or own.old, own.ref)
                if self._ticket is None:
                    return ""
                own, tickets = self._ticket, sorted([*tickets, own.ref])
            position = tickets.index(own.ref)
            if (head, position) != before:
                self._measure_pace(before[1] - position if before[0] else 0, now - quiet_since)
                reached_at = reached_at if position == before[1] else head
                quiet_since, before = now, (head, position)
            if position == 0 or now - quiet_since > self._patience(position) or now - began > _LONGEST:
                self._skipped = [RefUpdate(ticket, NO_COMMIT, refs[ticket]) for ticket in tickets[:position]]
                return fetch(self._repository, self._remote, head) if head and self._fetches else ""
            time.sleep(self._interval(position, time.monotonic() - quiet_since))
            if position == 1 and self._fetches:  # runs behind us wait for the next in line: save them a query
                newest = fetch(self._repository, self._remote, self._ref)
                if newest != reached_at:
                    return newest

    def _measure_pace(self, landed: int, seconds: float) -> None:
        if landed > 0:
            self._pace = min(max((self._pace + seconds / landed) / 2, 0.1), 5)

    def _patience(self, position: int) -> float:
        """Return how long the queue may stand still before we pass over the runs ahead; the next in line goes first.

        It grows with our own effort, since everything takes long on a busy machine.
        """
        return min(max(_PATIENCE, 6 * self._effort, 6 * self._pace) * (1 + (position - 1) / 2), _LONGEST_PATIENCE)

    def _interval(self, position: int, quiet: float) -> float:
        """Return the seconds until the next look at the queue, which last moved ``quiet`` seconds ago.

        Short at its front, where the first look comes when half of a landing's time is over, and long at its back, but
        never beyond our turn: a run that oversleeps delays all behind it.
        """
        seconds = max(self._pace * (position - 1), self._pace * position / 2 - quiet, 0.05)
        return min(seconds, 15) * random.uniform(0.6, 0.9)  # noqa: S311  no secret


@contextmanager
def join_queue(repository: Repository, remote: str, ref: str, *, fetches: bool) -> Iterator[PushQueue]:
    """Queue for a branch. However the block ends, our ticket is deleted."""
    queue = PushQueue(repository, remote, ref, fetches=fetches)
    try:
        yield queue
    finally:
        if queue.delete_refs:
            with deferred(), contextlib.suppress(GitError, ConflictError):
                push(repository, remote, queue.delete_refs[:1])
