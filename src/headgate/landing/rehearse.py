"""A landing up to the point where it would write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.hydration.hydrate import AS_USUAL
from headgate.landing.hydrated import hydrate_intent
from headgate.landing.land import prepared, read_state
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from headgate.configuration import Configuration, Owner
    from headgate.hydration.hydrate import HydrateOptions
    from headgate.hydration.outcome import Outcome
    from headgate.intents.protocol import Intent
    from headgate.landing.workspace import Workspace
    from headgate.repository.tree import Changes, Tree


@frozen_record
class Rehearsal:
    """The result of a landing that writes nothing: an outcome per app-environment, messages, files and configuration.

    ``reviewed`` are the app-environments that would be proposed.
    """

    outcomes: Sequence[Outcome]
    messages: tuple[str, ...]
    tree: Tree
    configuration: Configuration
    reviewed: frozenset[Owner]


def rehearse(
    workspace: Workspace,
    intent: Intent,
    progress: Callable[[str, str], None],
    options: HydrateOptions = AS_USUAL,
    *,
    lands: bool = True,
) -> Rehearsal:
    """Apply an intent and hydrate what it touches, as `land` does, and write nothing. Raises what the intent raises.

    Without ``lands``, review branches and holds are ignored, as for a preview, which never lands.
    """
    state = read_state(workspace)
    hydrated = hydrate_intent(state, intent, options, progress)
    hydrated = prepared(state, hydrated) if lands else hydrated
    outcomes = [*hydrated.outcomes, *hydrated.applied.outcomes]
    changed = [(outcome.app, outcome.environment) for outcome in outcomes if outcome.state == "changed"]
    return Rehearsal(
        outcomes=outcomes,
        messages=tuple(hydrated.applied.messages),
        tree=hydrated.after.with_changes(_changes(outcomes)),
        configuration=hydrated.configuration,
        reviewed=frozenset(owner for owner in changed if state.reviews(*owner)),
    )


def _changes(outcomes: Iterable[Outcome]) -> Changes:
    changes: Changes = {}
    for outcome in outcomes:
        changes |= outcome.changes or {}
    return changes
