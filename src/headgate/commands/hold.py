"""``headgate pin``, ``unpin``, ``freeze``, ``thaw`` and ``remove``: intents that need nothing but what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.commands.run_intent import RunOptions, run_intent
from headgate.intents.decide_held import DeliverHeld, DiscardHeld
from headgate.intents.hold import Freeze, Pin, Thaw, Unpin
from headgate.intents.protocol import expected_release, find_app
from headgate.intents.remove import Remove
from headgate.landing.land import read_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.landing.workspace import Workspace


def pin(app: str, environment: str, by: str, reason: str, asked: RunOptions) -> int:
    """Pin an app where it is, and return the exit code."""

    def resolve(workspace: Workspace) -> Pin:
        state = read_state(workspace)
        record = find_app(state.configuration, app, environment)
        return Pin(
            app=app,
            environment=environment,
            actor=by,
            reason=reason,
            expected=expected_release(state, record, environment),
        )

    return run_intent(asked, resolve)


def unpin(app: str, environment: str, asked: RunOptions, actor: str = "") -> int:
    """Unpin an app, deliver what waits, and return the exit code."""
    return run_intent(asked, lambda _: Unpin(app, environment, actor))


def freeze(environment: str, by: str, reason: str, asked: RunOptions) -> int:
    """Freeze an environment and return the exit code."""
    return run_intent(asked, lambda _: Freeze(environment, by, reason))


def thaw(environment: str, asked: RunOptions, actor: str = "") -> int:
    """Thaw an environment, deliver what waits, and return the exit code."""
    return run_intent(asked, lambda _: Thaw(environment, actor))


def remove(app: str, environments: Sequence[str], asked: RunOptions, actor: str = "") -> int:
    """Remove an app, or some environments of it, and return the exit code."""
    return run_intent(asked, lambda _: Remove(app, tuple(environments), actor))


def deliver_held(app: str, environment: str, actor: str, reason: str, asked: RunOptions) -> int:
    """Deliver what is held or failed, past every hold, and return the exit code."""
    return run_intent(asked, lambda _: DeliverHeld(app=app, environment=environment, actor=actor, reason=reason))


def discard_held(app: str, environment: str, actor: str, reason: str, asked: RunOptions) -> int:
    """Discard what is held or failed, and return the exit code."""
    return run_intent(asked, lambda _: DiscardHeld(app=app, environment=environment, actor=actor, reason=reason))
