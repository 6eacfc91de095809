"""Preview: what a hand-off would make of the final YAML, whatever its order. It is never landed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.errors import GitError, HeadgateError
from headgate.handoff import accepting, handed_off
from headgate.intents.deliver import NOTHING, config_files, release_step
from headgate.intents.protocol import Applied, Step, identify
from headgate.plan import what_is_read, what_is_written
from headgate.tree import prefetch

if TYPE_CHECKING:
    from headgate.handoff import Acceptance, HandOff
    from headgate.intents.protocol import State
    from headgate.source import AppSource


@dataclass(frozen=True)
class Preview:
    """A commit of a merge request, as if it had been merged and handed off from the target branch."""

    hand_off: HandOff
    source: AppSource
    verb: str = "Preview"
    explicit: bool = True

    @property
    def id(self) -> str:
        """Identify it by the commit."""
        return identify(self.verb, self.hand_off.project, self.hand_off.commit)

    @property
    def what(self) -> str:
        """Name the commit."""
        return f"{self.hand_off.project}@{self.hand_off.commit[:12]}"

    def apply(self, state: State) -> Applied:
        """Return the steps that a hand-off would take, also where it would wait or be held."""
        accepted = accepting(state.configuration, self.hand_off)
        owners = [(one.record, one.environment) for one in accepted]
        prefetch(state.tree, what_is_read(state.tree, owners) + what_is_written(state.configuration, owners))
        return Applied([self._step(state, one) for one in accepted])

    def _step(self, state: State, one: Acceptance) -> Step:
        record, environment = one.record, one.environment
        try:
            before = state.released(record, environment) or NOTHING
            after = handed_off(before, one, self.hand_off, config_files(state, one, self.hand_off, self.source))
            return release_step(state, record, environment, after)
        except GitError:
            raise
        except HeadgateError as error:  # an app-environment that cannot take it fails alone
            return Step(record.name, environment, hydrates=False, state="failed", error=error)
