"""Migrates a repository of version 1.0.0: the first run records pending versions there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from headgate.hydration.record import read_record
from headgate.intents.outcome import output_folder_id, replaced
from headgate.intents.protocol import Applied, Step, identify
from headgate.landing.land import land
from headgate.landing.review_branches import ReviewBranches, commit_changes_id
from headgate.landing.workspace import read_proposal, refreshed
from headgate.model import ProposalRecord
from headgate.paths import APPS, review_branch
from headgate.records import frozen_record
from headgate.releases.history import parse_release_path
from headgate.releases.pending import Proposal, groups_between
from headgate.releases.pending_files import read_pending, write_pending
from headgate.releases.release import NOTHING, WAITING, read_released

if TYPE_CHECKING:
    from headgate.configuration import AppRecord, Configuration
    from headgate.intents.protocol import State
    from headgate.landing.workspace import OpenProposal, Workspace


def migrated(workspace: Workspace) -> Workspace:
    """Return the workspace after the default branch records what version 1.0.0 did not. Raises GitError."""
    if not is_due(workspace):
        return workspace
    land(workspace, _Migrate(workspace))
    return refreshed(workspace)


def is_due(workspace: Workspace) -> bool:
    """Return whether the default branch still has the layout of version 1.0.0."""
    lock = workspace.configuration.lock
    if (lock is not None and lock.version > 1) or workspace.target is not None:
        return False
    return lock is not None or any(parse_release_path(path) for path in workspace.tree.paths(APPS))


@frozen_record(kw_only=False)
class _Migrate:
    workspace: Workspace
    verb: ClassVar[str] = "Migrate"
    detail: ClassVar[str] = "what waits and what is proposed"
    actor: ClassVar[str] = ""
    explicit: ClassVar[bool] = True

    @property
    def id(self) -> str:
        return identify(self.verb)

    def apply(self, state: State) -> Applied:
        branches = ReviewBranches(self.workspace)
        steps = []
        for record, environment in state.configuration.pairs():
            folder, branch = record.release_folder(environment), review_branch(record.name, environment)
            head = branches.head(branch)
            ours = bool(head) and branches.made_by_headgate(branch, head)
            if not ours and not state.tree.paths(f"{folder}/{WAITING}"):
                continue
            landed = read_released(state.tree, folder)
            pending = read_pending(state.tree, folder, landed)
            if ours:
                proposal = read_proposal(self.workspace, branch, head)
                pending = pending.with_proposal(
                    _adopted(self.workspace, state.configuration, record, environment, proposal)
                )
            recorded = write_pending(state.tree, folder, pending)
            steps.append(Step(record.name, environment, recorded=recorded, hydrates=False, state="recorded"))
        return Applied(steps)


def _adopted(
    workspace: Workspace, configuration: Configuration, record: AppRecord, environment: str, proposal: OpenProposal
) -> Proposal | None:
    """Return the record of a proposal that has none. It proposes what differs from its base."""
    folder, out = record.release_folder(environment), configuration.output_folder(record.name, environment)
    facts: dict[str, Any] = {
        "changes": commit_changes_id(workspace, proposal.commit),
        "output": output_folder_id(proposal.tree, out),
        "inputs": read_record(proposal.tree, out).inputs or None,
        "replaces": replaced(proposal.base, folder, out),
    }
    before, after = read_released(proposal.base, folder) or NOTHING, read_released(proposal.tree, folder)
    if after is None:
        return Proposal(ProposalRecord(kind="removal", **facts)) if before is not NOTHING else None
    pin = after.release.pin
    if pin is not None and before.release.pin != pin:
        decided = ProposalRecord(kind="roll-back", actor=pin.by, reason=pin.reason, **facts)
        return Proposal(decided, decided=after)
    groups = tuple(groups_between(before, after))
    return Proposal(ProposalRecord(kind="release", **facts), groups) if groups else None
