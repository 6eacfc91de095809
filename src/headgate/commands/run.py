"""The steps of every command that changes a manifest repository: open it, land an intent, print the result."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from headgate.commands.exit_code import merge_codes, outcome_codes
from headgate.commands.kept_results import result_folder
from headgate.engine import pool
from headgate.errors import ConfigError, GitError, HeadgateError
from headgate.hydration.hydrate import AS_USUAL, HydrateOptions
from headgate.intents.auto_promote import Follow, due, follows
from headgate.landing.land import Landing, land, read_state
from headgate.landing.migrate import migrated
from headgate.landing.mirror import write_mirrors
from headgate.landing.trailer import find_intent
from headgate.landing.workspace import open_workspace, refreshed
from headgate.records import frozen_record
from headgate.releases.deepen import open_history
from headgate.releases.version_order import no_histories
from headgate.report.json import error_to_json, outcomes_to_json
from headgate.report.terminal import Terminal
from headgate.repository import git
from headgate.repository.identity import author_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from headgate.commands.options import Resolve, RunOptions
    from headgate.intents import auto_promote
    from headgate.landing.workspace import Workspace
    from headgate.releases.history import ReleaseHistory
    from headgate.releases.version_order import Histories


@frozen_record
class RunResult:
    """What a run landed, and what failed afterwards: that error is reported, not raised, since the landing stands."""

    landings: tuple[Landing, ...]
    errors: tuple[HeadgateError, ...] = ()

    @property
    def unrendered(self) -> frozenset[str]:
        """The output folders in which nothing was rendered: of apps that wait for a hand-off, or are held."""
        outcomes = (outcome for landing in self.landings for outcome in landing.outcomes)
        return frozenset(outcome.folder for outcome in outcomes if outcome.state in ("waiting", "held"))

    def followed_by(self, lines: Iterable[str]) -> RunResult:
        """Return it with the lines of a step after the landing, and with the error that ended that step."""
        messages: list[str] = []
        errors = self.errors
        try:
            for line in lines:
                messages.append(line)  # noqa: PERF402  line by line, since what comes then may fail
        except HeadgateError as error:
            errors = (*errors, error)
        configuration = self.landings[-1].configuration
        return RunResult(
            landings=(*self.landings, Landing(messages=messages, configuration=configuration)), errors=errors
        )


def run_intent(options: RunOptions, resolve: Resolve, hydrate: HydrateOptions = AS_USUAL) -> int:
    """Land the intent of a person's command. Returns the exit code."""
    pool.start_ahead()  # while git works
    if options.dry_run:
        from headgate.commands import dry_run  # noqa: PLC0415  it loads what describes changes

        return dry_run.run(options, resolve, hydrate)
    terminal = Terminal(sys.stdout, quiet=options.json)
    with open_workspace(options.manifests, options.signing_key) as opened:
        workspace = migrated(opened)
        hydrate = replace(hydrate, results=result_folder(os.environ))
        result = land_intent(workspace, resolve, terminal, intent_id=options.intent, hydrate=hydrate)
    return print_result(result, terminal, diff=options.diff, json=options.json, pushed=bool(workspace.remote))


def land_intent(
    workspace: Workspace,
    resolve: Resolve,
    terminal: Terminal,
    *,
    intent_id: str = "",
    after: str = "",
    hydrate: HydrateOptions = AS_USUAL,
    histories: Histories = no_histories,
) -> RunResult:
    """Land an intent, the promotions that follow from it, and the mirrors.

    Does nothing if a commit after ``after`` has the ``intent_id`` already. ``histories`` say which of two
    commits of a project is newer.
    """
    if intent_id and (done_by := find_intent(workspace, intent_id, after)):
        message = f"nothing to do: {intent_id} was already done by {done_by[:12]}"
        return RunResult(landings=(Landing(messages=[message], configuration=read_state(workspace).configuration),))
    with ExitStack() as stack:
        intent = resolve(workspace, stack)
        first = land(workspace, intent, intent_id=intent_id, options=hydrate, progress=terminal.progress)
    promoted = _run_promotions(workspace, first, terminal, histories)
    configuration = promoted.landings[-1].configuration
    mirrored = write_mirrors(workspace, configuration)
    mirrors = Landing(delivered=mirrored.delivered, configuration=configuration)
    errors = (*promoted.errors, *([mirrored.error] if mirrored.error else []))
    return RunResult(landings=(*promoted.landings, mirrors), errors=errors[:1])


def _run_promotions(workspace: Workspace, first: Landing, terminal: Terminal, histories: Histories) -> RunResult:
    landings = [first]
    try:
        for landing in _promotions(workspace, first, terminal, histories):
            landings.append(landing)  # noqa: PERF402  one by one, since a later one may fail
    except HeadgateError as error:
        return RunResult(landings=tuple(landings), errors=(error,))
    return RunResult(landings=tuple(landings))


def _promotions(workspace: Workspace, first: Landing, terminal: Terminal, histories: Histories) -> Iterator[Landing]:
    """Run automatic promotions, environment by environment.

    It is derived from the default branch, so that a later run does what this one was not given the time for.
    """
    if workspace.target is not None or not follows(first.configuration):
        return
    apps = list(dict.fromkeys(outcome.app for outcome in first.outcomes))
    for _ in first.configuration.settings.environments:
        newest = refreshed(workspace)
        promotions = due(read_state(newest), apps, release_histories(newest), histories)
        if not promotions:
            break
        landing = land(newest, Follow(tuple(promotions)), progress=terminal.progress)
        yield landing
        if not landing.delivered:
            break


def release_histories(workspace: Workspace) -> auto_promote.Histories:
    """Return what opens the history of an app's release in an environment."""

    def opened(app: str, environment: str) -> AbstractContextManager[ReleaseHistory]:
        return open_history(workspace.repository, workspace.remote, workspace.base, app, environment)

    return opened


def print_result(
    result: RunResult, terminal: Terminal, *, diff: bool = False, json: bool = False, pushed: bool = True
) -> int:
    """Print the outcome of each app-environment and branch, and what failed. Returns the exit code."""
    for landing in result.landings:
        for line in landing.messages:
            terminal.line(line)
        if landing.outcomes:
            terminal.outcomes(landing.outcomes, diff=diff)
        for delivered in landing.delivered:
            terminal.line(_delivery(delivered.branch, delivered.commit, pushed=pushed))
    if not pushed and any(landing.delivered for landing in result.landings):
        terminal.line(_NOT_PUSHED, "yellow")
    if not any(landing.outcomes or landing.messages or landing.delivered for landing in result.landings):
        terminal.line("nothing to do")
    for error in result.errors:
        terminal.error(error)
    if json:
        print(_to_json(result))  # noqa: T201  the answer itself
    outcomes = [outcome for landing in result.landings for outcome in landing.outcomes]
    return merge_codes(outcome_codes(outcomes)) or next((error.code for error in result.errors), 0)


_NOT_PUSHED = (
    "committed locally, not pushed: the branch of this checkout has no upstream "
    "('git push --set-upstream REMOTE BRANCH' sets it)"
)


def _delivery(branch: str, commit: str, *, pushed: bool) -> str:
    if commit == git.NO_COMMIT:
        return f"removed {branch}"
    return f"{'pushed' if pushed else 'committed'} {commit[:12]} to {branch}"


def _to_json(result: RunResult) -> str:
    landings, error = result.landings, next(iter(result.errors), None)
    return outcomes_to_json(
        [outcome for landing in landings for outcome in landing.outcomes],
        told=[line for landing in landings for line in landing.messages],
        commits=[{"branch": item.branch, "commit": item.commit} for landing in landings for item in landing.delivered],
        error=error_to_json(error) if error else None,
    )


def actor(options: RunOptions) -> str:
    """Return the actor: ``--by``, or git's user. Raises ConfigError if there is neither."""
    try:
        return options.by or author_name(options.manifests)
    except GitError:
        raise ConfigError("git does not know who you are", hint="pass --by NAME, or set user.name") from None


def actor_if_known(options: RunOptions) -> str:
    """Return who acts; empty where that is not known."""
    try:
        return actor(options)
    except ConfigError:
        return ""
