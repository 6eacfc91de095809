"""``headgate rehydrate`` and ``refresh``: everything as the default branch asks for it now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.commands.run_intent import RunOptions, run_intent
from headgate.hydration.hydrate import HydrateOptions
from headgate.intents.refresh import Refresh
from headgate.intents.rehydrate import Rehydrate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.repository.tree import Tree


@dataclass(frozen=True)
class RehydrateOptions:
    """The command's arguments. ``upgrade``: other versions of the engines than the locked ones are no error.

    ``trusted``: files whose records are believed (`HydrateOptions`).
    """

    environments: Sequence[str] = ()
    everything: bool = False
    allow_removals: bool = False
    upgrade: bool = False
    trusted: Tree | None = None


def run(request: RehydrateOptions, asked: RunOptions) -> int:
    """Hydrate what changed, and return the exit code: 0, or that of what could not be rendered."""
    options = HydrateOptions(
        everything=request.everything,
        allow_removals=request.allow_removals,
        upgrade=request.upgrade,
        trusted=request.trusted,
    )
    return run_intent(asked, lambda _: Rehydrate(tuple(request.environments)), options)


def refresh(asked: RunOptions) -> int:
    """Bring open proposals up to date, and return the exit code."""
    return run_intent(asked, lambda _: Refresh())
