"""``headgate promote``: what one environment runs, in another."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.commands.run_intent import RunOptions, histories, run_intent
from headgate.intents.auto_promote import Follow, due, follows
from headgate.intents.promote import PartOrder, Promote, promotion
from headgate.landing.land import read_state
from headgate.releases.deepen import open_history
from headgate.releases.history import commits_of
from headgate.releases.source import app_source

if TYPE_CHECKING:
    from headgate.landing.workspace import Workspace


@dataclass(frozen=True)
class PromoteOptions:
    """The command's arguments. ``repository`` is the app's, where that is to tell newer from older."""

    app: str
    source: str
    target: str
    repository: str = ""
    allow_older: bool = False
    actor: str = ""


def run(request: PromoteOptions, asked: RunOptions) -> int:
    """Promote and return the exit code: 0, or the error's."""
    with ExitStack() as stack:

        def resolve(workspace: Workspace) -> Promote:
            past = open_history(workspace.repository, workspace.remote, workspace.base, request.app, request.source)
            named = stack.enter_context(app_source(request.repository, "")) if request.repository else None
            commits = commits_of(stack.enter_context(past))
            return promotion(
                read_state(workspace),
                request.app,
                request.source,
                request.target,
                PartOrder(commits, (lambda _project: named) if named else asked.around.histories),
                allow_older=request.allow_older,
                actor=request.actor,
            )

        return run_intent(asked, resolve)


def follow(asked: RunOptions) -> int:
    """Promote what is due of all apps, which an earlier run left or which had to wait; return the exit code."""

    def resolve(workspace: Workspace) -> Follow:
        state = read_state(workspace)
        if not follows(state.configuration):
            return Follow(())
        return Follow(tuple(due(state, list(state.configuration.apps), histories(workspace), asked.around.histories)))

    return run_intent(asked, resolve)
