"""Pin, unpin, freeze, thaw: whether automatic changes reach an app, or a whole environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from headgate.hydration.plan import input_paths
from headgate.intents.advance import advance
from headgate.intents.protocol import Applied, Step, check_environment, identify
from headgate.model import FreezeRecord, PinRecord
from headgate.paths import ENVIRONMENTS, FROZEN
from headgate.records import frozen_record
from headgate.releases.decide import withdrawn
from headgate.releases.handoff import check_person
from headgate.releases.pending_files import write_pending
from headgate.releases.release import RELEASE, write_record, write_released
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from headgate.intents.protocol import State
    from headgate.repository.tree import Changes


@frozen_record
class Pin:
    """Holds hand-offs and template changes of an app in an environment."""

    app: str
    environment: str
    actor: str
    reason: str
    expected: str
    verb: ClassVar[str] = "Pin"
    explicit: ClassVar[bool] = True

    @property
    def id(self) -> str:
        """Derived from all facts."""
        return identify(self.verb, self.app, self.environment, self.actor, self.reason, self.expected)

    @property
    def detail(self) -> str:
        """The reason."""
        return self.reason

    def apply(self, state: State) -> Applied:
        """Write the pin into the release. Raises RefusedError if the environment now has another release."""
        check_person(self.actor, self.reason)
        app = state.find(self.app, self.environment)
        now = app.landed
        pin = now.release.pin
        if pin is not None and (pin.by, pin.reason) == (self.actor, self.reason):
            return Applied([Step(self.app, self.environment, hydrates=False)])
        app.check_unchanged(self.expected)
        after = now.changed(pin=PinRecord(by=self.actor, reason=self.reason, since=state.commit))
        pending = withdrawn(app.pending, f"pinned by {self.actor}: {self.reason}")
        recorded = write_released(state.tree, app.folder, after) | write_pending(state.tree, app.folder, pending)
        return Applied(
            [Step(self.app, self.environment, after=after, recorded=recorded, hydrates=False, state="recorded")]
        )


@frozen_record(kw_only=False)
class Unpin:
    """Ends a pin, and delivers what was held."""

    app: str
    environment: str
    actor: str = ""
    verb: ClassVar[str] = "Unpin"
    detail: ClassVar[str] = ""
    explicit: ClassVar[bool] = True

    @property
    def id(self) -> str:
        """Derived from the app-environment."""
        return identify(self.verb, self.app, self.environment)

    def apply(self, state: State) -> Applied:
        """Remove the pin, and deliver what was held."""
        app = state.find(self.app, self.environment)
        if app.landed.release.pin is None:
            return Applied([Step(self.app, self.environment, hydrates=False)])
        recorded: Changes = {f"{app.folder}/{RELEASE}": write_record(app.landed.changed(pin=None).release)}
        return Applied([advance(app, unpinned=True, recorded=recorded)])


@frozen_record(kw_only=False)
class Freeze:
    """Stops automatic changes for all apps of an environment."""

    environment: str
    actor: str
    reason: str
    verb: ClassVar[str] = "Freeze"
    explicit: ClassVar[bool] = True

    @property
    def id(self) -> str:
        """Derived from the environment, the actor and the reason."""
        return identify(self.verb, self.environment, self.actor, self.reason)

    @property
    def detail(self) -> str:
        """The environment and the reason."""
        return f"{self.environment}: {self.reason}"

    def apply(self, state: State) -> Applied:
        """Write the environment's frozen.yaml."""
        check_person(self.actor, self.reason)
        check_environment(state.configuration, self.environment)
        before = state.configuration.frozen.get(self.environment)
        if before is not None:
            return Applied(messages=(f"{self.environment} is already frozen by {before.by}: {before.reason}",))
        frozen = FreezeRecord(by=self.actor, reason=self.reason, since=state.commit)
        file = f"{ENVIRONMENTS}/{self.environment}/{FROZEN}"
        message = f"{self.environment} is frozen until 'headgate thaw {self.environment}'"
        return Applied(recorded={file: write_record(frozen)}, messages=(message,))


@frozen_record(kw_only=False)
class Thaw:
    """Ends a freeze, and delivers what was held."""

    environment: str
    actor: str = ""
    verb: ClassVar[str] = "Thaw"
    explicit: ClassVar[bool] = False

    @property
    def id(self) -> str:
        """Derived from the environment."""
        return identify(self.verb, self.environment)

    @property
    def detail(self) -> str:
        """The environment."""
        return self.environment

    def apply(self, state: State) -> Applied:
        """Remove frozen.yaml, and deliver what was held, except for pinned apps."""
        check_environment(state.configuration, self.environment)
        if self.environment not in state.configuration.frozen:
            return Applied(messages=(f"{self.environment} is not frozen",))
        recorded: Changes = {f"{ENVIRONMENTS}/{self.environment}/{FROZEN}": None}
        thawed = state.thawed(self.environment)
        pairs = [(record, name) for record, name in state.configuration.pairs() if name == self.environment]
        prefetch(state.tree, input_paths(pairs))
        steps = [advance(thawed.at(*pair)) for pair in pairs]
        return Applied(steps, recorded=recorded, messages=(f"{self.environment} is no longer frozen",))
