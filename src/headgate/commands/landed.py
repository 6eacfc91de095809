"""What all commands that change a manifest repository have in common: open it, resolve, land, tell."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headgate import git
from headgate.commands.hydrate import exit_code
from headgate.errors import ConfigError, GitError
from headgate.hydrate import AS_USUAL, Options
from headgate.landing import land
from headgate.report.json import outcomes_to_json
from headgate.report.terminal import Terminal
from headgate.trailer import find_intent
from headgate.workspace import open_workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from headgate.intents.protocol import Intent
    from headgate.landing import Landing
    from headgate.workspace import Workspace


@dataclass(frozen=True)
class Asked:
    """The options of every such command. ``intent`` is an id: what was landed with it is not done again."""

    manifests: str
    intent: str = ""
    diff: bool = False
    json: bool = False


def landed(asked: Asked, resolve: Callable[[Workspace], Intent], options: Options = AS_USUAL) -> int:
    """Resolve an intent on a manifest repository, land it, and tell what became of it; return the exit code."""
    terminal = Terminal(sys.stdout, quiet=asked.json)
    with open_workspace(asked.manifests) as workspace:
        before = find_intent(workspace, asked.intent) if asked.intent else ""
        if before:
            terminal.line(f"nothing to do: {asked.intent} was done by {before[:12]}")
            return 0
        landing = land(
            workspace, resolve(workspace), intent_id=asked.intent, options=options, progress=terminal.progress
        )
    _tell(landing, terminal, asked, pushed=bool(workspace.remote))
    return exit_code(landing.outcomes)


def _tell(landing: Landing, terminal: Terminal, asked: Asked, *, pushed: bool) -> None:
    for line in landing.told:
        terminal.line(line)
    if landing.outcomes or not landing.told:
        terminal.outcomes(landing.outcomes, diff=asked.diff)
    for one in landing.delivered:
        terminal.line(f"{'pushed' if pushed else 'committed'} {one.commit[:12]} to {one.branch}")
    if asked.json:
        told = list(landing.told)
        commits = [{"branch": one.branch, "commit": one.commit} for one in landing.delivered]
        print(outcomes_to_json(landing.outcomes, told=told, commits=commits))  # noqa: T201  the answer itself


def person(manifests: str) -> str:
    """Return who git says is at work. Raises ConfigError when it does not know."""
    repository = git.open_repository(Path(manifests if "://" not in manifests and Path(manifests).is_dir() else "."))
    try:
        return repository.git("config", "--get", "user.name")
    except GitError:
        raise ConfigError("who asks for it is not known", hint="say so with --by NAME") from None
