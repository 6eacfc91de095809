"""Refresh: rebuilds proposals that are out of date, and removes the empty ones."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from headgate.hydration.plan import input_paths, output_folders
from headgate.intents.advance import advance, decided_by_person
from headgate.intents.outcome import replaced
from headgate.intents.protocol import Applied, Step, failing_alone, identify
from headgate.intents.remove import removal
from headgate.paths import review_branch
from headgate.records import frozen_record
from headgate.releases.pending import DIVERGED, FAILED, HELD, PROPOSED
from headgate.releases.release import WAITING, write_released
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from headgate.intents.protocol import AppInEnvironment, State
    from headgate.releases.pending import Proposal


@frozen_record(kw_only=False)
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
        pairs = [pair for pair in state.configuration.pairs() if has_pending(state.at(*pair))]
        state.branches.read_ahead([review_branch(record.name, name) for record, name in pairs])
        prefetch(state.tree, input_paths(pairs) + output_folders(state.configuration, pairs))
        steps = [
            failing_alone(record.name, name, partial(refresh_step, state.at(record, name))) for record, name in pairs
        ]
        owners = {(record.name, name) for record, name in pairs}
        idle = [owner for record, name in state.configuration.pairs() if (owner := (record.name, name)) not in owners]
        leftovers = state.branches.leftovers([review_branch(*owner) for owner in idle])
        return Applied(steps, leftover_branches=leftovers)


def has_pending(app: AppInEnvironment) -> bool:
    """Whether anything is pending, by the names of files alone: there are thousands of apps."""
    return any(app.state.tree.paths(f"{app.folder}/{place}") for place in (HELD, DIVERGED, PROPOSED, FAILED, WAITING))


def refresh_step(app: AppInEnvironment) -> Step:
    """Return the step that updates the pending groups of an app."""
    proposal = app.pending.proposal
    if proposal is None or not proposal.by_person:
        return advance(app, retry=True)
    return _decided_again(app, proposal)


def _decided_again(app: AppInEnvironment, proposal: Proposal) -> Step:
    """Propose a person's decision again if its proposal is out of date; land it if nobody reviews any more."""
    unchanged = Step(app.name, app.environment, hydrates=False)
    tree, branches = app.state.tree, app.state.branches
    if branches.problem(app.branch, proposal.record):
        return unchanged
    is_current = proposal.record.replaces == replaced(tree, app.folder, app.output)
    if app.is_reviewed and is_current and branches.is_current(app.branch, proposal.record):
        return unchanged
    if proposal.decided is None:
        runs_in = app.record.environments(app.state.configuration.settings)
        return removal(app, [app.environment], runs_in, proposal.record.actor or "")
    after = proposal.decided.changed(newest=app.landed.release.newest)
    step = decided_by_person(
        app,
        after,
        write_released(tree, app.folder, after),
        kind="roll-back",
        actor=proposal.record.actor or "",
        reason=proposal.record.reason or "",
    )
    return replace(step, reasons=(proposal.by_person,))
