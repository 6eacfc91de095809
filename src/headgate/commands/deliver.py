"""``headgate deliver``: a hand-off by hand, from the app's commit to the manifest repository's."""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headgate import config, git, intent
from headgate.commands.hydrate import all_changes, exit_code
from headgate.errors import ConfigError, GitError
from headgate.hydrate import Options, Outcome, hydrate
from headgate.images import parse_reference
from headgate.layout import INPUTS
from headgate.message import commit_message
from headgate.remote import clone, fetch
from headgate.report.json import outcomes_to_json
from headgate.report.terminal import Terminal
from headgate.tree import Tree
from headgate.workspace import Delivered, Draft, open_workspace, publish

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headgate.config import Configuration
    from headgate.images import Reference
    from headgate.intent import Acceptance, HandOff
    from headgate.model import Release
    from headgate.tree import Changes

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
    diff: bool = False
    json: bool = False


@dataclass(frozen=True)
class _Applied:
    """A hand-off applied to one release."""

    acceptance: Acceptance
    release: Release
    changes: Changes


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
    with open_workspace(request.manifests) as workspace:
        tree = workspace.tree
        git.prefetch(tree, INPUTS)
        configuration = config.load(tree)
        accepted = intent.accepting(configuration, hand_off)

        applied = apply(tree, accepted, hand_off, request.source)
        changes = {path: data for one in applied.values() for path, data in one.changes.items()}
        terminal = Terminal(sys.stdout, quiet=request.json)
        targets = [(one.acceptance.record, one.acceptance.environment) for one in applied.values()]
        git.prefetch(tree, [configuration.output_folder(*owner) for owner in applied])
        outcomes = hydrate(tree.with_changes(changes), configuration, targets, Options(), terminal.progress)

        delivered = publish(workspace, to_drafts(configuration, hand_off, applied, outcomes))
    terminal.outcomes(outcomes, diff=request.diff)
    for one in delivered:
        terminal.line(f"{'pushed' if workspace.remote else 'committed'} {one.commit[:12]} to {one.branch}")
    if request.json:
        print(to_json(outcomes, delivered))  # noqa: T201  the answer itself
    return exit_code(outcomes)


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


def apply(tree: Tree, accepted: Sequence[Acceptance], hand_off: HandOff, source: str) -> dict[Owner, _Applied]:
    """Apply the hand-off to the releases of all who take it."""
    with app_source(source, hand_off.commit) if any(one.config for one in accepted) else nullcontext(Tree({})) as files:
        return {(one.record.name, one.environment): _apply_one(tree, one, hand_off, files) for one in accepted}


def _apply_one(tree: Tree, one: Acceptance, hand_off: HandOff, source: Tree) -> _Applied:
    files = None
    if one.config is not None:
        label = f"{hand_off.project} at {hand_off.commit[:12]}"
        values_only = one.record.app.template is not None
        files = intent.snapshot(source, one.config, label, environment=one.environment, values_only=values_only)
        git.prefetch(files)  # now that their sizes are known
    release, changes = intent.deliver(tree, one, hand_off, files)
    return _Applied(one, release, changes)


@contextmanager
def app_source(source: str, commit: str) -> Iterator[Tree]:
    """Open the files of an app's repository at a commit, from a folder or an address. Raises GitError."""
    if "://" not in source and Path(source).is_dir():
        repository = git.open_repository(Path(source))
        if not git.has_commit(repository, commit):
            raise GitError(f"there is no commit {commit} in {source}", hint="name the app's repository with --source")
        yield git.tree_of_commit(repository, commit)
        return
    with clone(source) as fresh:
        yield git.tree_of_commit(fresh.repository, fetch(fresh.repository, fresh.url, commit))


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
    groups += [(f"headgate/{one.environment}/{one.app}", [one]) for one in reviewed]
    what = f"{hand_off.project}@{hand_off.commit[:12]}"
    drafts = []
    for branch, group in groups:
        owners = [(one.app, one.environment) for one in group]
        changes = all_changes(configuration, group)
        for owner in owners:
            changes |= applied[owner].changes
        releases = {owner: applied[owner].release for owner in owners}
        drafts.append(Draft(branch, changes, commit_message("Deliver", group, releases, what=what)))
    return drafts


def _of(applied: Mapping[Owner, _Applied], outcome: Outcome) -> _Applied:
    return applied[outcome.app, outcome.environment]


def _delivery(configuration: Configuration, applied: Mapping[Owner, _Applied], outcome: Outcome) -> str:
    return _of(applied, outcome).acceptance.record.delivery(configuration.settings, outcome.environment)


def to_json(outcomes: Sequence[Outcome], delivered: Sequence[Delivered]) -> str:
    """Return the result as JSON."""
    return outcomes_to_json(outcomes, commits=[{"branch": one.branch, "commit": one.commit} for one in delivered])
