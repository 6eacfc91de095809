"""What all commands that change a manifest repository have in common: open it, resolve, land, tell."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from headgate import git
from headgate.commands.hydrate import exit_code
from headgate.errors import ConfigError, GitError, HeadgateError
from headgate.hydrate import AS_USUAL, Options
from headgate.intents.follow import Follow, due, follows
from headgate.landing import Landing, land, read_state
from headgate.mirror import write_mirrors
from headgate.past import open_history
from headgate.report.json import error_to_json, outcomes_to_json
from headgate.report.terminal import Terminal
from headgate.trailer import find_intent
from headgate.workspace import open_workspace, refreshed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from headgate.history import History
    from headgate.intents.protocol import Intent
    from headgate.workspace import Workspace


@dataclass(frozen=True)
class Asked:
    """The options of every such command. ``intent`` is an id: what was landed with it is not done again."""

    manifests: str
    intent: str = ""
    diff: bool = False
    json: bool = False
    signing_key: str = ""


def landed(asked: Asked, resolve: Callable[[Workspace], Intent], options: Options = AS_USUAL) -> int:
    """Resolve an intent on a manifest repository, land it with what follows from it, and tell; return the exit code."""
    terminal = Terminal(sys.stdout, quiet=asked.json)
    with open_workspace(asked.manifests, asked.signing_key) as workspace:
        done_by = find_intent(workspace, asked.intent) if asked.intent else ""
        if done_by:
            _tell([_done_already(workspace, asked.intent, done_by)], None, terminal, asked, pushed=False)
            return 0
        first = land(workspace, resolve(workspace), intent_id=asked.intent, options=options, progress=terminal.progress)
        landings, error = _with_what_follows(workspace, first, terminal)
        mirrored = write_mirrors(workspace, landings[-1].configuration)
    landings.append(Landing([], (), list(mirrored.delivered), first.configuration))
    error = error or mirrored.error
    _tell(landings, error, terminal, asked, pushed=bool(workspace.remote))
    code = exit_code([one for landing in landings for one in landing.outcomes])
    return code or (error.code if error else 0)


def _done_already(workspace: Workspace, intent: str, commit: str) -> Landing:
    return Landing([], (f"nothing to do: {intent} was done by {commit[:12]}",), [], read_state(workspace).configuration)


def _with_what_follows(
    workspace: Workspace, first: Landing, terminal: Terminal
) -> tuple[list[Landing], HeadgateError | None]:
    """Return the landing with those that followed, and what went wrong after it: it has landed all the same."""
    landings = [first]
    try:
        for landing in _followed(workspace, first, terminal):
            landings.append(landing)  # noqa: PERF402  one by one, since a later one may fail
    except HeadgateError as error:
        return landings, error
    return landings, None


def _followed(workspace: Workspace, first: Landing, terminal: Terminal) -> Iterator[Landing]:
    """Promote what follows by itself from what landed, environment by environment.

    It is derived from the default branch, so that a later run does what this one was not given the time for.
    """
    if not follows(first.configuration):
        return
    apps = list(dict.fromkeys(outcome.app for outcome in first.outcomes))
    for _ in first.configuration.settings.environments:
        newest = refreshed(workspace)
        promotions = due(read_state(newest), apps, _histories(newest), datetime.now(UTC))
        if not promotions:
            break
        landing = land(newest, Follow(tuple(promotions)), progress=terminal.progress)
        yield landing
        if not landing.delivered:
            break


def _histories(workspace: Workspace) -> Callable[[str, str], AbstractContextManager[History]]:
    def histories(app: str, environment: str) -> AbstractContextManager[History]:
        return open_history(workspace.repository, workspace.remote, workspace.base, app, environment)

    return histories


def _tell(
    landings: list[Landing], error: HeadgateError | None, terminal: Terminal, asked: Asked, *, pushed: bool
) -> None:
    for landing in landings:
        for line in landing.told:
            terminal.line(line)
        if landing.outcomes:
            terminal.outcomes(landing.outcomes, diff=asked.diff)
        for one in landing.delivered:
            verb = "removed" if one.commit == git.NO_COMMIT else "pushed" if pushed else "committed"
            terminal.line(f"{verb} {one.branch}" if verb == "removed" else f"{verb} {one.commit[:12]} to {one.branch}")
    if not any(one.outcomes or one.told or one.delivered for one in landings):
        terminal.line("nothing to do")
    if error is not None:
        terminal.error(error)
    if asked.json:
        print(_to_json(landings, error))  # noqa: T201  the answer itself


def _to_json(landings: list[Landing], error: HeadgateError | None) -> str:
    outcomes = [one for landing in landings for one in landing.outcomes]
    commits = [{"branch": one.branch, "commit": one.commit} for landing in landings for one in landing.delivered]
    told = [line for landing in landings for line in landing.told]
    return outcomes_to_json(outcomes, told=told, commits=commits, error=error_to_json(error) if error else None)


def person(manifests: str) -> str:
    """Return who git says is at work. Raises ConfigError when it does not know."""
    repository = git.open_repository(Path(manifests if "://" not in manifests and Path(manifests).is_dir() else "."))
    try:
        return repository.git("config", "--get", "user.name")
    except GitError:
        raise ConfigError("who asks for it is not known", hint="say so with --by NAME") from None
