"""A person's decisions about pending groups: deliver them despite every hold, discard, or reject them in review."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from headgate.intents.advance import advance
from headgate.intents.protocol import Applied, Step, identify
from headgate.model import Rejection
from headgate.records import frozen_record
from headgate.releases.handoff import check_person
from headgate.releases.pending_files import write_pending
from headgate.releases.release import RELEASE, newest_of, write_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headgate.intents.protocol import State
    from headgate.releases.pending import Group
    from headgate.repository.tree import Changes


@frozen_record
class DeliverHeld:
    """Delivers held and failed groups despite pin, freeze, windows and order, and removes the pin."""

    app: str
    environment: str
    actor: str
    reason: str
    verb: ClassVar[str] = "Deliver"
    explicit: ClassVar[bool] = True

    @property
    def id(self) -> str:
        """Derived from the app-environment, the actor and the reason."""
        return identify("deliver-held", self.app, self.environment, self.actor, self.reason)

    @property
    def detail(self) -> str:
        """The reason."""
        return f"what was held: {self.reason}"

    def apply(self, state: State) -> Applied:
        """Deliver all held and failed groups. Raises RefusedError when the app does not run there."""
        check_person(self.actor, self.reason)
        app = state.find(self.app, self.environment)
        pending = app.pending
        if not (pending.held or pending.diverged or pending.failed):
            return Applied([Step(self.app, self.environment, hydrates=False)])
        recorded: Changes = {}
        if app.landed.release.pin is not None:
            recorded[f"{app.folder}/{RELEASE}"] = write_record(app.landed.changed(pin=None).release)
        return Applied([advance(app, past_holds=True, unpinned=True, recorded=recorded)])


@frozen_record
class DiscardHeld:
    """Rejects held and failed groups: from then on, only newer versions are taken."""

    app: str
    environment: str
    actor: str
    reason: str
    verb: ClassVar[str] = "Discard"
    explicit: ClassVar[bool] = True

    @property
    def id(self) -> str:
        """Derived from the app-environment, the actor and the reason."""
        return identify(self.verb, self.app, self.environment, self.actor, self.reason)

    @property
    def detail(self) -> str:
        """The reason."""
        return f"what was held: {self.reason}"

    def apply(self, state: State) -> Applied:
        """Reject all held and failed groups. Raises RefusedError when the app does not run there."""
        check_person(self.actor, self.reason)
        app = state.find(self.app, self.environment)
        pending = app.pending
        groups = (*pending.held, *pending.diverged, *pending.failed)
        if not groups:
            return Applied([Step(self.app, self.environment, hydrates=False)])
        rejected = {**pending.rejected, **_rejections(groups, self.actor)}
        left = replace(pending, held=(), diverged=(), failed=(), rejected=rejected)
        recorded = write_pending(state.tree, app.folder, left)
        return Applied([Step(self.app, self.environment, recorded=recorded, hydrates=False, state="recorded")])


@frozen_record
class ClosedRequest:
    """A merge request that a person closed without merging it."""

    app: str
    environment: str
    actor: str
    request: str


@frozen_record(kw_only=False)
class Reject:
    """Rejects the proposals of closed merge requests: exactly their commits."""

    closed: tuple[ClosedRequest, ...]
    verb: ClassVar[str] = "Reject"
    detail: ClassVar[str] = ""
    actor: ClassVar[str] = ""
    explicit: ClassVar[bool] = True

    @property
    def id(self) -> str:
        """Derived from the merge requests."""
        return identify(self.verb, [closed.request for closed in self.closed])

    def apply(self, state: State) -> Applied:
        """Record the rejections; a removed app has nothing to reject."""
        steps = [step for closed in self.closed if (step := _reject(state, closed)) is not None]
        messages = tuple(f"{closed.request} was closed by {closed.actor}: rejected" for closed in self.closed)
        return Applied(steps, messages=messages)


def _reject(state: State, closed: ClosedRequest) -> Step | None:
    if closed.app not in state.configuration.apps:
        return None
    app = state.at(state.configuration.apps[closed.app], closed.environment)
    pending = app.pending
    if pending.proposal is None:
        return None
    rejected = {**pending.rejected, **_rejections(pending.proposal.groups, closed.actor, closed.request)}
    left = replace(pending, proposal=None, rejected=rejected)
    recorded = write_pending(state.tree, app.folder, left)
    return Step(closed.app, closed.environment, recorded=recorded, hydrates=False, state="recorded")


def _rejections(groups: Iterable[Group], actor: str, request: str = "") -> Mapping[str, Rejection]:
    return {
        name: Rejection(**newest_of(part).model_dump(), by=actor or None, request=request or None)
        for group in groups
        for name, part in group.parts.items()
    }
