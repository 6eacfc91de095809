"""Pin, unpin, freeze, thaw: whether anything reaches an app, or a whole environment, by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headgate.hydration.plan import held, what_is_read
from headgate.intents.deliver import NOTHING, release_step
from headgate.intents.protocol import (
    Applied,
    Step,
    check_environment,
    check_expected,
    find_app,
    identify,
)
from headgate.layout import ENVIRONMENTS, FROZEN
from headgate.model import Freeze as Frozen
from headgate.model import Pin as Pinned
from headgate.releases.handoff import check_person, still_taken
from headgate.releases.release import RELEASE, read_released, waiting_folder, write_record, write_released
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from headgate.config import AppRecord
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

    def apply(self, state: State) -> Applied:
        """Write the pin into the release. Raises RefusedError when the environment runs something else by now."""
        check_person(self.by, self.reason)
        record = find_app(state.configuration, self.app, self.environment)
        now = state.released(record, self.environment) or NOTHING
        pin = now.release.pin
        if pin is not None and (pin.by, pin.reason) == (self.by, self.reason):
            return Applied([Step(self.app, self.environment, hydrates=False)])
        check_expected(state, record, self.environment, self.expected)
        pinned = Pinned(by=self.by, reason=self.reason, since=state.commit)
        after = now.changed(pin=pinned)
        recorded = write_released(state.tree, record.release_folder(self.environment), after)
        return Applied([Step(self.app, self.environment, after, recorded=recorded, hydrates=False, state="recorded")])


@dataclass(frozen=True)
class Unpin:
    """An app takes what reaches it again, beginning with the newest that waited."""

    app: str
    environment: str
    verb: str = "Unpin"
    what: str = ""
    explicit: bool = True

    @property
    def id(self) -> str:
        """Identify it by what is unpinned."""
        return identify(self.verb, self.app, self.environment)

    def apply(self, state: State) -> Applied:
        """Take the pin away, and deliver what waits."""
        record = find_app(state.configuration, self.app, self.environment)
        now = state.released(record, self.environment)
        if now is None or now.release.pin is None:
            return Applied([Step(self.app, self.environment, hydrates=False)])
        unpinned = now.changed(pin=None)
        folder = record.release_folder(self.environment)
        recorded: Changes = {f"{folder}/{RELEASE}": write_record(unpinned.release)}
        freeze = state.configuration.frozen.get(self.environment)
        if freeze is not None:
            why = held(state.configuration, self.environment, unpinned.release)
            step = Step(
                self.app, self.environment, unpinned, recorded=recorded, hydrates=False, state="held", reasons=(why,)
            )
            return Applied([step])
        return Applied([replace(ready(state, record, self.environment), recorded=recorded)])


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

    def apply(self, state: State) -> Applied:
        """Write the environment's frozen.yaml."""
        check_person(self.by, self.reason)
        check_environment(state.configuration, self.environment)
        before = state.configuration.frozen.get(self.environment)
        if before is not None:
            return Applied(told=(f"{self.environment} is frozen already, by {before.by}: {before.reason}",))
        frozen = Frozen(by=self.by, reason=self.reason, since=state.commit)
        file = f"{ENVIRONMENTS}/{self.environment}/{FROZEN}"
        told = f"{self.environment} is frozen: hand-offs wait until 'headgate thaw {self.environment}'"
        return Applied(recorded={file: write_record(frozen)}, told=(told,))


@dataclass(frozen=True)
class Thaw:
    """An environment takes what reaches it again, beginning with the newest that waited for each app."""

    environment: str
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
        """Take frozen.yaml away, and deliver what waits; what is pinned stays so."""
        check_environment(state.configuration, self.environment)
        if self.environment not in state.configuration.frozen:
            return Applied(told=(f"{self.environment} is not frozen",))
        pairs = [(record, name) for record, name in state.configuration.pairs() if name == self.environment]
        prefetch(state.tree, what_is_read(state.tree, pairs))
        steps = [ready(state, *pair) for pair in pairs if not _pinned(state, *pair)]
        recorded: Changes = {f"{ENVIRONMENTS}/{self.environment}/{FROZEN}": None}
        return Applied(steps, recorded, (f"{self.environment} is not frozen any more",))


def _pinned(state: State, record: AppRecord, environment: str) -> bool:
    released = state.released(record, environment)
    return released is not None and released.release.pin is not None


def ready(state: State, record: AppRecord, environment: str) -> Step:
    """Return the step that delivers what waits for an app, checked again, or that hydrates it where nothing waits."""
    waiting = read_released(state.tree, waiting_folder(record, environment))
    if waiting is None:
        return Step(record.name, environment)
    refused = still_taken(state.configuration, record, environment, waiting.release)
    if refused:
        return Step(record.name, environment, reasons=(f"what waited is not delivered: {refused}",))
    version = waiting.release.template
    return release_step(state, record, environment, waiting, template=(version, {}) if version else None)
