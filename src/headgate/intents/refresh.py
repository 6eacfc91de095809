"""Refresh: rebuilds proposals that are out of date, and removes the empty ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from headgate.hydration.plan import input_paths, output_folders
from headgate.intents.advance import advance, decided_by_person
from headgate.intents.outcome import replaced
from headgate.intents.protocol import Applied, Step, failing_alone, identify
from headgate.intents.remove import removal
from headgate.paths import review_branch
from headgate.releases.pending import DIVERGED, FAILED, HELD, PROPOSED
from headgate.releases.release import NOTHING, WAITING, write_released
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from headgate.configuration import AppRecord
    from headgate.intents.protocol import State
    from headgate.releases.pending import Proposal


@dataclass(frozen=True)
class Refresh:
    """Brings everything pending up to date: proposals, held groups and failed groups.

    `Rehydrate` rebuilds the proposals of many apps.
    """

    verb: ClassVar[str] = "Refresh"
    detail: ClassVar[str] = ""
    actor: ClassVar[str] = ""
    explicit: ClassVar[bool] = True

    @property
    def id(self) -> str:
        """The same for every refresh, which depends on the state alone."""
        return identify(self.verb)

    def apply(self, state: State) -> Applied:
        """Rebuild proposals whose release, final YAML or inputs changed; the others keep their commits."""
        pairs = [(record, name) for record, name in state.configuration.pairs() if has_pending(state, record, name)]
        state.branches.read_ahead([review_branch(record.name, name) for record, name in pairs])
        prefetch(state.tree, input_paths(pairs) + output_folders(state.configuration, pairs))
        steps = [failing_alone(record.name, name, partial(refresh_step, state, record, name)) for record, name in pairs]
        owners = {(record.name, name) for record, name in pairs}
        others = [(record.name, name) for record, name in state.configuration.pairs()]
        branches = [review_branch(*owner) for owner in others if owner not in owners]
        return Applied(steps, leftover_branches=state.branches.leftovers(branches))


def has_pending(state: State, record: AppRecord, environment: str) -> bool:
    """Whether anything is pending, by the names of files alone: there are thousands of apps."""
    folder = record.release_folder(environment)
    return any(state.tree.paths(f"{folder}/{place}") for place in (HELD, DIVERGED, PROPOSED, FAILED, WAITING))


def refresh_step(state: State, record: AppRecord, environment: str) -> Step:
    """Return the step that brings what is pending for an app up to date."""
    proposal = state.pending(record, environment).proposal
    if proposal is None or not proposal.by_person:
        return advance(state, record, environment, retry=True)
    return _decided_again(state, record, environment, proposal)


def _decided_again(state: State, record: AppRecord, environment: str, proposal: Proposal) -> Step:
    """Propose a person's decision again, if its proposal is out of date."""
    unchanged = Step(record.name, environment, hydrates=False)
    branch, folder = review_branch(record.name, environment), record.release_folder(environment)
    if state.branches.problem(branch, proposal.record):
        return unchanged
    output = state.configuration.output_folder(record.name, environment)
    is_current = proposal.record.replaces == replaced(state.tree, folder, output)
    if is_current and state.branches.matches(branch, proposal.record):
        return unchanged
    if proposal.decided is None:
        runs_in = record.environments(state.configuration.settings)
        return removal(state, record, [environment], environment, runs_in, proposal.record.actor or "")
    landed = state.released(record, environment) or NOTHING
    after = proposal.decided.changed(newest=landed.release.newest)
    step = decided_by_person(
        state,
        record,
        environment,
        after,
        write_released(state.tree, folder, after),
        kind="roll-back",
        actor=proposal.record.actor or "",
        reason=proposal.record.reason or "",
    )
    return replace(step, reasons=(proposal.by_person,))
