"""Follow: promotions that nobody has to ask for, derived from what is on the default branch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from headgate.errors import GitError, HeadgateError, RefusedError
from headgate.hydration.plan import input_paths
from headgate.intents.promote import PartOrder, Promote, check_newer, proven, resolved
from headgate.intents.protocol import Applied, Step, identify
from headgate.intents.template_versions import current_version, pins_template
from headgate.model import AfterHealth
from headgate.releases.handoff import taken_by
from headgate.releases.history import commits_of, landed_at
from headgate.releases.pending import with_pending
from headgate.releases.release import NOTHING, parts
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.config import AppRecord, Configuration
    from headgate.flux.verdict import Health
    from headgate.intents.protocol import State
    from headgate.model import AcceptRule, Release
    from headgate.releases import version_order
    from headgate.releases.history import ReleaseHistory
    from headgate.releases.release import Released

Histories = Callable[[str, str], AbstractContextManager["ReleaseHistory"]]
"""Gives the history of an app's release in an environment."""

HealthOf = Callable[[tuple[str, str]], "Health | None"]
"""Gives the health of an app in an environment; None where it was not looked for."""


@dataclass(frozen=True)
class Follow:
    """Promotions that are due."""

    promotions: tuple[Promote, ...]
    verb: str = "Promote"
    actor: str = ""
    explicit: bool = True

    @property
    def id(self) -> str:
        """Identify it by the promotions."""
        return identify(self.verb, [one.id for one in self.promotions])

    @property
    def what(self) -> str:
        """Name the environments that are followed."""
        return f"follows {', '.join(dict.fromkeys(one.source for one in self.promotions))}"

    def apply(self, state: State) -> Applied:
        """Apply each; one that does not fit any more is left to a later run."""
        steps: list[Step] = []
        for one in self.promotions:
            try:
                steps += one.apply(state).steps
            except RefusedError as error:
                steps.append(Step(one.app, one.target, hydrates=False, reasons=(error.what,)))
        return Applied(steps)


def follows(configuration: Configuration) -> bool:
    """Whether anything is promoted by itself at all."""
    may = configuration.apps.mentioning("auto")
    own = [here.takes for record in may for here in (record.app.environments or {}).values()]
    every = [*own, *(one.takes for one in configuration.settings.environments.values())]
    return any(take.auto for takes in every for take in takes or ())


def due(
    state: State,
    apps: Sequence[str],
    histories: Histories,
    of_projects: version_order.Histories,
    health: HealthOf = lambda _owner: None,
) -> list[Promote]:
    """Return the promotions of these apps that are due. ``of_projects`` gives the history of the projects of parts.

    A release follows when a part of it, or its template, is newer than all that the environment ever had, it has
    been on the default branch for as long as ``auto`` says, and the YAML there is what it gives. Where ``auto`` is
    about health, it must have been healthy for as long instead.
    """
    known = state.configuration.apps
    records = [known[app] for app in apps if app in known]
    pairs = [(record, name) for record in records for name in record.environments(state.configuration.settings)]
    prefetch(state.tree, input_paths(state.tree, pairs))
    found = []
    for record, target in pairs:
        takes = taken_by(state.configuration, record, target)
        try:
            found += [
                one
                for take in takes
                if take.auto
                for one in _due(state, record, target, take, histories, of_projects, health)
            ]
        except GitError:
            raise  # what concerns the repository concerns all
        except HeadgateError:
            continue  # a release that cannot be read: who hydrates or verifies it says so, and the others are promoted
    return found


def _due(
    state: State,
    record: AppRecord,
    target: str,
    take: AcceptRule,
    histories: Histories,
    of_projects: version_order.Histories,
    health: HealthOf,
) -> Iterator[Promote]:
    source = str(take.promotion)
    if source not in record.environments(state.configuration.settings):
        return
    released = state.released(record, source)
    if released is None:
        return
    landed = state.released(record, target) or NOTHING
    version = _version(state, record, target, released)
    pending = state.pending(record, target)
    if _same(with_pending(landed, pending), released, version):
        return
    with histories(record.name, source) as history:
        since = landed_at(history)
        past = PartOrder(commits_of(history), of_projects)
    if isinstance(take.auto, AfterHealth):
        since = _healthy_since(health((record.name, source)))
    if since is None or since + delay(take.auto) > state.now:
        return
    try:
        proven(state, record, source)
        found = resolved(state, record, source, target, released, past, automatic=True)
        check_newer(past, record.name, found.group, landed.release, pending, target)
    except RefusedError:
        return
    if _is_newer(landed.release, released, version, past):
        yield found


def _healthy_since(health: Health | None) -> datetime | None:
    return health.since if health is not None and health.state == "healthy" else None


def health_owners(configuration: Configuration) -> list[tuple[str, str]]:
    """Return the apps and environments whose health decides about a promotion."""
    found = {
        (record.name, take.promotion): None
        for record, target in configuration.pairs()
        for take in taken_by(configuration, record, target)
        if isinstance(take.auto, AfterHealth) and take.promotion is not None
    }
    return list(found)


def _same(known: Release, released: Released, version: str | None) -> bool:
    newest = {name: (one.commit, one.digest) for name, one in known.newest.items()}
    ours = {name: (part.commit, getattr(part, "digest", None)) for name, part in parts(released.release).items()}
    return newest == ours and known.template == version


def _version(state: State, record: AppRecord, target: str, released: Released) -> str | None:
    if not pins_template(state.configuration, target):
        return None
    return released.release.template or current_version(state.tree, record)[0]


def _is_newer(running: Release, released: Released, version: str | None, past: PartOrder) -> bool:
    newest, ours = running.newest, parts(released.release)
    orders = {past.compare(name, part, newest[name]) if name in newest else "newer" for name, part in ours.items()}
    return orders <= {"newer", "same"} and ("newer" in orders or version != running.template)


def delay(auto: bool | str | AfterHealth) -> timedelta:  # noqa: FBT001
    """Return the time that ``auto`` asks for: ``true`` is none, ``30m``, ``2h`` and ``1d`` are what they say."""
    if isinstance(auto, AfterHealth):
        auto = auto.after or True
    if isinstance(auto, bool):
        return timedelta(0)
    unit = {"m": "minutes", "h": "hours", "d": "days"}[auto[-1]]
    return timedelta(**{unit: int(auto[:-1])})
