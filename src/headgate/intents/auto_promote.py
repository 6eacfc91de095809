"""Automatic promotions, derived from the default branch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from headgate.errors import ArgumentError, GitError, HeadgateError, RefusedError
from headgate.hydration.plan import input_paths
from headgate.intents.promote import PartOrder, Promote, check_newer, resolved, verified_release
from headgate.intents.protocol import Applied, Step, identify
from headgate.intents.template_versions import current_version, pins_template
from headgate.model import AfterHealth
from headgate.records import frozen_record
from headgate.releases.handoff import taken_by
from headgate.releases.history import commits_of, landed_at
from headgate.releases.pending import with_pending
from headgate.releases.release import parts
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.configuration import AppRecord, Configuration
    from headgate.flux.verdict import Health
    from headgate.intents.protocol import State
    from headgate.model import AcceptRule, Release
    from headgate.releases import version_order
    from headgate.releases.history import ReleaseHistory
    from headgate.releases.release import Released

Histories = Callable[[str, str], AbstractContextManager["ReleaseHistory"]]
"""Returns the history of an app's release in an environment."""

HealthOf = Callable[[tuple[str, str]], "Health | None"]
"""Returns the health of an app in an environment; None if it was not read."""


@frozen_record(kw_only=False)
class Follow:
    """The automatic promotions that are due."""

    promotions: tuple[Promote, ...]
    verb: ClassVar[str] = "Promote"
    actor: ClassVar[str] = ""
    explicit: ClassVar[bool] = True

    @property
    def id(self) -> str:
        """Derived from the promotions."""
        return identify(self.verb, [promotion.id for promotion in self.promotions])

    @property
    def detail(self) -> str:
        """The source environments."""
        return f"follows {', '.join(dict.fromkeys(promotion.source for promotion in self.promotions))}"

    def apply(self, state: State) -> Applied:
        """Apply each; a later run retries a promotion that is out of date."""
        steps: list[Step] = []
        for promotion in self.promotions:
            try:
                steps += promotion.apply(state).steps
            except (ArgumentError, RefusedError) as error:
                steps.append(Step(promotion.app, promotion.target, hydrates=False, reasons=(error.what,)))
        return Applied(steps)


def follows(configuration: Configuration) -> bool:
    """Whether any environment takes automatic promotions."""
    records = configuration.apps.mentioning("auto")
    own = [settings.takes for record in records for settings in (record.app.environments or {}).values()]
    lists = [*own, *(environment.takes for environment in configuration.settings.environments.values())]
    return any(rule.auto for rules in lists for rule in rules or ())


def due(
    state: State,
    apps: Sequence[str],
    histories: Histories,
    project_histories: version_order.Histories,
    health: HealthOf = lambda _owner: None,
) -> list[Promote]:
    """Return the automatic promotions of these apps that are due.

    A release is promoted when a part or its template is newer than everything that the target ever ran, when it has
    been on the default branch, or healthy, for as long as ``auto`` requires, and when its YAML is up to date.
    """
    known = state.configuration.apps
    records = [known[app] for app in apps if app in known]
    pairs = [(record, name) for record in records for name in record.environments(state.configuration.settings)]
    prefetch(state.tree, input_paths(pairs))
    promotions = []
    for record, target in pairs:
        rules = [rule for rule in taken_by(state.configuration, record, target) if rule.auto]
        try:
            promotions += [
                promotion
                for rule in rules
                for promotion in _due(state, record, target, rule, histories, project_histories, health)
            ]
        except GitError:
            raise  # it concerns all apps
        except HeadgateError:
            continue  # an unreadable release: hydration and verification report it, and the others are promoted
    return promotions


def _due(
    state: State,
    record: AppRecord,
    target: str,
    rule: AcceptRule,
    histories: Histories,
    project_histories: version_order.Histories,
    health: HealthOf,
) -> Iterator[Promote]:
    source = str(rule.promotion)
    if source not in record.environments(state.configuration.settings):
        return
    released, at = state.at(record, source).released, state.at(record, target)
    if released is None:
        return
    landed, pending = at.landed, at.pending
    version = _version(state, record, target, released)
    if _same(with_pending(landed, pending), released, version):
        return
    with histories(record.name, source) as history:
        since = landed_at(history)
        order = PartOrder(commits_of(history), project_histories)
    if isinstance(rule.auto, AfterHealth):
        since = _healthy_since(health((record.name, source)))
    if since is None or since + delay(rule.auto) > state.now:
        return
    try:
        verified_release(state, record, source)
        promotion = resolved(state, record, source, target, released, order, automatic=True)
        check_newer(order, record.name, promotion.group, landed.release, pending, target)
    except RefusedError:
        return
    if _is_newer(landed.release, released, version, order):
        yield promotion


def _healthy_since(health: Health | None) -> datetime | None:
    return health.since if health is not None and health.state == "healthy" else None


def health_owners(configuration: Configuration) -> list[tuple[str, str]]:
    """Return the apps and environments whose health decides about a promotion."""
    owners = {
        (record.name, rule.promotion): None
        for record, target in configuration.pairs()
        for rule in taken_by(configuration, record, target)
        if isinstance(rule.auto, AfterHealth) and rule.promotion is not None
    }
    return list(owners)


def _same(known: Release, released: Released, version: str | None) -> bool:
    newest = {name: (version.commit, version.digest) for name, version in known.newest.items()}
    ours = {name: (part.commit, getattr(part, "digest", None)) for name, part in parts(released.release).items()}
    return newest == ours and known.template == version


def _version(state: State, record: AppRecord, target: str, released: Released) -> str | None:
    if not pins_template(state.configuration, target):
        return None
    return released.release.template or current_version(state.tree, record)[0]


def _is_newer(running: Release, released: Released, version: str | None, order: PartOrder) -> bool:
    newest, ours = running.newest, parts(released.release)
    orders = {order.compare(name, part, newest[name]) if name in newest else "newer" for name, part in ours.items()}
    return orders <= {"newer", "same"} and ("newer" in orders or version != running.template)


def delay(auto: bool | str | AfterHealth) -> timedelta:  # noqa: FBT001
    """Return the waiting time of ``auto``: none for ``true``, else ``30m``, ``2h`` or ``1d``."""
    if isinstance(auto, AfterHealth):
        auto = auto.after or True
    if isinstance(auto, bool):
        return timedelta(0)
    unit = {"m": "minutes", "h": "hours", "d": "days"}[auto[-1]]
    return timedelta(**{unit: int(auto[:-1])})
