"""Which apps Flux has news of: those that it has not finished, those that failed, those that changed within a day."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from headgate.configuration import Owner
    from headgate.flux.verdict import Health
    from headgate.health.read import ReadHealth
    from headgate.intents.protocol import State
    from headgate.landing.workspace import Workspace

_NEWS = timedelta(days=1)
"""A verdict is reported again for as long, in case GitLab lost it; once a day all are reported anyway."""


def with_health(
    read: ReadHealth, newest: Workspace, state: State, touched: Sequence[Owner], *, scheduled: bool
) -> tuple[list[Owner], dict[Owner, Health]]:
    """Return the apps and environments to report on, with their health.

    A ``scheduled`` run looks at all of them, since nothing in git says that Flux is done.
    """
    pairs = [(record.name, name) for record, name in state.configuration.pairs()] if scheduled else []
    health = read(newest, state.configuration, list(dict.fromkeys([*touched, *pairs])))
    news = [owner for owner, verdict in health.items() if scheduled and _is_news(verdict, state.now)]
    return list(dict.fromkeys([*touched, *news])), health


def _is_news(verdict: Health, now: datetime) -> bool:
    return verdict.state != "healthy" or verdict.since is None or now - verdict.since < _NEWS
