"""Preview: the final YAML after a hand-off, regardless of order. It never lands."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from headgate.intents.deliver import for_each_acceptance, resolve_config
from headgate.intents.protocol import Step, identify
from headgate.records import frozen_record
from headgate.releases.handoff import handed_off
from headgate.releases.pending import compose
from headgate.releases.release import write_released

if TYPE_CHECKING:
    from headgate.intents.protocol import Applied, State
    from headgate.releases.handoff import Acceptance, HandOff
    from headgate.releases.source import AppSource


@frozen_record(kw_only=False)
class Preview:
    """A commit of a merge request, as if it had been merged and handed off from the target branch."""

    hand_off: HandOff
    source: AppSource
    verb: ClassVar[str] = "Preview"
    actor: ClassVar[str] = ""
    explicit: ClassVar[bool] = True

    @property
    def id(self) -> str:
        """Derived from the project and the commit."""
        return identify(self.verb, self.hand_off.project, self.hand_off.commit)

    @property
    def detail(self) -> str:
        """The project and the commit."""
        return f"{self.hand_off.project}@{self.hand_off.commit[:12]}"

    def apply(self, state: State) -> Applied:
        """Return the steps of a hand-off, even where it would be held."""
        return for_each_acceptance(self.hand_off, state, self._step)

    def _step(self, state: State, acceptance: Acceptance) -> Step:
        app = state.at(acceptance.record, acceptance.environment)
        before = app.landed
        files = resolve_config(state, acceptance, self.hand_off, self.source)
        after = compose(before, [handed_off(acceptance, self.hand_off, before.release, files)])
        changes = write_released(state.tree, app.folder, after)
        return Step(app.name, app.environment, after=after, changes=changes)
