"""The verbs of people: each makes its intent from what is in the repository, for a command and for the form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.commands.run import release_histories
from headgate.health.read import no_health
from headgate.intents.auto_promote import Follow, due, follows, health_owners
from headgate.intents.decide_held import DeliverHeld, DiscardHeld
from headgate.intents.hold import Freeze, Pin, Thaw, Unpin
from headgate.intents.on_failure import OnFailure, failed, rolls_back
from headgate.intents.promote import PartOrder, promotion
from headgate.intents.refresh import Refresh
from headgate.intents.rehydrate import Rehydrate
from headgate.intents.remove import Remove
from headgate.intents.rollback import RollBackRequest, roll_back
from headgate.landing.land import read_state
from headgate.releases.deepen import open_history
from headgate.releases.history import commits_of
from headgate.releases.source import app_source
from headgate.releases.version_order import no_histories

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack

    from headgate.commands.options import Resolve
    from headgate.gitlab.event import Form
    from headgate.health.read import ReadHealth
    from headgate.intents.protocol import Intent
    from headgate.landing.workspace import Workspace
    from headgate.releases.history import ReleaseHistory
    from headgate.releases.version_order import Histories


def promote(
    app: str,
    *,
    source: str,
    target: str,
    actor: str,
    repository: str = "",
    allow_older: bool = False,
    histories: Histories = no_histories,
) -> Resolve:
    """Promote the release of ``source``. The app's ``repository``, else ``histories``, say which version is newer."""

    def resolve(workspace: Workspace, stack: ExitStack) -> Intent:
        opened = open_history(workspace.repository, workspace.remote, workspace.base, app, source)
        named = stack.enter_context(app_source(repository, "")) if repository else None
        order = PartOrder(commits_of(stack.enter_context(opened)), (lambda _project: named) if named else histories)
        return promotion(read_state(workspace), app, source, target, order, allow_older=allow_older, actor=actor)

    return resolve


def promote_due(histories: Histories, read: ReadHealth = no_health) -> Resolve:
    """Run all due promotions: those that an earlier run left, and those that waited; ``read`` gives the health."""

    def resolve(workspace: Workspace, _stack: ExitStack) -> Intent:
        state = read_state(workspace)
        if not follows(state.configuration):
            return Follow(())
        owners = health_owners(state.configuration)
        health = read(workspace, state.configuration, owners) if owners else {}
        opened = release_histories(workspace)
        return Follow(tuple(due(state, list(state.configuration.apps), opened, histories, health.get)))

    return resolve


def roll_back_failed(read: ReadHealth) -> Resolve:
    """Roll back new versions that failed in the cluster, if headgate.yaml says so."""

    def resolve(workspace: Workspace, _stack: ExitStack) -> Intent:
        state = read_state(workspace)
        owners = rolls_back(state.configuration)
        health = read(workspace, state.configuration, owners) if owners else {}
        return OnFailure(tuple(failed(state, health, release_histories(workspace))))

    return resolve


def go_back(request: RollBackRequest) -> Resolve:
    """Roll an app back to an earlier release."""

    def resolve(workspace: Workspace, stack: ExitStack) -> Intent:
        opened = open_history(
            workspace.repository,
            workspace.remote,
            workspace.base,
            request.app,
            request.environment,
            _reaches(request.to),
        )
        return roll_back(read_state(workspace), request, stack.enter_context(opened))

    return resolve


def _reaches(to: str) -> Callable[[ReleaseHistory], bool]:
    """Return a test whether enough of the history is read to count the steps back."""
    steps = int(to) if to.isdigit() else 0
    return lambda history: bool(steps) and len({step.runs for step in history.versions}) > steps


def pin(app: str, environment: str, actor: str, reason: str) -> Resolve:
    """Pin an app in an environment."""

    def resolve(workspace: Workspace, _stack: ExitStack) -> Intent:
        expected = read_state(workspace).find(app, environment).fingerprint
        return Pin(app=app, environment=environment, actor=actor, reason=reason, expected=expected)

    return resolve


def unpin(app: str, environment: str, actor: str) -> Resolve:
    """Unpin an app, and deliver what was held."""
    return lambda _workspace, _stack: Unpin(app, environment, actor)


def freeze(environment: str, actor: str, reason: str) -> Resolve:
    """Freeze an environment."""
    return lambda _workspace, _stack: Freeze(environment, actor, reason)


def thaw(environment: str, actor: str) -> Resolve:
    """Thaw an environment, and deliver what was held."""
    return lambda _workspace, _stack: Thaw(environment, actor)


def deliver_held(app: str, environment: str, actor: str, reason: str) -> Resolve:
    """Deliver held and failed versions despite every hold."""
    return lambda _workspace, _stack: DeliverHeld(app=app, environment=environment, actor=actor, reason=reason)


def discard_held(app: str, environment: str, actor: str, reason: str) -> Resolve:
    """Discard held and failed versions."""
    return lambda _workspace, _stack: DiscardHeld(app=app, environment=environment, actor=actor, reason=reason)


def remove(app: str, environments: Sequence[str], actor: str) -> Resolve:
    """Remove an app, or take it out of some environments."""
    return lambda _workspace, _stack: Remove(app, tuple(environments), actor)


def rehydrate(environments: Sequence[str] = ()) -> Resolve:
    """Hydrate what changed, in the named environments or in all."""
    return lambda _workspace, _stack: Rehydrate(tuple(environments))


def refresh() -> Resolve:
    """Update open proposals."""
    return lambda _workspace, _stack: Refresh()


FORM: dict[str, Callable[[Form, str, Histories], Resolve]] = {
    "promote": lambda form, actor, histories: promote(
        form.app, source=form.source, target=form.environment, actor=actor, histories=histories
    ),
    "roll-back": lambda form, actor, _: go_back(
        RollBackRequest(app=form.app, environment=form.environment, to=form.to or "1", actor=actor, reason=form.reason)
    ),
    "pin": lambda form, actor, _: pin(form.app, form.environment, actor, form.reason),
    "unpin": lambda form, actor, _: unpin(form.app, form.environment, actor),
    "freeze": lambda form, actor, _: freeze(form.environment, actor, form.reason),
    "thaw": lambda form, actor, _: thaw(form.environment, actor),
    "deliver-held": lambda form, actor, _: deliver_held(form.app, form.environment, actor, form.reason),
    "discard-held": lambda form, actor, _: discard_held(form.app, form.environment, actor, form.reason),
    "remove": lambda form, actor, _: remove(form.app, form.environments, actor),
    "rehydrate": lambda form, _actor, _histories: rehydrate(form.environments),
}
"""The intent of each action of the form; `model.actions` says which fields it needs."""
