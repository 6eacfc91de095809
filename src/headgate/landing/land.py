"""Lands an intent: applies it to the newest commit, hydrates, and pushes, until no other push comes first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headgate.errors import GitError
from headgate.hydration.assemble import RenderCache
from headgate.hydration.hydrate import AS_USUAL, HydrateOptions
from headgate.intents.outcome import CHANGES_NOTHING, EQUAL_TO_PROPOSED
from headgate.intents.protocol import State
from headgate.landing.drafts import draft_commits, record_file, target_branch
from headgate.landing.hydrated import hydrate_intent
from headgate.landing.publish import publish
from headgate.landing.review_branches import ReviewBranches, recorded_proposals
from headgate.landing.workspace import until_landed
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headgate.configuration import Configuration
    from headgate.hydration.outcome import Outcome
    from headgate.intents.outcome import Decision
    from headgate.intents.protocol import Intent, Step
    from headgate.landing.hydrated import HydratedIntent
    from headgate.landing.publish import Delivered
    from headgate.landing.workspace import Workspace


@frozen_record
class Landing:
    """The result of an intent: an outcome per app-environment, messages for people, and the commits."""

    outcomes: Sequence[Outcome] = ()
    messages: Sequence[str] = ()
    delivered: Sequence[Delivered] = ()
    configuration: Configuration


def land(
    workspace: Workspace,
    intent: Intent,
    *,
    intent_id: str = "",
    options: HydrateOptions = AS_USUAL,
    progress: Callable[[str, str], None] = lambda _app, _environment: None,
) -> Landing:
    """Apply an intent to the newest commit, hydrate, and push; start over while other pushes come first.

    ``intent_id`` replaces the intent's own id in the trailer ``Headgate-Intent``. Raises ConflictError when no try gets
    through, and the intent's own errors.
    """
    options = replace(options, cache=RenderCache())  # the next try reuses what this one rendered
    return until_landed(workspace, lambda newest: _attempt(newest, intent, intent_id, options, progress))


def _attempt(
    workspace: Workspace, intent: Intent, intent_id: str, options: HydrateOptions, progress: Callable[[str, str], None]
) -> Landing:
    state = read_state(workspace)
    hydrated = prepared(state, hydrate_intent(state, intent, options, progress))
    drafts = draft_commits(state, hydrated, intent_id or intent.id, upgrade=options.upgrade)
    delivered = publish(workspace, drafts, state.configuration.settings.commits)
    return Landing(
        outcomes=[*hydrated.outcomes, *hydrated.applied.outcomes],
        messages=hydrated.applied.messages,
        delivered=delivered,
        configuration=hydrated.configuration,
    )


def read_state(workspace: Workspace) -> State:
    """Return the state of a workspace's commit. Review branches are read on demand."""
    if workspace.target is not None:
        configuration = workspace.configuration.guarded_by(workspace.target)
        return State(commit=workspace.base, tree=workspace.tree, configuration=configuration, in_review=True)
    return State(
        commit=workspace.base,
        tree=workspace.tree,
        configuration=workspace.configuration,
        branches=ReviewBranches(workspace),
        has_records_apart=workspace.has_records_apart,
    )


def prepared(state: State, hydrated: HydratedIntent) -> HydratedIntent:
    """Return it with unproposable steps failed, and those whose YAML is under review held. Writes nothing."""
    return _keep_proposals(state, _fail_foreign_branches(state, hydrated))


def _fail_foreign_branches(state: State, hydrated: HydratedIntent) -> HydratedIntent:
    """Fail each step whose review branch holds foreign commits; all other steps land."""
    pairs = list(zip(hydrated.applied.steps, hydrated.outcomes, strict=True))
    proposing = {branch: step for step, outcome in pairs if (branch := target_branch(state, step, outcome))}
    branches = sorted({*proposing, *hydrated.applied.group_branches})
    files = [record_file(state, branch, proposing.get(branch)) for branch in branches]
    records = recorded_proposals(state.tree.only(file for file in files if file in state.tree))
    problems = {
        branch: GitError(problem)
        for branch in branches
        if (problem := state.branches.problem(branch, records.get(branch)))
    }
    outcomes = [
        replace(outcome, state="failed", changes=None, objects=(), error=problems[branch])
        if (branch := target_branch(state, step, outcome)) in problems
        else outcome
        for step, outcome in pairs
    ]
    group_branches = tuple(branch for branch in hydrated.applied.group_branches if branch not in problems)
    applied = replace(hydrated.applied, group_branches=group_branches)
    return replace(hydrated, applied=applied, outcomes=outcomes)


def _keep_proposals(state: State, hydrated: HydratedIntent) -> HydratedIntent:
    """Hold steps whose YAML is already under review, and report what the others replace."""
    pairs = [
        _keep_proposal(state, step, outcome)
        for step, outcome in zip(hydrated.applied.steps, hydrated.outcomes, strict=True)
    ]
    applied = replace(hydrated.applied, steps=[step for step, _ in pairs])
    return replace(hydrated, applied=applied, outcomes=[outcome for _, outcome in pairs])


def _keep_proposal(state: State, step: Step, outcome: Outcome) -> tuple[Step, Outcome]:
    decision = step.decision
    if decision is None:
        return step, outcome
    hold = _late_hold(state, step, decision, outcome)
    if not hold:
        replaces = decision.replaces if target_branch(state, step, outcome) else ()
        return step, replace(outcome, reasons=(*outcome.reasons, *replaces))
    held = replace(
        outcome,
        state="held" if decision.brought else "unchanged",
        changes=None,
        objects=(),
        reasons=(*outcome.reasons, hold),
    )
    return replace(step, decision=replace(decision, late_hold=hold)), held


def _late_hold(state: State, step: Step, decision: Decision, outcome: Outcome) -> str:
    """Return why the final YAML holds a step after all; empty if it does not."""
    if not state.reviews(*step.owner):
        return ""
    if outcome.state == "changed" and decision.is_proposed_already(outcome):
        return EQUAL_TO_PROPOSED
    return CHANGES_NOTHING if state.has_records_apart and outcome.state == "unchanged" and decision.brought else ""
