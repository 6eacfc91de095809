"""Pin, unpin, freeze, thaw: whether anything reaches an app, or a whole environment, by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.hydration.plan import input_paths
from headgate.intents.advance import advance
from headgate.intents.protocol import Applied, Step, check_environment, check_expected, find_app, identify
from headgate.model import FreezeRecord, PinRecord
from headgate.paths import ENVIRONMENTS, FROZEN
from headgate.releases.decide import withdrawn
from headgate.releases.handoff import check_person
from headgate.releases.pending_files import write_pending
from headgate.releases.release import NOTHING, RELEASE, write_record, write_released
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from headgate.intents.protocol import State
    from headgate.repository.tree import Changes


@dataclass(frozen=True)
class Pin:
    """An app stays as it is in an environment: automatic hand-offs and template changes wait."""

    app: str
    environment: str
    by: str
    reason: str
    expected: str
    verb: str = "Pin"
    explicit: bool = True

    @property
    def id(self) -> str:
        """Identify it by what is pinned, and why."""
        return identify(self.verb, self.app, self.environment, self.by, self.reason, self.expected)

    @property
    def what(self) -> str:
        """Say why."""
        return self.reason

    @property
    def actor(self) -> str:
        """Name who pinned it."""
        return self.by

    def apply(self, state: State) -> Applied:
        """Write the pin into the release. Raises RefusedError when the environment runs something else by now."""
        check_person(self.by, self.reason)
        record = find_app(state.configuration, self.app, self.environment)
        now = state.released(record, self.environment) or NOTHING
        pin = now.release.pin
        if pin is not None and (pin.by, pin.reason) == (self.by, self.reason):
            return Applied([Step(self.app, self.environment, hydrates=False)])
        check_expected(state, record, self.environment, self.expected)
        pinned = PinRecord(by=self.by, reason=self.reason, since=state.commit)
        after = now.changed(pin=pinned)
        folder = record.release_folder(self.environment)
        pending = withdrawn(state.pending(record, self.environment), f"pinned by {self.by}: {self.reason}")
        recorded = write_released(state.tree, folder, after) | write_pending(state.tree, folder, pending)
        return Applied([Step(self.app, self.environment, after, recorded=recorded, hydrates=False, state="recorded")])


@dataclass(frozen=True)
class Unpin:
    """An app takes what reaches it again, beginning with the newest that waited."""

    app: str
    environment: str
    actor: str = ""
    verb: str = "Unpin"
    what: str = ""
    explicit: bool = True

    @property
    def id(self) -> str:
        """Identify it by what is unpinned."""
        return identify(self.verb, self.app, self.environment)

    def apply(self, state: State) -> Applied:
        """Take the pin away, and bring what was held."""
        record = find_app(state.configuration, self.app, self.environment)
        now = state.released(record, self.environment)
        if now is None or now.release.pin is None:
            return Applied([Step(self.app, self.environment, hydrates=False)])
        unpinned = now.changed(pin=None)
        recorded: Changes = {f"{record.release_folder(self.environment)}/{RELEASE}": write_record(unpinned.release)}
        return Applied([advance(state, record, self.environment, unpinned=True, recorded=recorded)])


@dataclass(frozen=True)
class Freeze:
    """Nothing reaches any app of an environment by itself."""

    environment: str
    by: str
    reason: str
    verb: str = "Freeze"
    explicit: bool = True

    @property
    def id(self) -> str:
        """Identify it by what is frozen, and why."""
        return identify(self.verb, self.environment, self.by, self.reason)

    @property
    def what(self) -> str:
        """Name the environment, and why."""
        return f"{self.environment}: {self.reason}"

    @property
    def actor(self) -> str:
        """Name who froze it."""
        return self.by

    def apply(self, state: State) -> Applied:
        """Write the environment's frozen.yaml."""
        check_person(self.by, self.reason)
        check_environment(state.configuration, self.environment)
        before = state.configuration.frozen.get(self.environment)
        if before is not None:
            return Applied(told=(f"{self.environment} is frozen already, by {before.by}: {before.reason}",))
        frozen = FreezeRecord(by=self.by, reason=self.reason, since=state.commit)
        file = f"{ENVIRONMENTS}/{self.environment}/{FROZEN}"
        told = f"{self.environment} is frozen until 'headgate thaw {self.environment}'"
        return Applied(recorded={file: write_record(frozen)}, told=(told,))


@dataclass(frozen=True)
class Thaw:
    """An environment takes what reaches it again, beginning with the newest that waited for each app."""

    environment: str
    actor: str = ""
    verb: str = "Thaw"
    explicit: bool = False

    @property
    def id(self) -> str:
        """Identify it by what is thawed."""
        return identify(self.verb, self.environment)

    @property
    def what(self) -> str:
        """Name the environment."""
        return self.environment

    def apply(self, state: State) -> Applied:
        """Take frozen.yaml away, and bring what was held; what is pinned stays so."""
        check_environment(state.configuration, self.environment)
        if self.environment not in state.configuration.frozen:
            return Applied(told=(f"{self.environment} is not frozen",))
        recorded: Changes = {f"{ENVIRONMENTS}/{self.environment}/{FROZEN}": None}
        thawed = state.thawed(self.environment)
        pairs = [(record, name) for record, name in state.configuration.pairs() if name == self.environment]
        prefetch(state.tree, input_paths(state.tree, pairs))
        steps = [advance(thawed, *pair) for pair in pairs]
        return Applied(steps, recorded, (f"{self.environment} is not frozen any more",))
