"""On failure: a new version that failed in the cluster is rolled back, once; newer versions are still delivered.

It is no pin. The version that failed stays the newest that was ever released, so that it does not come again by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from headgate.config import parse_record
from headgate.errors import ArgumentError, HeadgateError, RefusedError
from headgate.intents.advance import closed_reason, decided_by_person
from headgate.intents.protocol import Applied, Step, identify
from headgate.intents.rollback import RollBackRequest, roll_back
from headgate.model import ProposalRecord
from headgate.records import frozen_record
from headgate.releases.pending import PROPOSAL, PROPOSED
from headgate.releases.release import parts, write_released
from headgate.repository.gitlog import below, log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from headgate.configuration import Configuration, Owner
    from headgate.flux.verdict import Health
    from headgate.intents.protocol import AppInEnvironment, State
    from headgate.intents.rollback import RollBack
    from headgate.releases.history import ReleaseHistory

ACTOR = "on_failure"
"""The actor of an automatic roll-back."""


@frozen_record(kw_only=False)
class OnFailure:
    """Roll-backs of failed versions, each resolved for the present release."""

    roll_backs: tuple[RollBack, ...]
    verb: ClassVar[str] = "Roll back"
    actor: ClassVar[str] = ""
    explicit: ClassVar[bool] = True

    @property
    def id(self) -> str:
        """Derived from the roll-backs."""
        return identify("on-failure", [roll.id for roll in self.roll_backs])

    @property
    def detail(self) -> str:
        """The reasons."""
        return "; ".join(dict.fromkeys(roll.reason for roll in self.roll_backs))

    def apply(self, state: State) -> Applied:
        """Write the releases, not pinned; skip those that have changed by now."""
        return Applied([_step(state, roll) for roll in self.roll_backs])


def _step(state: State, planned: RollBack) -> Step:
    try:
        app = state.find(planned.app, planned.environment)
        app.check_unchanged(planned.expected)
    except (ArgumentError, RefusedError) as error:
        return Step(planned.app, planned.environment, hydrates=False, reasons=(error.what,))
    after = planned.after.changed(pin=None, newest=app.landed.release.newest)
    return decided_by_person(
        app,
        after,
        write_released(state.tree, app.folder, after),
        kind="roll-back",
        actor=planned.actor,
        reason=planned.reason,
        recorded=planned.copies,
    )


def rolls_back(configuration: Configuration) -> list[Owner]:
    """Return the apps and environments that go back when a new version fails."""
    names = [
        name for name, settings in configuration.settings.environments.items() if settings.on_failure == "roll-back"
    ]
    return [(record.name, name) for record, name in configuration.pairs() if name in names] if names else []


def failed(
    state: State,
    health: Mapping[Owner, Health],
    histories: Callable[[str, str], AbstractContextManager[ReleaseHistory]],
) -> Iterator[RollBack]:
    """Yield the roll-backs that are due: of versions that failed and never were healthy.

    Nothing where the failure came with a change of the template or of values, where a person decided what runs,
    where something is proposed or the environment takes nothing now, and where this was proposed already.
    """
    for owner in rolls_back(state.configuration):
        found = health.get(owner)
        if found is None or found.state != "failed" or found.was_healthy or not found.deployed:
            continue
        app = state.at(state.configuration.apps[owner[0]], owner[1])
        if _is_free(app):
            with histories(*owner) as history:
                roll = _roll_back(app, found, history)
            if roll is not None:
                yield roll


def _is_free(app: AppInEnvironment) -> bool:
    landed = app.released
    if landed is None or landed.release.pin is not None or app.pending.proposal is not None:
        return False
    return app.is_reviewed or not closed_reason(app.state, app.environment)


def _roll_back(app: AppInEnvironment, health: Health, history: ReleaseHistory) -> RollBack | None:
    now = app.landed
    if len(history.versions) < 2 or history.versions[0].commit != health.deployed:  # noqa: PLR2004  now and before
        return None
    before = parts(history.versions[1].release)
    new = {name: part for name, part in parts(now.release).items() if part != before.get(name)}
    newest = now.release.newest
    if not new or any(name not in newest or newest[name].commit != part.commit for name, part in new.items()):
        return None
    if _was_proposed(app, history, health.deployed):
        return None
    reason = f"failed in the cluster: {' '.join(health.reason.split())}"
    wanted = RollBackRequest(
        app=app.name, environment=app.environment, to=history.versions[1].commit, actor=ACTOR, reason=reason
    )
    try:
        return roll_back(app.state, wanted, history)
    except HeadgateError:
        return None  # what ran before cannot run any more


def _was_proposed(app: AppInEnvironment, history: ReleaseHistory, since: str) -> bool:
    """Whether an automatic roll-back was proposed since a commit: it was closed, or it would be there still."""
    logged = log(history.repository, f"{since}..{app.state.commit}", [below(f"{app.folder}/{PROPOSED}")])
    oids = [
        change.new for entry in logged for change in entry.files if change.path.endswith(f"/{PROPOSAL}") and change.new
    ]
    contents = history.repository.load(oids)
    return any(oid in contents and _is_own(contents[oid]) for oid in oids)


def _is_own(data: bytes) -> bool:
    try:
        record = parse_record(data, PROPOSAL, ProposalRecord)
    except HeadgateError:
        return False
    return record.kind == "roll-back" and record.actor == ACTOR
