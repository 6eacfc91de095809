"""Refresh: open proposals that no longer fit the default branch are made anew, and those that became empty go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

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
    from collections.abc import Collection

    from headgate.config import AppRecord
    from headgate.intents.protocol import State
    from headgate.releases.pending import Proposal


@dataclass(frozen=True)
class Refresh:
    """All that is pending: proposals that do not fit any more, what is held no more, what failed.

    `Rehydrate` makes the proposals of many apps anew.
    """

    verb: str = "Refresh"
    what: str = ""
    actor: str = ""
    explicit: bool = True

    @property
    def id(self) -> str:
        """Identify it. A refresh is what the state asks for, so there is nothing else to know of it."""
        return identify(self.verb)

    def apply(self, state: State) -> Applied:
        """Touch those whose release, final YAML or inputs are others now; the others keep their commit.

        One that cannot be read fails alone.
        """
        pairs = [(record, name) for record, name in state.configuration.pairs() if has_pending(state, record, name)]
        state.branches.read_ahead([review_branch(record.name, name) for record, name in pairs])
        prefetch(state.tree, input_paths(state.tree, pairs) + output_folders(state.configuration, pairs))
        steps = [failing_alone(record.name, name, partial(refresh_step, state, record, name)) for record, name in pairs]
        return Applied(steps, spent=spent_branches(state, {(record.name, name) for record, name in pairs}))


def has_pending(state: State, record: AppRecord, environment: str) -> bool:
    """Whether anything is proposed, held or failed; told by the names of files, for there are thousands of apps."""
    folder = record.release_folder(environment)
    return any(state.tree.paths(f"{folder}/{place}") for place in (HELD, DIVERGED, PROPOSED, FAILED, WAITING))


def spent_branches(state: State, recorded: Collection[tuple[str, str]]) -> tuple[str, ...]:
    """Return the branches that a merge left behind, of apps without a proposal on record."""
    others = [(record.name, name) for record, name in state.configuration.pairs()]
    return state.branches.spent([review_branch(*owner) for owner in others if owner not in recorded])


def refresh_step(state: State, record: AppRecord, environment: str) -> Step:
    """Return the step that brings an app's proposal up to date."""
    proposal = state.pending(record, environment).proposal
    if proposal is None or not proposal.by_person:
        return advance(state, record, environment, retry=True)
    return _decided_again(state, record, environment, proposal)


def _decided_again(state: State, record: AppRecord, environment: str, proposal: Proposal) -> Step:
    """Propose once more what a person decided, where it does not fit any more."""
    unchanged = Step(record.name, environment, hydrates=False)
    branch, folder = review_branch(record.name, environment), record.release_folder(environment)
    if state.branches.problem(branch, proposal.record):
        return unchanged
    output = state.configuration.output_folder(record.name, environment)
    if proposal.record.replaces == replaced(state.tree, folder, output) and state.branches.is_there(
        branch, proposal.record
    ):
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
        kind=proposal.record.kind,
        actor=proposal.record.actor or "",
        reason=proposal.record.reason or "",
    )
    return replace(step, reasons=(proposal.by_person,))
