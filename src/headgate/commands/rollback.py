"""``headgate roll-back``: what an environment ran before, until somebody says otherwise."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from headgate.commands.run_intent import RunOptions, run_intent
from headgate.intents.rollback import RollBack, RollBackRequest, roll_back
from headgate.landing.land import read_state
from headgate.releases.deepen import open_history

if TYPE_CHECKING:
    from collections.abc import Callable

    from headgate.landing.workspace import Workspace
    from headgate.releases.history import ReleaseHistory


def run(wanted: RollBackRequest, asked: RunOptions) -> int:
    """Roll back and return the exit code: 0, or the error's."""
    with ExitStack() as stack:

        def resolve(workspace: Workspace) -> RollBack:
            past = open_history(
                workspace.repository, workspace.remote, workspace.base, wanted.app, wanted.environment, _enough(wanted)
            )
            return roll_back(read_state(workspace), wanted, stack.enter_context(past))

        return run_intent(asked, resolve)


def _enough(wanted: RollBackRequest) -> Callable[[ReleaseHistory], bool]:
    """Tell when so much of the past is known that the steps can be counted."""
    steps = int(wanted.to) if wanted.to.isdigit() else 0
    return lambda history: bool(steps) and len({step.runs for step in history.versions}) > steps
