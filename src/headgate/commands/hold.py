"""``headgate pin``, ``unpin``, ``freeze``, ``thaw`` and ``remove``: intents that need nothing but what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.commands.landed import Asked, landed
from headgate.intents.held import DeliverHeld, DiscardHeld
from headgate.intents.hold import Freeze, Pin, Thaw, Unpin
from headgate.intents.protocol import expected_release, find_app
from headgate.intents.remove import Remove
from headgate.landing.land import read_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.landing.workspace import Workspace


def pin(app: str, environment: str, by: str, reason: str, asked: Asked) -> int:
    """Pin an app where it is, and return the exit code."""

    def resolve(workspace: Workspace) -> Pin:
        state = read_state(workspace)
        record = find_app(state.configuration, app, environment)
        return Pin(app, environment, by, reason, expected_release(state, record, environment))

    return landed(asked, resolve)


def unpin(app: str, environment: str, asked: Asked, actor: str = "") -> int:
    """Unpin an app, deliver what waits, and return the exit code."""
    return landed(asked, lambda _: Unpin(app, environment, actor))


def freeze(environment: str, by: str, reason: str, asked: Asked) -> int:
    """Freeze an environment and return the exit code."""
    return landed(asked, lambda _: Freeze(environment, by, reason))


def thaw(environment: str, asked: Asked, actor: str = "") -> int:
    """Thaw an environment, deliver what waits, and return the exit code."""
    return landed(asked, lambda _: Thaw(environment, actor))


def remove(app: str, environments: Sequence[str], asked: Asked, actor: str = "") -> int:
    """Remove an app, or some environments of it, and return the exit code."""
    return landed(asked, lambda _: Remove(app, tuple(environments), actor))


def deliver_held(app: str, environment: str, actor: str, reason: str, asked: Asked) -> int:
    """Deliver what is held or failed, past every hold, and return the exit code."""
    return landed(asked, lambda _: DeliverHeld(app=app, environment=environment, actor=actor, reason=reason))


def discard_held(app: str, environment: str, actor: str, reason: str, asked: Asked) -> int:
    """Discard what is held or failed, and return the exit code."""
    return landed(asked, lambda _: DiscardHeld(app=app, environment=environment, actor=actor, reason=reason))
