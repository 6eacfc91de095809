"""From a hydrated intent to the commits that bring it to its branches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headgate.hydration import lock
from headgate.intents.outcome import changes_id
from headgate.intents.template_versions import drop_unused
from headgate.landing.publish import PreparedCommit
from headgate.landing.review_branches import group_record_file, recorded_proposals
from headgate.message import commit_message
from headgate.model import ProposalRecord
from headgate.paths import OURS, review_branch
from headgate.releases.pending import PROPOSAL, PROPOSED
from headgate.releases.release import write_record

if TYPE_CHECKING:
    from headgate.errors import HeadgateError
    from headgate.hydration.outcome import Outcome
    from headgate.intents.protocol import State, Step
    from headgate.landing.hydrated import HydratedIntent
    from headgate.repository.tree import Changes


@dataclass
class _BranchChanges:
    """The changes and steps of one branch. On a review branch, ``changes`` are those of its own commit."""

    changes: Changes = field(default_factory=dict)
    steps: list[tuple[Step, Outcome]] = field(default_factory=list)


def draft_commits(state: State, hydrated: HydratedIntent, intent_id: str, *, upgrade: bool) -> list[PreparedCommit]:
    """Return one commit for everything that lands, and one for each proposal.

    A release lands only with its YAML. A release that changes no YAML, or is held, is only recorded: that needs no
    review, since it changes nothing that runs. The same push records proposals and failures on the default branch.
    """
    landing = _BranchChanges(dict(hydrated.applied.recorded))
    proposals: dict[str, _BranchChanges] = {}
    for step, outcome in zip(hydrated.applied.steps, hydrated.outcomes, strict=True):
        branch, recorded, changes = _destination(state, step, outcome, hydrated.failures.get(step.owner))
        if branch is None:
            recorded |= changes
        elif changes:
            proposal = proposals.setdefault(branch, _BranchChanges())
            proposal.changes |= changes
            proposal.steps.append((step, outcome))
        if recorded:
            landing.changes |= recorded
            landing.steps.append((step, outcome))
    landing.changes |= _group_records(state, hydrated, proposals)
    obsolete = [*hydrated.applied.leftover_branches, *_withdrawn_branches(state, landing.changes)]
    removals = [PreparedCommit(branch, {}, "") for branch in dict.fromkeys(obsolete) if branch not in proposals]
    drafts = [
        _draft(state, hydrated, intent_id, branch, content, upgrade=upgrade)
        for branch, content in ((None, landing), *proposals.items())
    ]
    return [*(draft for draft in drafts if draft.changes), *removals]


def _destination(
    state: State, step: Step, outcome: Outcome, failure: HeadgateError | None
) -> tuple[str | None, Changes, Changes]:
    """Return the branch of a step (None: the default one), the changes to record, and the changes for the branch."""
    decision, recorded = step.decision, dict(step.recorded)
    if outcome.state == "failed":
        error = outcome.error
        if decision is not None and error is not None and decision.wanted.brings:
            recorded |= decision.failed(failure or error)
        return None, recorded, {}
    changes = step.changes | (outcome.changes or {})
    branch = target_branch(state, step, outcome)
    if decision is None:
        return branch, recorded, changes
    if outcome.state == "waiting" and state.reviews(*step.owner):
        return None, recorded | decision.waiting(outcome.waits_for), {}
    if decision.late_hold:
        return None, recorded | decision.held(failure), {}
    if branch is None:
        landed = decision.landed(failure)
        return None, recorded, {**landed, **changes}
    record, on_branch = decision.proposed(changes, outcome, failure)
    return branch, recorded | record, on_branch


def _group_records(state: State, hydrated: HydratedIntent, proposals: dict[str, _BranchChanges]) -> Changes:
    """Return the records of proposed template changes, and let the merge of each branch remove its record."""
    records: Changes = {}
    for branch in hydrated.applied.group_branches:
        file = record_file(state, branch, None)
        proposal = proposals.get(branch)
        if proposal is None:
            records |= {file: None} if file in state.tree else {}
            continue
        if not state.has_records_apart:
            proposal.changes[file] = None
        data = write_record(ProposalRecord(kind="templates", changes=changes_id(proposal.changes)))
        records |= {file: data} if file not in state.tree or state.tree.read(file) != data else {}
    return records


def _withdrawn_branches(state: State, changes: Changes) -> list[str]:
    """Return the review branches whose record these changes remove."""
    removed = [path for path, data in changes.items() if data is None and path in state.tree]
    records = recorded_proposals(state.tree.only(removed))
    return [branch for branch, record in records.items() if state.branches.matches(branch, record)]


def _draft(
    state: State,
    hydrated: HydratedIntent,
    intent_id: str,
    branch: str | None,
    content: _BranchChanges,
    *,
    upgrade: bool,
) -> PreparedCommit:
    changes = dict(content.changes)
    outcomes = list({step.owner: outcome for step, outcome in content.steps}.values())
    engines = {outcome.engine for outcome in outcomes if outcome.state in ("changed", "unchanged")} - {""}
    if changes:
        changes |= lock.changes(state.configuration.lock, sorted(engines), upgrade=upgrade)
    if branch is None and changes:
        changes |= drop_unused(state.tree.with_changes(changes))
    releases = {step.owner: step.after.release for step, _ in content.steps if step.after}
    return PreparedCommit(
        branch,
        changes,
        commit_message(
            hydrated.intent.verb,
            outcomes,
            releases,
            what=hydrated.intent.detail or ("" if outcomes else "what is under review"),
            intent=intent_id,
            actor=hydrated.intent.actor,
            template=state.configuration.settings.commits.message,
        ),
    )


def record_file(state: State, branch: str, step: Step | None) -> str:
    """Return the file that records the proposal of a branch: of a group of apps, or of the step's app."""
    if step is None or step.branch == branch:
        return group_record_file(branch.removeprefix(OURS).split("/")[0])
    return f"{state.configuration.apps[step.app].release_folder(step.environment)}/{PROPOSED}/{PROPOSAL}"


def target_branch(state: State, step: Step, outcome: Outcome) -> str | None:
    """Return the review branch of a step; None for the default branch."""
    if outcome.state == "changed" and state.reviews(*step.owner):
        return step.branch or review_branch(*step.owner)
    return None
