"""An intent, landed: applied to the newest commit, hydrated, and brought to its branches, until nobody was faster."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headgate import config, git, lock, output
from headgate.hydrate import AS_USUAL, Options, Outcome, hydrate
from headgate.intents.protocol import State
from headgate.intents.versions import drop_unused
from headgate.layout import APPS, ENVIRONMENTS
from headgate.message import commit_message
from headgate.workspace import Draft, find_proposal, publish, until_landed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from headgate.config import Configuration
    from headgate.intents.protocol import Intent, Step
    from headgate.tree import Changes, Tree
    from headgate.workspace import Delivered, Proposal, Workspace


@dataclass(frozen=True)
class Landing:
    """What became of an intent: an outcome per app-environment, and the commits that were made."""

    outcomes: list[Outcome]
    delivered: list[Delivered]


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


def _attempt(
    workspace: Workspace, intent: Intent, intent_id: str, options: Options, progress: Callable[[str, str], None]
) -> Landing:
    state = read_state(workspace)
    steps = intent.apply(state)
    after = state.tree.with_changes(_merged(change for step in steps for change in (step.recorded, step.changes)))
    configuration = _configuration_after(state, after, steps)
    targets = [(configuration.apps[step.record.name], step.environment) for step in steps if step.hydrates]
    git.prefetch(after, [configuration.output_folder(*step.owner) for step in steps])
    hydrated = hydrate(after, configuration, targets, replace(options, explicit=intent.explicit), progress)
    by_owner = {(one.app, one.environment): one for one in hydrated}
    outcomes = [_outcome(state, configuration, step, by_owner) for step in steps]
    drafts = _drafts(state, configuration, intent, intent_id or intent.id, list(zip(steps, outcomes, strict=True)))
    return Landing(outcomes, publish(workspace, drafts))


def read_state(workspace: Workspace) -> State:
    """Read a workspace's commit: its files, its configuration, and, when they are asked for, open proposals."""
    tree = workspace.tree

    def proposed(app: str, environment: str) -> Proposal | None:
        return find_proposal(workspace, review_branch(app, environment))

    return State(workspace.base, tree, config.load(tree), proposed)


def review_branch(app: str, environment: str) -> str:
    """Return the branch on which changes of an app wait for review."""
    return f"headgate/{environment}/{app}"


def _configuration_after(state: State, after: Tree, steps: Sequence[Step]) -> Configuration:
    """Read the configuration anew only when a step changes it."""
    changed = {path for step in steps for path in (*step.changes, *step.recorded)}
    concerned = any(
        path.endswith("/app.yaml") and "/releases/" not in path
        if path.startswith(f"{APPS}/")
        else path.startswith(f"{ENVIRONMENTS}/")
        for path in changed
    )
    return config.load(after) if concerned else state.configuration


def _outcome(
    state: State, configuration: Configuration, step: Step, hydrated: dict[tuple[str, str], Outcome]
) -> Outcome:
    if step.hydrates:
        return replace(hydrated[step.owner], reasons=(*step.reasons, *hydrated[step.owner].reasons))
    folder = configuration.output_folder(*step.owner)
    blank = Outcome(*step.owner, folder, step.state, reasons=step.reasons)
    if not step.removes:
        return blank
    changes = output.removal(state.tree, folder)
    return replace(
        blank, state="changed", changes=changes, objects=tuple(output.object_changes(state.tree, folder, changes))
    )


def _drafts(
    state: State, configuration: Configuration, intent: Intent, intent_id: str, done: Sequence[tuple[Step, Outcome]]
) -> list[Draft]:
    """Return one draft for all that lands at once, and one for each proposal.

    A release lands only with its YAML, not when that cannot be rendered. Where it changes no YAML, and where it
    waits, it is only recorded: that needs no review, since nothing runs otherwise for it.
    """
    groups: dict[str | None, list[tuple[Step, Outcome, Changes]]] = {}
    for step, outcome in done:
        if outcome.state == "failed":
            continue
        if step.recorded:
            groups.setdefault(None, []).append((step, outcome, step.recorded))
        branch = _branch(state, step, outcome)
        if step.changes or outcome.changes:
            groups.setdefault(branch, []).append((step, outcome, step.changes | (outcome.changes or {})))
    drafts = []
    for branch, group in groups.items():
        changes = _merged(one[2] for one in group)
        engines = {
            outcome.engine for _, outcome, _ in group if outcome.state in ("changed", "unchanged") and outcome.engine
        }
        changes |= lock.changes(configuration.lock, sorted(engines), upgrade=False)
        if branch is None:
            changes |= drop_unused(state.tree.with_changes(changes))
        outcomes = list({(one.app, one.environment): one for _, one, _ in group}.values())
        releases = {step.owner: step.after.release for step, _, _ in group if step.after}
        message = commit_message(intent.verb, outcomes, releases, what=intent.what, intent=intent_id)
        drafts.append(Draft(branch, changes, message))
    return drafts


def _branch(state: State, step: Step, outcome: Outcome) -> str | None:
    changes_what_runs = bool(outcome.changes)
    if changes_what_runs and state.reviews(step.record, step.environment):
        return step.branch or review_branch(*step.owner)
    return None


def _merged(changes: Iterable[Changes]) -> Changes:
    merged: Changes = {}
    for one in changes:
        merged |= one
    return merged
