"""Refresh: open proposals that no longer fit the default branch are made anew, and those that became empty go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate import tools
from headgate.errors import GitError, HeadgateError
from headgate.hydration import output
from headgate.hydration.plan import Planned, Planner, what_is_read
from headgate.intents.deliver import NOTHING, with_proposed
from headgate.intents.protocol import Applied, Step, identify
from headgate.intents.remove import removal
from headgate.layout import LOCK, VERSIONS, review_branch
from headgate.releases.release import read_released, waiting_folder, write_released
from headgate.repository.tree import differing, prefetch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.config import AppRecord
    from headgate.intents.protocol import State
    from headgate.landing.workspace import Proposal
    from headgate.repository.tree import Changes


@dataclass(frozen=True)
class Refresh:
    """The proposals that are open: those on branches of apps. `Rehydrate` makes the grouped ones anew."""

    proposals: tuple[Proposal, ...]
    verb: str = "Refresh"
    what: str = ""
    explicit: bool = True

    @property
    def id(self) -> str:
        """Identify it by the commits that are proposed."""
        return identify(self.verb, [one.commit for one in self.proposals])

    def apply(self, state: State) -> Applied:
        """Touch those that conflict, or whose app-environment has other inputs now; the others keep their commit.

        One that cannot be read fails alone.
        """
        by_branch = {one.branch: one for one in self.proposals}
        steps: list[Step] = []
        kept: list[str] = []
        for record, environment in state.configuration.pairs():
            proposal = by_branch.get(review_branch(record.name, environment))
            if proposal is None:
                continue
            try:
                if _fits(state, record, environment, proposal):
                    kept.append(proposal.branch)
                else:
                    steps += _again(state, record, environment, proposal)
            except GitError:
                raise  # what concerns the repository concerns all
            except HeadgateError as error:
                kept.append(proposal.branch)
                steps.append(Step(record.name, environment, hydrates=False, state="failed", error=error))
        return Applied(steps, emptied=tuple(branch for branch in by_branch if branch not in kept))


def _fits(state: State, record: AppRecord, environment: str, proposal: Proposal) -> bool:
    """Whether a proposal can be merged as it is, and gives what hydrating it now would."""
    proposed = differing(proposal.base, proposal.tree)
    if any(state.tree.oid(path) != proposal.base.oid(path) for path in proposed):
        return False
    folder = state.configuration.output_folder(record.name, environment)
    if not proposal.tree.paths(record.release_folder(environment)):
        return True  # it removes the app, which depends on nothing else
    after = state.tree.with_changes(_state_changes(proposal, proposed, folder))
    prefetch(after, what_is_read(after, [(record, environment)]))
    plan = Planner(after, state.configuration, tools.engine_version).plan(record, environment)
    if not isinstance(plan, Planned):
        return plan.error is None
    return output.read_record(proposal.tree, folder).inputs == plan.inputs


def _state_changes(proposal: Proposal, proposed: Sequence[str], output_folder: str) -> Changes:
    """Return what a proposal changes besides final YAML."""
    own = [path for path in proposed if not path.startswith(f"{output_folder}/") and path != LOCK]
    prefetch(proposal.tree, own)
    return {path: proposal.tree.read(path) if path in proposal.tree else None for path in own}


def _again(state: State, record: AppRecord, environment: str, proposal: Proposal) -> list[Step]:
    """Return the steps that propose the same on the newest commit; none when that has it already."""
    folder = record.release_folder(environment)
    if not proposal.tree.paths(folder) and proposal.base.paths(folder):
        runs_in = record.environments(state.configuration.settings)
        return [removal(state, record, [environment], environment, runs_in)]
    released = state.released(record, environment) or NOTHING
    after = with_proposed(released, proposal, folder)
    ours = read_released(proposal.tree, folder)
    if ours is None:
        return []
    after = after.changed(template=ours.release.template)
    if after.runs == released.runs:
        return []
    changes = _copies(state, ours.release.template, proposal) | write_released(state.tree, folder, after)
    changes |= write_released(state.tree, waiting_folder(record, environment), None)
    return [Step(record.name, environment, after, changes)]


def _copies(state: State, version: str | None, proposal: Proposal) -> Changes:
    """Keep the template that a proposal names, which may have been dropped from the default branch."""
    paths: Sequence[str] = proposal.tree.paths(f"{VERSIONS}/{version}") if version else ()
    return {path: proposal.tree.read(path) for path in paths if path not in state.tree}
