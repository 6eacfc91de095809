"""What a person says of what is pending: deliver it now, past every hold, discard it, or reject it in review."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headgate.intents.advance import advance
from headgate.intents.protocol import Applied, Step, find_app, identify
from headgate.model import Rejection
from headgate.releases.handoff import check_person
from headgate.releases.pending_files import write_pending
from headgate.releases.release import RELEASE, newest_of, write_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headgate.intents.protocol import State
    from headgate.releases.pending import Group
    from headgate.repository.tree import Changes


@dataclass(frozen=True, kw_only=True)
class DeliverHeld:
    """What is held or failed goes on past pin, freeze, windows and order, since a person wants it; a pin goes."""

    app: str
    environment: str
    actor: str
    reason: str
    verb: str = "Deliver"
    explicit: bool = True

    @property
    def id(self) -> str:
        """Identify it by what goes on, and why."""
        return identify("deliver-held", self.app, self.environment, self.actor, self.reason)

    @property
    def what(self) -> str:
        """Say why."""
        return f"what was held: {self.reason}"

    def apply(self, state: State) -> Applied:
        """Bring all that is held or failed. Raises RefusedError when the app does not run there."""
        check_person(self.actor, self.reason)
        record = find_app(state.configuration, self.app, self.environment)
        pending = state.pending(record, self.environment)
        if not (pending.held or pending.diverged or pending.failed):
            return Applied([Step(self.app, self.environment, hydrates=False)])
        landed = state.released(record, self.environment)
        recorded: Changes = {}
        if landed is not None and landed.release.pin is not None:
            file = f"{record.release_folder(self.environment)}/{RELEASE}"
            recorded[file] = write_record(landed.changed(pin=None).release)
        return Applied([advance(state, record, self.environment, past_holds=True, unpinned=True, recorded=recorded)])


@dataclass(frozen=True, kw_only=True)
class DiscardHeld:
    """What is held or failed is not wanted any more: only what is newer is taken."""

    app: str
    environment: str
    actor: str
    reason: str
    verb: str = "Discard"
    explicit: bool = True

    @property
    def id(self) -> str:
        """Identify it by what is discarded, and why."""
        return identify(self.verb, self.app, self.environment, self.actor, self.reason)

    @property
    def what(self) -> str:
        """Say why."""
        return f"what was held: {self.reason}"

    def apply(self, state: State) -> Applied:
        """Reject all that is held or failed. Raises RefusedError when the app does not run there."""
        check_person(self.actor, self.reason)
        record = find_app(state.configuration, self.app, self.environment)
        pending = state.pending(record, self.environment)
        groups = (*pending.held, *pending.diverged, *pending.failed)
        if not groups:
            return Applied([Step(self.app, self.environment, hydrates=False)])
        rejected = {**pending.rejected, **_rejections(groups, self.actor)}
        left = replace(pending, held=(), diverged=(), failed=(), rejected=rejected)
        recorded = write_pending(state.tree, record.release_folder(self.environment), left)
        return Applied([Step(self.app, self.environment, recorded=recorded, hydrates=False, state="recorded")])


@dataclass(frozen=True)
class ClosedRequest:
    """A merge request that a person closed without merging it."""

    app: str
    environment: str
    actor: str
    request: str


@dataclass(frozen=True)
class Reject:
    """Proposals whose merge requests people closed: exactly their commits are rejected, and what was held goes on."""

    closed: tuple[ClosedRequest, ...]
    verb: str = "Reject"
    what: str = ""
    actor: str = ""
    explicit: bool = True

    @property
    def id(self) -> str:
        """Identify it by the merge requests."""
        return identify(self.verb, [found.request for found in self.closed])

    def apply(self, state: State) -> Applied:
        """Take the proposals off the record. Raises nothing for an app that is gone: nothing is left to reject."""
        steps = [step for found in self.closed if (step := _reject(state, found)) is not None]
        return Applied(steps, told=tuple(f"{one.request} was closed by {one.actor}: rejected" for one in self.closed))


def _reject(state: State, closed: ClosedRequest) -> Step | None:
    if closed.app not in state.configuration.apps:
        return None
    record = state.configuration.apps[closed.app]
    pending = state.pending(record, closed.environment)
    if pending.proposal is None:
        return None
    rejected = {**pending.rejected, **_rejections(pending.proposal.groups, closed.actor, closed.request)}
    left = replace(pending, proposal=None, rejected=rejected)
    recorded = write_pending(state.tree, record.release_folder(closed.environment), left)
    return Step(closed.app, closed.environment, recorded=recorded, hydrates=False, state="recorded")


def _rejections(groups: Iterable[Group], actor: str, request: str = "") -> Mapping[str, Rejection]:
    return {
        name: Rejection(**newest_of(part).model_dump(), by=actor or None, request=request or None)
        for group in groups
        for name, part in group.parts.items()
    }
