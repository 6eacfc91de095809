"""The outcome of one app in one environment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from headgate.errors import HeadgateError
from headgate.records import frozen_record
from headgate.validation.weigh import NOT_JUDGED, Judgement

if TYPE_CHECKING:
    from headgate.hydration.object_changes import ObjectChange
    from headgate.notice import Notice
    from headgate.repository.tree import Changes

OutcomeState = Literal["changed", "unchanged", "waiting", "held", "superseded", "failed", "recorded"]
"""``waiting``: for the first hand-off of a part; ``held``: pinned, frozen or outside of its windows; ``superseded``:
by something newer; ``recorded``: only records of pending groups change."""


@frozen_record
class Outcome:
    """The result of hydrating one app in one environment.

    ``reasons`` explain the state. ``upgrade`` names a new version of the engine: ``helm 4.3.0 -> 4.3.1``.
    ``warnings`` and ``error`` show the ``judgement``.
    """

    app: str
    environment: str
    folder: str = ""
    state: OutcomeState
    engine: str = ""
    changes: Changes | None = None
    objects: tuple[ObjectChange, ...] = ()
    error: HeadgateError | None = None
    waits_for: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    warnings: tuple[Notice, ...] = ()
    upgrade: str = ""
    inputs: str = ""
    judgement: Judgement = NOT_JUDGED

    def joined(self, more: Changes | HeadgateError | None) -> Outcome:
        """Return this with more changes outside of its folder, or failed when they cannot be made."""
        if isinstance(more, HeadgateError):
            return replace(self, state="failed", error=more, changes=None, objects=())
        if not more:
            return self
        reasons = tuple(dict.fromkeys((*self.reasons, "its Flux objects change")))
        return replace(self, state="changed", changes={**(self.changes or {}), **more}, reasons=reasons)
