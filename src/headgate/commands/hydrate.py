"""``headgate hydrate``: render apps of a local manifest repository, and show, write or commit the changes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from headgate import config, signals
from headgate.bounded import first_few
from headgate.commands.exit_code import merge_codes, outcome_codes
from headgate.commands.kept_results import result_folder
from headgate.commands.options import NOTHING_WRITTEN
from headgate.engine import pool
from headgate.errors import ArgumentError, GuardError, did_you_mean
from headgate.hydration import lock
from headgate.hydration.hydrate import HydrateOptions, broken, hydrate
from headgate.message import commit_message
from headgate.records import frozen_record
from headgate.releases.release import read_release
from headgate.report.json import outcomes_to_json
from headgate.report.terminal import Terminal, summary
from headgate.repository import folder, git
from headgate.repository.commit import advance, commit_identity, make_commit
from headgate.repository.tree import prefetch
from headgate.repository.worktree import check_clean, tree_of_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from headgate.configuration import Configuration
    from headgate.hydration.hydrate import Target
    from headgate.hydration.outcome import Outcome
    from headgate.model import Release
    from headgate.repository.tree import Changes, Tree


@frozen_record(kw_only=False)
class HydrateCommandOptions:
    """The command's arguments."""

    manifests: Path
    apps: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    check: bool = False
    commit: bool = False
    diff: bool = False
    json: bool = False
    everything: bool = False
    allow_removals: bool = False
    upgrade: bool = False
    signing_key: str = ""
    sandbox: bool = True
    dry_run: bool = False


def run(request: HydrateCommandOptions) -> int:
    """Hydrate and return the exit code: 0, 1 when ``check`` found a change, else the error's."""
    repository = git.open_repository(request.manifests)
    git.use_names_of(repository)
    if request.commit:
        check_clean(repository)
    base = git.head(repository) if request.commit else ""
    pool.start_ahead()
    tree = git.tree_of_commit(repository, "HEAD") if repository.bare else tree_of_folder(repository)
    prefetch(tree)
    config.check_is_manifests(tree, str(repository.path))
    configuration = config.load(tree)
    if not request.sandbox and not request.commit:
        configuration = configuration.without_sandbox()
    targets = select(configuration, request.apps, request.environments)

    terminal = Terminal(sys.stdout, quiet=request.json)
    options = HydrateOptions(
        everything=request.everything,
        allow_removals=request.allow_removals,
        upgrade=request.upgrade,
        results=result_folder(os.environ),
    )
    outcomes = hydrate(tree, configuration, targets, options, terminal.progress)
    outcomes += broken(configuration, request.apps)

    if request.dry_run:
        _describe(terminal, tree, configuration, outcomes)
    else:
        terminal.outcomes(outcomes, diff=request.diff)
    changes = all_changes(configuration, outcomes, upgrade=request.upgrade)
    commit = ""
    if changes and request.commit:
        _check_unreviewed(configuration, outcomes)
        changed = [outcome for outcome in outcomes if outcome.changes]
        commits = configuration.settings.commits
        released = releases(tree, configuration, changed)
        message = commit_message("Hydrate", changed, released, template=commits.message)
        commit = make_commit(repository, base, changes, message, identity=commit_identity(commits, request.signing_key))
        advance(repository, commit, base)
        terminal.line(f"committed {commit[:12]} locally; 'git push' pushes it")
    elif changes and not request.check and not request.dry_run:
        with signals.deferred():
            folder.apply(repository.path, changes)
    if request.json:
        print(outcomes_to_json(outcomes, commit=commit or None))  # noqa: T201  the answer itself
    return merge_codes(outcome_codes(outcomes)) or (1 if changes and request.check else 0)


def _check_unreviewed(configuration: Configuration, outcomes: Sequence[Outcome]) -> None:
    """Refuse to commit final YAML that needs a review. Raises GuardError."""
    reviewed = [
        f"{outcome.app} in {outcome.environment}"
        for outcome in outcomes
        if outcome.state == "changed"
        and configuration.apps[outcome.app].delivery(configuration.settings, outcome.environment) == "review"
    ]
    if reviewed:
        raise GuardError(
            f"nothing was committed, since these changes need a review: {', '.join(first_few(reviewed))}",
            hint="'headgate rehydrate' commits what needs no review and proposes the rest; for a merge request of your "
            "own, hydrate on its branch without --commit",
        )


def _describe(terminal: Terminal, tree: Tree, configuration: Configuration, outcomes: Sequence[Outcome]) -> None:
    """Describe the changes as for reviewers."""
    from headgate.report.appchange import app_changes  # noqa: PLC0415  only with --dry-run
    from headgate.report.changereport import ChangeReport  # noqa: PLC0415
    from headgate.report.screen import write_change  # noqa: PLC0415
    from headgate.report.verdict import findings_of  # noqa: PLC0415

    terminal.end_progress()
    after = tree.with_changes(all_changes(configuration, outcomes))
    report = ChangeReport(changes=app_changes(tree, after, configuration), findings=findings_of(outcomes))
    write_change(terminal, report)
    terminal.line(summary(outcomes))
    terminal.line(NOTHING_WRITTEN, "bold")


def select(configuration: Configuration, apps: Sequence[str], environments: Sequence[str]) -> list[Target]:
    """Return the selected app-environments; all without a selection. Raises ArgumentError."""
    known_apps = [*configuration.apps, *(path.rsplit("/", 1)[1] for path in configuration.broken)]
    for what, names, known in (
        ("app", apps, known_apps),
        ("environment", environments, list(configuration.settings.environments)),
    ):
        for name in names:
            if name not in known:
                expected = ", ".join(sorted(known)) or "none exists yet"
                raise ArgumentError(
                    f"there is no {what} '{name}', expected one of: {expected}",
                    hint=did_you_mean(name, known),
                )
    return [
        (record, environment)
        for record, environment in configuration.pairs()
        if (not apps or record.name in apps) and (not environments or environment in environments)
    ]


def releases(tree: Tree, configuration: Configuration, outcomes: Sequence[Outcome]) -> dict[tuple[str, str], Release]:
    """Return the releases that the outcomes were hydrated from; an app without parts has none."""
    found = {}
    for outcome in outcomes:
        release = read_release(tree, configuration.apps[outcome.app], outcome.environment)
        if release is not None:
            found[outcome.app, outcome.environment] = release
    return found


def all_changes(configuration: Configuration, outcomes: Sequence[Outcome], *, upgrade: bool = False) -> Changes:
    """Return all changes of the outcomes, and those of headgate.lock."""
    changes: Changes = {}
    for outcome in outcomes:
        changes |= outcome.changes or {}
    engines = {outcome.engine for outcome in outcomes if outcome.state in ("changed", "unchanged")}
    return changes | lock.changes(configuration.lock, sorted(engines), upgrade=upgrade, lands=False)
