"""An intent, landed: applied to the newest commit, hydrated, and brought to its branches, until nobody was faster."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from headgate import config
from headgate.engine import pool
from headgate.errors import GitError, HeadgateError
from headgate.flux.changes import with_removals
from headgate.hydration import lock, output
from headgate.hydration.hydrate import AS_USUAL, HydrateOptions, Outcome, hydrate
from headgate.intents.outcome import CHANGES_NOTHING, EQUAL_TO_PROPOSED, changes_id
from headgate.intents.protocol import State
from headgate.intents.template_versions import drop_unused
from headgate.landing.review_branches import ReviewBranches, group_record_file, recorded_proposals
from headgate.landing.workspace import PreparedCommit, publish, until_landed
from headgate.message import commit_message
from headgate.model import ProposalRecord
from headgate.paths import OURS, review_branch
from headgate.releases.pending import PROPOSAL, PROPOSED
from headgate.releases.release import write_record
from headgate.releases.windows import is_open
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from collections.abc import Callable

    from headgate.config import Configuration
    from headgate.intents.outcome import Decision
    from headgate.intents.protocol import Applied, Intent, Step
    from headgate.landing.workspace import Delivered, Workspace
    from headgate.repository.tree import Changes, Tree


Owner = tuple[str, str]
"""App and environment."""


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
    options: HydrateOptions = AS_USUAL,
    progress: Callable[[str, str], None] = lambda _app, _environment: None,
) -> Landing:
    """Apply an intent to the newest commit, hydrate what it touches, and push; again while somebody is faster.

    ``intent_id`` replaces the intent's own in the trailer ``Headgate-Intent``. Raises ConflictError when it never
    came through, and what the intent raises.
    """
    options = replace(options, kept={})  # what was rendered for a try that lost is not rendered again for the next
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
    """An intent applied, with the files ``after`` that; an outcome per step, and the configuration that it leads to.

    ``failures`` are the errors of what a step wanted first, where it did with less.
    """

    intent: Intent
    applied: Applied
    after: Tree
    outcomes: list[Outcome]
    configuration: Configuration
    failures: dict[Owner, HeadgateError] = field(default_factory=dict)


def _attempt(
    workspace: Workspace, intent: Intent, intent_id: str, options: HydrateOptions, progress: Callable[[str, str], None]
) -> Landing:
    state = read_state(workspace)
    done = _around_proposals(state, _around_others(state, _hydrated(state, intent, options, progress)))
    drafts = _drafts(state, done, intent_id or intent.id, upgrade=options.upgrade)
    delivered = publish(workspace, drafts, state.configuration.settings.commits)
    return Landing([*done.outcomes, *done.applied.outcomes], done.applied.told, delivered, done.configuration)


def _hydrated(state: State, intent: Intent, options: HydrateOptions, progress: Callable[[str, str], None]) -> _Hydrated:
    pool.require_sandbox(required=state.configuration.settings.sandbox == "required")  # before an app's files are read
    applied = intent.apply(state)
    environments = {} if state.in_review else state.configuration.settings.environments
    shut = frozenset(name for name, found in environments.items() if not is_open(found.windows, state.now))
    options = replace(options, explicit=intent.explicit, closed=shut)
    prefetch(state.tree, [_folder(state.configuration, step) for step in applied.steps if step.removes])
    steps, failures = list(applied.steps), dict[Owner, HeadgateError]()
    by_owner: dict[Owner, Outcome] = {}
    todo = steps
    while todo:
        tried = replace(applied, steps=[step for step in steps if step.owner not in by_owner])
        after = state.tree.with_changes(_all_changes(tried))
        configuration = _configuration_after(state, after, applied)
        targets = [(configuration.apps[step.app], step.environment) for step in todo if step.hydrates]
        outcomes = {
            (found.app, found.environment): found for found in hydrate(after, configuration, targets, options, progress)
        }
        again = []
        for step in todo:
            outcome = outcomes.get(step.owner)
            if outcome is not None and outcome.error is not None and step.otherwise:
                failures.setdefault(step.owner, outcome.error)
                again.append(replace(step.otherwise[0], otherwise=step.otherwise[1:]))
            elif outcome is not None:
                by_owner[step.owner] = outcome
        renewed = {step.owner: step for step in again}
        steps = [renewed.get(step.owner, step) if step.hydrates else step for step in steps]
        todo = again
    applied = replace(applied, steps=steps)
    after = state.tree.with_changes(_all_changes(applied))
    configuration = _configuration_after(state, after, applied)
    found = _with_flux_removals(state, [_outcome(state, step, by_owner) for step in steps])
    return _Hydrated(intent, applied, after, found, configuration, failures)


def _with_flux_removals(state: State, outcomes: list[Outcome]) -> list[Outcome]:
    done: dict[Owner, Changes] = {}
    for one in outcomes:
        if one.state in ("changed", "unchanged"):
            done[one.app, one.environment] = done.get((one.app, one.environment), {}) | (one.changes or {})
    covered = {(one.app, one.environment) for one in outcomes}
    found = with_removals(state.tree, state.configuration, done, covered)
    return [
        one.joined(found.get((one.app, one.environment))) if one.state in ("changed", "unchanged") else one
        for one in outcomes
    ]


def read_state(workspace: Workspace) -> State:
    """Read a workspace's commit: its files, its configuration, and, when they are asked for, branches for review."""
    configuration = workspace.configuration
    if workspace.target is None:
        branches, is_apart = ReviewBranches(workspace), workspace.has_records_apart
        return State(workspace.base, workspace.tree, configuration, branches, has_records_apart=is_apart)
    return State(workspace.base, workspace.tree, configuration.guarded_by(workspace.target), in_review=True)


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


def _around_others(state: State, done: _Hydrated) -> _Hydrated:
    """Let what belongs on a branch for review fail where that holds somebody else's commits; all else lands."""
    pairs = list(zip(done.applied.steps, done.outcomes, strict=True))
    wanted = {branch: step for step, outcome in pairs if (branch := _branch(state, step, outcome))}
    files = [_record_file(state, branch, wanted.get(branch)) for branch in {*wanted, *done.applied.emptied}]
    records = recorded_proposals(state.tree.only(file for file in files if file in state.tree))
    problems = {
        branch: GitError(problem)
        for branch in sorted({*wanted, *done.applied.emptied})
        if (problem := state.branches.problem(branch, records.get(branch)))
    }
    outcomes = [
        replace(outcome, state="failed", changes=None, objects=(), error=problems[branch])
        if (branch := _branch(state, step, outcome)) in problems
        else outcome
        for step, outcome in pairs
    ]
    emptied = tuple(branch for branch in done.applied.emptied if branch not in problems)
    return replace(done, applied=replace(done.applied, emptied=emptied), outcomes=outcomes)


def _record_file(state: State, branch: str, step: Step | None) -> str:
    """Return the file that has on record what is proposed on a branch."""
    if step is None or step.branch == branch:
        return group_record_file(branch.removeprefix(OURS).split("/")[0])
    return f"{state.configuration.apps[step.app].release_folder(step.environment)}/{PROPOSED}/{PROPOSAL}"


def _around_proposals(state: State, done: _Hydrated) -> _Hydrated:
    """Hold what has the YAML that is under review already, and say what other YAML takes the place of."""
    pairs = [
        _around_proposal(state, step, outcome) for step, outcome in zip(done.applied.steps, done.outcomes, strict=True)
    ]
    steps, outcomes = [step for step, _ in pairs], [outcome for _, outcome in pairs]
    return replace(done, applied=replace(done.applied, steps=steps), outcomes=outcomes)


def _around_proposal(state: State, step: Step, outcome: Outcome) -> tuple[Step, Outcome]:
    decision = step.decision
    if decision is None:
        return step, outcome
    stays = _stays(state, step, decision, outcome)
    if stays:
        word, reasons = "held" if decision.brought else "unchanged", (*outcome.reasons, stays)
        step = replace(step, decision=replace(decision, stays=stays))
        return step, replace(outcome, state=word, changes=None, objects=(), reasons=reasons)
    replaces = decision.replaces if _branch(state, step, outcome) else ()
    return step, replace(outcome, reasons=(*outcome.reasons, *replaces))


def _stays(state: State, step: Step, decision: Decision, outcome: Outcome) -> str:
    """Say why what a step brings is held after all; nothing where it goes on."""
    if outcome.state == "changed" and decision.is_proposed_already(outcome):
        return EQUAL_TO_PROPOSED
    by_review = state.has_records_apart and state.reviews(*step.owner)
    return CHANGES_NOTHING if by_review and outcome.state == "unchanged" and decision.brought else ""


@dataclass
class _BranchChanges:
    """What the steps bring to one branch. ``changes`` of a branch for review are those of its own commit."""

    changes: Changes = field(default_factory=dict)
    steps: list[tuple[Step, Outcome]] = field(default_factory=list)


def _drafts(state: State, done: _Hydrated, intent_id: str, *, upgrade: bool) -> list[PreparedCommit]:
    """Return one draft for all that lands at once, and one for each proposal.

    A release lands only with its YAML, not when that cannot be rendered. Where it changes no YAML, and where it
    is held, it is only recorded: that needs no review, since nothing runs otherwise for it. What is on record of
    proposals and failures goes to the default branch too, in the same push.
    """
    shares: dict[str | None, _BranchChanges] = {None: _BranchChanges(dict(done.applied.recorded))}
    for step, outcome in zip(done.applied.steps, done.outcomes, strict=True):
        branch, recorded, changes = _destination(state, step, outcome, done.failures.get(step.owner))
        if recorded or (changes and branch is None):
            shares[None].changes |= recorded | (changes if branch is None else {})
            shares[None].steps.append((step, outcome))
        if changes and branch is not None:
            share = shares.setdefault(branch, _BranchChanges())
            share.changes |= changes
            share.steps.append((step, outcome))
    shares[None].changes |= _group_records(state, done, shares)
    emptied = [*done.applied.spent, *_emptied(state, shares[None].changes)]
    emptied = [branch for branch in dict.fromkeys(emptied) if branch not in shares]
    drafts = [_draft(state, done, intent_id, branch, share, upgrade=upgrade) for branch, share in shares.items()]
    return [*(draft for draft in drafts if draft.changes), *(PreparedCommit(branch, {}, "") for branch in emptied)]


def _destination(
    state: State, step: Step, outcome: Outcome, failure: HeadgateError | None
) -> tuple[str | None, Changes, Changes]:
    """Return the branch that a step goes to (None: the default one), what is recorded, and what goes to the branch."""
    decision, recorded = step.decision, dict(step.recorded)
    if outcome.state == "failed":
        error = outcome.error
        if decision is not None and error is not None and decision.wanted.brings:
            recorded |= decision.failed(failure or error)
        return None, recorded, {}
    changes = step.changes | (outcome.changes or {})
    branch = _branch(state, step, outcome)
    if decision is None:
        return branch, recorded, changes
    if outcome.state == "waiting" and state.reviews(*step.owner):
        return None, recorded | decision.waiting(outcome.waits_for), {}
    if decision.stays:
        return None, recorded | decision.staying(failure), {}
    if branch is None:
        landed = decision.landed(failure)
        return None, recorded, {**landed, **changes}
    record, on_branch = decision.proposed(changes, outcome, failure)
    return branch, recorded | record, on_branch


def _group_records(state: State, done: _Hydrated, shares: dict[str | None, _BranchChanges]) -> Changes:
    """Return what is on record of proposals of template changes; their branches end it when they are merged."""
    found: Changes = {}
    for branch in done.applied.emptied:
        file = _record_file(state, branch, None)
        share = shares.get(branch)
        if share is None or not share.changes:
            found |= {file: None} if file in state.tree else {}
            continue
        if not state.has_records_apart:
            share.changes[file] = None
        record = ProposalRecord(kind="templates", changes=changes_id(share.changes))
        data = write_record(record)
        found |= {file: data} if file not in state.tree or state.tree.read(file) != data else {}
    return found


def _emptied(state: State, changes: Changes) -> list[str]:
    """Return the branches for review whose record goes: nothing is proposed there any more."""
    gone = [path for path, data in changes.items() if data is None and path in state.tree]
    before = recorded_proposals(state.tree.only(gone))
    return [branch for branch, record in before.items() if state.branches.is_there(branch, record)]


def _draft(
    state: State, done: _Hydrated, intent_id: str, branch: str | None, share: _BranchChanges, *, upgrade: bool
) -> PreparedCommit:
    changes = dict(share.changes)
    outcomes = list({step.owner: outcome for step, outcome in share.steps}.values())
    engines = {outcome.engine for outcome in outcomes if outcome.state in ("changed", "unchanged")} - {""}
    if changes:
        changes |= lock.changes(state.configuration.lock, sorted(engines), upgrade=upgrade)
    if branch is None and changes:
        changes |= drop_unused(state.tree.with_changes(changes))
    releases = {step.owner: step.after.release for step, _ in share.steps if step.after}
    return PreparedCommit(
        branch,
        changes,
        commit_message(
            done.intent.verb,
            outcomes,
            releases,
            what=done.intent.what or ("" if outcomes else "what is under review"),
            intent=intent_id,
            actor=done.intent.actor,
            template=state.configuration.settings.commits.message,
        ),
    )


def _branch(state: State, step: Step, outcome: Outcome) -> str | None:
    if outcome.state == "changed" and state.reviews(*step.owner):
        return step.branch or review_branch(*step.owner)
    return None
