"""An intent, landed: applied to the newest commit, hydrated, and brought to its branches, until nobody was faster."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headgate import config
from headgate.engine import pool
from headgate.errors import HeadgateError
from headgate.hydration import lock, output
from headgate.hydration.hydrate import AS_USUAL, Options, Outcome, hydrate
from headgate.intents.protocol import State
from headgate.intents.versions import drop_unused
from headgate.landing.workspace import Draft, find_proposal, not_ours, publish, until_landed
from headgate.layout import review_branch
from headgate.message import commit_message
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headgate.config import Configuration
    from headgate.intents.protocol import Applied, Intent, Step
    from headgate.landing.workspace import Delivered, Proposal, Workspace
    from headgate.repository.tree import Changes, Tree


@dataclass(frozen=True)
class Landing:
    """What became of an intent: an outcome per app-environment, what else there is to say, the commits made."""

    outcomes: list[Outcome]
    told: tuple[str, ...]
    delivered: list[Delivered]
    configuration: Configuration


def land(
    workspace: Workspace,
    intent: Intent,
    *,
    intent_id: str = "",
    options: Options = AS_USUAL,
    progress: Callable[[str, str], None] = lambda _app, _environment: None,
) -> Landing:
    """Apply an intent to the newest commit, hydrate what it touches, and push; again while somebody is faster.

    ``intent_id`` replaces the intent's own in the trailer ``Headgate-Intent``. Raises ConflictError when it never
    came through, and what the intent raises.
    """
    return until_landed(workspace, lambda newest: _attempt(newest, intent, intent_id, options, progress))


def rehearse(
    workspace: Workspace, intent: Intent, progress: Callable[[str, str], None]
) -> tuple[list[Outcome], Configuration, Tree]:
    """Apply an intent and hydrate what it touches, as `land` does, and write nothing. Raises what the intent raises.

    Returns the outcomes, and configuration and files as they would be.
    """
    done = _hydrated(read_state(workspace), intent, AS_USUAL, progress)
    changes: Changes = {}
    for outcome in done.outcomes:
        changes |= outcome.changes or {}
    return done.outcomes, done.configuration, done.after.with_changes(changes)


@dataclass(frozen=True)
class _Hydrated:
    """An intent applied, with the files ``after`` that; an outcome per step, and the configuration that it leads to."""

    intent: Intent
    applied: Applied
    after: Tree
    outcomes: list[Outcome]
    configuration: Configuration


def _attempt(
    workspace: Workspace, intent: Intent, intent_id: str, options: Options, progress: Callable[[str, str], None]
) -> Landing:
    state = read_state(workspace)
    done = _around_others(workspace, state, _hydrated(state, intent, options, progress))
    drafts = _drafts(state, done, intent_id or intent.id, upgrade=options.upgrade)
    delivered = publish(workspace, drafts, state.configuration.settings.commits)
    return Landing([*done.outcomes, *done.applied.outcomes], done.applied.told, delivered, done.configuration)


def _hydrated(state: State, intent: Intent, options: Options, progress: Callable[[str, str], None]) -> _Hydrated:
    pool.require_sandbox(required=state.configuration.settings.sandbox == "required")  # before an app's files are read
    applied = intent.apply(state)
    after = state.tree.with_changes(_all_changes(applied))
    configuration = _configuration_after(state, after, applied)
    targets = [(configuration.apps[step.app], step.environment) for step in applied.steps if step.hydrates]
    prefetch(after, [_folder(state.configuration, step) for step in applied.steps if step.removes])
    hydrated = hydrate(after, configuration, targets, replace(options, explicit=intent.explicit), progress)
    by_owner = {(one.app, one.environment): one for one in hydrated}
    return _Hydrated(intent, applied, after, [_outcome(state, step, by_owner) for step in applied.steps], configuration)


def read_state(workspace: Workspace) -> State:
    """Read a workspace's commit: its files, its configuration, and, when they are asked for, open proposals."""
    tree = workspace.tree

    def proposed(app: str, environment: str) -> Proposal | None:
        return find_proposal(workspace, review_branch(app, environment))

    configuration = workspace.configuration
    if workspace.target is None:
        return State(workspace.base, tree, configuration, proposed)
    return State(workspace.base, tree, configuration.guarded_by(workspace.target), proposed, in_review=True)


def _all_changes(applied: Applied) -> Changes:
    changes: Changes = dict(applied.recorded)
    for step in applied.steps:
        changes |= step.recorded | step.changes
    return changes


def _configuration_after(state: State, after: Tree, applied: Applied) -> Configuration:
    """Read the configuration anew when a step that hydrates may see another one. Removals hydrate nothing."""
    if not any(step.hydrates for step in applied.steps) or not applied.recorded:
        return state.configuration
    return config.load(after)


def _folder(configuration: Configuration, step: Step) -> str:
    return step.folder or configuration.output_folder(*step.owner)


def _outcome(state: State, step: Step, hydrated: dict[tuple[str, str], Outcome]) -> Outcome:
    if step.hydrates:
        return replace(hydrated[step.owner], reasons=(*step.reasons, *hydrated[step.owner].reasons))
    folder = _folder(state.configuration, step)
    blank = Outcome(*step.owner, folder, step.state, error=step.error, reasons=step.reasons)
    if not step.removes:
        return blank
    try:
        changes = output.removal(state.tree, folder)
    except HeadgateError as error:
        return replace(blank, state="failed", error=error)
    told = tuple(output.object_changes(state.tree, folder, changes))
    return replace(blank, state="changed", changes=changes, objects=told)


@dataclass(frozen=True)
class _Share:
    """What one step brings to one branch."""

    step: Step
    outcome: Outcome
    changes: Changes


def _around_others(workspace: Workspace, state: State, done: _Hydrated) -> _Hydrated:
    """Leave branches for review alone that hold somebody else's commits: what belongs there fails, all else lands."""
    pairs = list(zip(done.applied.steps, done.outcomes, strict=True))
    wanted = {branch for step, outcome in pairs if (branch := _branch(state, step, outcome))}
    others = {one: error for one in {*wanted, *done.applied.emptied} if (error := not_ours(workspace, one))}

    def failed(outcome: Outcome, branch: str | None) -> Outcome:
        if branch not in others:
            return outcome
        return replace(outcome, state="failed", changes=None, objects=(), error=others[branch])

    outcomes = [failed(outcome, _branch(state, step, outcome)) for step, outcome in pairs]
    emptied = tuple(one for one in done.applied.emptied if one not in others)
    return replace(done, applied=replace(done.applied, emptied=emptied), outcomes=outcomes)


def _drafts(state: State, done: _Hydrated, intent_id: str, *, upgrade: bool) -> list[Draft]:
    """Return one draft for all that lands at once, and one for each proposal.

    A release lands only with its YAML, not when that cannot be rendered. Where it changes no YAML, and where it
    waits, it is only recorded: that needs no review, since nothing runs otherwise for it.
    """
    groups: dict[str | None, list[_Share]] = {None: []}
    for step, outcome in zip(done.applied.steps, done.outcomes, strict=True):
        if step.recorded:
            groups[None].append(_Share(step, outcome, step.recorded))
        changes = step.changes | (outcome.changes or {})
        if changes and outcome.state != "failed":
            groups.setdefault(_branch(state, step, outcome), []).append(_Share(step, outcome, changes))
    drafts = [_draft(state, done, intent_id, branch, group, upgrade=upgrade) for branch, group in groups.items()]
    kept = [draft for draft in drafts if draft.changes]
    return [*kept, *(Draft(branch, {}, "") for branch in done.applied.emptied if branch not in groups)]


def _draft(
    state: State, done: _Hydrated, intent_id: str, branch: str | None, group: Sequence[_Share], *, upgrade: bool
) -> Draft:
    changes: Changes = dict(done.applied.recorded) if branch is None else {}
    for share in group:
        changes |= share.changes
    engines = {share.outcome.engine for share in group if share.outcome.state in ("changed", "unchanged")} - {""}
    if changes:
        changes |= lock.changes(state.configuration.lock, sorted(engines), upgrade=upgrade)
    if branch is None and changes:
        changes |= drop_unused(state.tree.with_changes(changes))
    outcomes = list({share.step.owner: share.outcome for share in group}.values())
    releases = {share.step.owner: share.step.after.release for share in group if share.step.after}
    return Draft(
        branch,
        changes,
        commit_message(
            done.intent.verb,
            outcomes,
            releases,
            what=done.intent.what,
            intent=intent_id,
            template=state.configuration.settings.commits.message,
        ),
    )


def _branch(state: State, step: Step, outcome: Outcome) -> str | None:
    if outcome.state == "changed" and state.reviews(*step.owner):
        return step.branch or review_branch(*step.owner)
    return None
