"""``headgate deliver``: a hand-off by hand, from the app's commit to the manifest repository's."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate import config, git, intent
from headgate.commands.hydrate import all_changes, exit_code
from headgate.errors import ConfigError
from headgate.hydrate import Options, Outcome, hydrate
from headgate.images import parse_reference
from headgate.layout import INPUTS
from headgate.message import commit_message
from headgate.mirror import write_mirrors
from headgate.order import Decision, only_newer
from headgate.release import read_release
from headgate.report.json import error_to_json, outcomes_to_json
from headgate.report.terminal import Terminal
from headgate.source import AppSource, app_source
from headgate.workspace import Delivered, Draft, Workspace, open_workspace, proposed_tree, publish, until_landed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.config import Configuration
    from headgate.errors import HeadgateError
    from headgate.images import Reference
    from headgate.intent import Acceptance, HandOff
    from headgate.model import Release
    from headgate.tree import Changes, Tree

Owner = tuple[str, str]


@dataclass(frozen=True)
class Request:
    """The command's arguments."""

    manifests: str
    project: str
    commit: str
    ref: str
    source: str
    images: tuple[str, ...] = ()
    pipeline: int | None = None
    allow_diverged: bool = False
    diff: bool = False
    json: bool = False
    signing_key: str = ""


@dataclass(frozen=True)
class _Applied:
    """A hand-off applied to one release. Without parts, nothing of it is newer."""

    acceptance: Acceptance
    superseded: tuple[str, ...]
    release: Release
    changes: Changes


@dataclass(frozen=True)
class _Delivery:
    """What one attempt gave."""

    outcomes: list[Outcome]
    delivered: list[Delivered]
    configuration: Configuration


def run(request: Request) -> int:
    """Hand off, hydrate, commit, push; return the exit code: 0, or the error's."""
    hand_off = intent.HandOff(
        request.project,
        request.commit,
        intent.full_ref(request.ref),
        references(request.images),
        request.pipeline,
    )
    intent.check(hand_off)
    terminal = Terminal(sys.stdout, quiet=request.json)
    with (
        open_workspace(request.manifests, request.signing_key) as workspace,
        app_source(request.source, request.commit) as source,
    ):
        delivery = until_landed(
            workspace,
            lambda newest: _attempt(newest, hand_off, source, terminal, allow_diverged=request.allow_diverged),
        )
        mirrored = write_mirrors(workspace, delivery.configuration)
    delivered = [*delivery.delivered, *mirrored.delivered]
    terminal.outcomes(delivery.outcomes, diff=request.diff)
    for one in delivered:
        terminal.line(f"{'pushed' if workspace.remote else 'committed'} {one.commit[:12]} to {one.branch}")
    if request.json:
        print(to_json(delivery.outcomes, delivered, mirrored.error))  # noqa: T201  the answer itself
    if mirrored.error is not None:
        terminal.error(mirrored.error)
    return exit_code(delivery.outcomes) or (mirrored.error.code if mirrored.error else 0)


def _attempt(
    workspace: Workspace, hand_off: HandOff, source: AppSource, terminal: Terminal, *, allow_diverged: bool
) -> _Delivery:
    """Apply the hand-off to the newest commit, hydrate, and push. Raises ConflictError when somebody was faster."""
    tree = workspace.tree
    git.prefetch(tree, INPUTS)
    configuration = config.load(tree)
    applied: dict[Owner, _Applied] = {}
    for one in intent.accepting(configuration, hand_off):
        decision = _decide(workspace, tree, configuration, one, hand_off, source, allow_diverged=allow_diverged)
        applied[one.record.name, one.environment] = _apply(tree, decision, hand_off, source)

    changes = {path: data for one in applied.values() for path, data in one.changes.items()}
    targets = [
        (one.acceptance.record, one.acceptance.environment) for one in applied.values() if one.acceptance.has_parts
    ]
    git.prefetch(tree, [configuration.output_folder(*owner) for owner in applied])
    hydrated = hydrate(tree.with_changes(changes), configuration, targets, Options(), terminal.progress)
    by_owner = {(one.app, one.environment): one for one in hydrated}
    outcomes = [by_owner.get(owner) or _without_parts(configuration, owner, applied[owner]) for owner in applied]
    drafts = to_drafts(configuration, hand_off, applied, outcomes)
    return _Delivery(outcomes, publish(workspace, drafts, configuration.settings.commits), configuration)


def _without_parts(configuration: Configuration, owner: Owner, applied: _Applied) -> Outcome:
    state = "superseded" if applied.superseded else "unchanged"
    return Outcome(*owner, configuration.output_folder(*owner), state, superseded=applied.superseded)


def _decide(
    workspace: Workspace,
    tree: Tree,
    configuration: Configuration,
    one: Acceptance,
    hand_off: HandOff,
    source: AppSource,
    *,
    allow_diverged: bool,
) -> Decision:
    """Keep what is newer than all that was released and all that is proposed."""
    trees = [tree]
    if one.record.delivery(configuration.settings, one.environment) == "review":
        proposed = proposed_tree(workspace, review_branch(one.record.name, one.environment))
        trees += [proposed] if proposed is not None else []
    releases = [read_release(known, one.record, one.environment) for known in trees]
    known = [release.newest for release in releases if release is not None]
    rule = intent.order_rule(configuration, one, hand_off.ref)
    return only_newer(one, hand_off, known, rule, source.is_ancestor, allow_diverged=allow_diverged)


def _apply(tree: Tree, decision: Decision, hand_off: HandOff, source: AppSource) -> _Applied:
    one = decision.acceptance
    files = None
    if one.config is not None:
        label = f"{hand_off.project} at {hand_off.commit[:12]}"
        values_only = one.record.app.template is not None
        files = intent.snapshot(source.files(), one.config, label, environment=one.environment, values_only=values_only)
        git.prefetch(files)  # now that their sizes are known
    release, changes = intent.deliver(tree, one, hand_off, files)
    return _Applied(one, decision.superseded, release, changes if one.has_parts else {})


def references(images: Sequence[str]) -> tuple[Reference, ...]:
    """Read images as given: ``REPOSITORY:TAG@DIGEST``. Raises ConfigError."""
    parsed = tuple(parse_reference(image) for image in images)
    for image, reference in zip(images, parsed, strict=True):
        if not reference.tag or not reference.digest:
            raise ConfigError(
                f"'{image}' has no {'tag' if not reference.tag else 'digest'}, expected REPOSITORY:TAG@sha256:...",
                hint="the digest is what 'docker push' or 'docker buildx imagetools inspect' prints",
            )
    return parsed


def review_branch(app: str, environment: str) -> str:
    """Return the branch on which changes of an app wait for review."""
    return f"headgate/{environment}/{app}"


def to_drafts(
    configuration: Configuration,
    hand_off: HandOff,
    applied: Mapping[Owner, _Applied],
    outcomes: Sequence[Outcome],
) -> list[Draft]:
    """Return one draft for all that is delivered at once, and one for each that is reviewed.

    A release lands only with its YAML: not when the app failed, and not when nothing would change.
    """
    landing = [
        one for one in outcomes if one.state == "changed" or (one.state == "waiting" and _of(applied, one).changes)
    ]
    direct = [one for one in landing if _delivery(configuration, applied, one) == "commit"]
    reviewed = [one for one in landing if one not in direct]
    groups: list[tuple[str | None, list[Outcome]]] = [(None, direct)] if direct else []
    groups += [(review_branch(one.app, one.environment), [one]) for one in reviewed]
    what = f"{hand_off.project}@{hand_off.commit[:12]}"
    drafts = []
    for branch, group in groups:
        owners = [(one.app, one.environment) for one in group]
        changes = all_changes(configuration, group)
        for owner in owners:
            changes |= applied[owner].changes
        releases = {owner: applied[owner].release for owner in owners}
        message = commit_message("Deliver", group, releases, what=what, template=configuration.settings.commits.message)
        drafts.append(Draft(branch, changes, message))
    return drafts


def _of(applied: Mapping[Owner, _Applied], outcome: Outcome) -> _Applied:
    return applied[outcome.app, outcome.environment]


def _delivery(configuration: Configuration, applied: Mapping[Owner, _Applied], outcome: Outcome) -> str:
    return _of(applied, outcome).acceptance.record.delivery(configuration.settings, outcome.environment)


def to_json(outcomes: Sequence[Outcome], delivered: Sequence[Delivered], error: HeadgateError | None = None) -> str:
    """Return the result as JSON; ``error`` is what went wrong after all had landed."""
    commits = [{"branch": one.branch, "commit": one.commit} for one in delivered]
    return outcomes_to_json(outcomes, commits=commits, error=error_to_json(error) if error else None)
