"""What all commands that change a manifest repository have in common: open it, resolve, land, tell."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headgate.commands.hydrate import exit_code
from headgate.errors import ConfigError, GitError, HeadgateError
from headgate.hydration.hydrate import AS_USUAL, HydrateOptions
from headgate.intents.auto_promote import Follow, due, follows
from headgate.landing.land import Landing, land, read_state
from headgate.landing.migrate import migrated
from headgate.landing.mirror import write_mirrors
from headgate.landing.trailer import find_intent
from headgate.landing.workspace import open_workspace, refreshed
from headgate.releases import version_order
from headgate.releases.deepen import open_history
from headgate.report.json import error_to_json, outcomes_to_json
from headgate.report.terminal import Terminal
from headgate.repository import git

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from headgate.config import Configuration
    from headgate.intents.auto_promote import Histories
    from headgate.intents.protocol import Intent
    from headgate.landing.proof import ProofKey
    from headgate.landing.workspace import Workspace
    from headgate.model import Settings
    from headgate.releases.history import ReleaseHistory


@dataclass(frozen=True)
class PipelineHooks:
    """What a run in a pipeline does around an intent.

    ``check`` comes first, and stops it by an error; ``before`` says what people decided in GitLab meanwhile.
    ``complete`` comes last: it brings GitLab to what the repository holds, and gives what there is to say. ``branch``
    is worked on instead of the default one. ``histories`` tell which of two commits of a project is newer. ``target``,
    ``push_options`` and ``prover`` are the workspace's.
    """

    check: Callable[[Workspace], None] = lambda _workspace: None
    before: Callable[[Workspace], Intent | None] = lambda _workspace: None
    complete: Callable[[Workspace, Sequence[Landing]], Iterable[str]] = lambda _workspace, _landings: ()
    branch: str = ""
    target: Settings | None = None
    push_options: Callable[[Configuration, str], tuple[str, ...]] | None = None
    prover: ProofKey | None = None
    histories: version_order.Histories = version_order.no_histories


@dataclass(frozen=True)
class RunOptions:
    """The options of every such command. ``intent`` is an id: what was landed with it is not done again.

    ``after`` is a commit of the default branch from before the intent.
    """

    manifests: str
    intent: str = ""
    diff: bool = False
    json: bool = False
    signing_key: str = ""
    around: PipelineHooks = PipelineHooks()
    after: str = ""


def run_intent(asked: RunOptions, resolve: Callable[[Workspace], Intent], options: HydrateOptions = AS_USUAL) -> int:
    """Resolve an intent on a manifest repository, land it with what follows from it, and tell; return the exit code."""
    terminal = Terminal(sys.stdout, quiet=asked.json)
    around = asked.around
    with open_workspace(asked.manifests, asked.signing_key, around.branch) as opened:
        workspace = replace(opened, target=around.target, push_options=around.push_options, prover=around.prover)
        around.check(workspace)
        workspace = _brought_up_to_date(migrated(workspace), around, terminal)
        done_by = find_intent(workspace, asked.intent, asked.after) if asked.intent else ""
        if done_by:
            landings, error = [_done_already(workspace, asked.intent, done_by)], None
        else:
            landings, error = _land(workspace, resolve(workspace), asked, options, terminal)
        completed = _completed(workspace, landings, around)
    errors = [one for one in (error, completed.error) if one is not None]
    _print_result([*landings, completed.landing], errors, terminal, asked, pushed=bool(workspace.remote))
    code = exit_code([one for landing in landings for one in landing.outcomes])
    return code or next((one.code for one in errors), 0)


def _brought_up_to_date(workspace: Workspace, around: PipelineHooks, terminal: Terminal) -> Workspace:
    """Put on record what people said in merge requests since the last run, before anything is decided."""
    intent = around.before(workspace)
    if intent is None:
        return workspace
    for line in land(workspace, intent, progress=terminal.progress).messages:
        terminal.line(line)
    return refreshed(workspace)


def _land(
    workspace: Workspace, intent: Intent, asked: RunOptions, options: HydrateOptions, terminal: Terminal
) -> tuple[list[Landing], HeadgateError | None]:
    """Land an intent, with what follows from it and the mirrors; return also what went wrong after it."""
    first = land(workspace, intent, intent_id=asked.intent, options=options, progress=terminal.progress)
    landings, error = _with_what_follows(workspace, first, terminal, asked.around)
    mirrored = write_mirrors(workspace, landings[-1].configuration)
    landings.append(Landing(delivered=mirrored.delivered, configuration=first.configuration))
    return landings, error or mirrored.error


@dataclass(frozen=True)
class _Completed:
    landing: Landing
    error: HeadgateError | None = None


def _completed(workspace: Workspace, landings: Sequence[Landing], around: PipelineHooks) -> _Completed:
    """Bring what is outside of the repository up to it. What has landed has landed: an error is told, not raised."""
    configuration = landings[-1].configuration
    told: list[str] = []
    failure = None
    try:
        for line in around.complete(workspace, landings):
            told.append(line)  # noqa: PERF402  one by one, since what comes then may fail
    except HeadgateError as error:
        failure = error
    return _Completed(Landing(messages=told, configuration=configuration), failure)


def _done_already(workspace: Workspace, intent: str, commit: str) -> Landing:
    messages = [f"nothing to do: {intent} was done by {commit[:12]}"]
    return Landing(messages=messages, configuration=read_state(workspace).configuration)


def _with_what_follows(
    workspace: Workspace, first: Landing, terminal: Terminal, around: PipelineHooks
) -> tuple[list[Landing], HeadgateError | None]:
    """Return the landing with those that followed, and what went wrong after it: it has landed all the same."""
    landings = [first]
    try:
        for landing in _followed(workspace, first, terminal, around):
            landings.append(landing)  # noqa: PERF402  one by one, since a later one may fail
    except HeadgateError as error:
        return landings, error
    return landings, None


def _followed(workspace: Workspace, first: Landing, terminal: Terminal, around: PipelineHooks) -> Iterator[Landing]:
    """Promote what follows by itself from what landed, environment by environment.

    It is derived from the default branch, so that a later run does what this one was not given the time for.
    """
    if workspace.target is not None or not follows(first.configuration):
        return
    apps = list(dict.fromkeys(outcome.app for outcome in first.outcomes))
    for _ in first.configuration.settings.environments:
        newest = refreshed(workspace)
        promotions = due(read_state(newest), apps, histories(newest), around.histories)
        if not promotions:
            break
        landing = land(newest, Follow(tuple(promotions)), progress=terminal.progress)
        yield landing
        if not landing.delivered:
            break


def histories(workspace: Workspace) -> Histories:
    """Return what opens the history of an app's release in an environment."""

    def opened(app: str, environment: str) -> AbstractContextManager[ReleaseHistory]:
        return open_history(workspace.repository, workspace.remote, workspace.base, app, environment)

    return opened


def _print_result(
    landings: list[Landing], errors: Sequence[HeadgateError], terminal: Terminal, asked: RunOptions, *, pushed: bool
) -> None:
    for landing in landings:
        for line in landing.messages:
            terminal.line(line)
        if landing.outcomes:
            terminal.outcomes(landing.outcomes, diff=asked.diff)
        for one in landing.delivered:
            verb = "removed" if one.commit == git.NO_COMMIT else "pushed" if pushed else "committed"
            terminal.line(f"{verb} {one.branch}" if verb == "removed" else f"{verb} {one.commit[:12]} to {one.branch}")
    if not any(one.outcomes or one.messages or one.delivered for one in landings):
        terminal.line("nothing to do")
    for error in errors:
        terminal.error(error)
    if asked.json:
        print(_to_json(landings, next(iter(errors), None)))  # noqa: T201  the answer itself


def _to_json(landings: list[Landing], error: HeadgateError | None) -> str:
    outcomes = [one for landing in landings for one in landing.outcomes]
    commits = [{"branch": one.branch, "commit": one.commit} for landing in landings for one in landing.delivered]
    told = [line for landing in landings for line in landing.messages]
    return outcomes_to_json(outcomes, told=told, commits=commits, error=error_to_json(error) if error else None)


def person(manifests: str) -> str:
    """Return who git says is at work. Raises ConfigError when it does not know."""
    try:
        return git.author_name(manifests)
    except GitError:
        raise ConfigError("git does not know who you are", hint="pass --by NAME, or set user.name") from None


def person_if_known(manifests: str) -> str:
    """Return who git says is at work; empty where it does not know."""
    try:
        return person(manifests)
    except ConfigError:
        return ""
