"""Promote: copies the release of one environment to the next."""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING, ClassVar, assert_never

from headgate.errors import RefusedError
from headgate.hydration.hydrate import HydrateOptions, hydrate
from headgate.intents.advance import advance, hold_of
from headgate.intents.protocol import Applied, Step, find_app, identify
from headgate.intents.template_versions import carried_version, pins_template
from headgate.message import counts
from headgate.records import frozen_record
from headgate.releases.handoff import taken_by
from headgate.releases.pending import NO_FILES, group_of, versions_of, with_pending
from headgate.releases.release import Released, known_parts, parts
from headgate.releases.version_order import compare_versions, no_histories

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.configuration import AppRecord
    from headgate.intents.protocol import State
    from headgate.model import Newest, Part, Release
    from headgate.releases.pending import Group, Pending
    from headgate.releases.version_order import Histories, Order
    from headgate.repository.tree import Changes


@frozen_record
class Promote:
    """A release of one environment that goes to another, if that still has the release ``expected``.

    ``order`` says which of two versions is newer. ``automatic``: no person ordered it, so a pin or a freeze holds it.
    """

    app: str
    source: str
    target: str
    group: Group
    copies: Changes
    expected: str
    order: PartOrder
    automatic: bool = False
    allow_older: bool = False
    actor: str = ""
    verb: ClassVar[str] = "Promote"
    explicit: ClassVar[bool] = True

    @property
    def id(self) -> str:
        """Derived from the group, its source and its target."""
        group = self.group.record.model_dump(mode="json")
        return identify(self.verb, self.app, self.source, self.target, group, self.group.files.id, self.expected)

    @property
    def detail(self) -> str:
        """The source environment."""
        return f"as in {self.source}"

    def apply(self, state: State) -> Applied:
        """Promote the group. Raises RefusedError when the target changed, is held, or has a newer version anywhere."""
        target = state.find(self.app, self.target)
        target.check_unchanged(self.expected)
        landed, pending = target.landed, target.pending
        hold = hold_of(target, landed, pending)
        if hold is not None and not self.automatic:
            raise RefusedError(
                f"{self.app} in {self.target} takes no promotion: {hold.reason}",
                hint=f"end that first ('headgate status {self.app}' says how), "
                "or deliver a version with 'headgate deliver --now'",
            )
        if not self.allow_older:
            check_newer(self.order, self.app, self.group, landed.release, pending, self.target)
        if _has_already(landed.release, pending, self.group):
            return Applied([Step(self.app, self.target, hydrates=False)])
        behind = [
            name
            for name, newest in versions_of(pending.failed).items()
            if name in self.group.parts and self.order.compare(name, self.group.parts[name], newest) == "older"
        ]
        return Applied([advance(target, self.group, behind=behind, recorded=self.copies)])


def _has_already(landed: Release, pending: Pending, group: Group) -> bool:
    """Whether the target has the whole group already, landed or pending."""
    present = parts(with_pending(Released(landed, NO_FILES), pending))
    template = group.record.template
    same = all(name in present and _same_part(present[name], part) for name, part in group.parts.items())
    return same and (template is None or template == landed.template)


def _same_part(first: Part, second: Part) -> bool:
    return (first.commit, getattr(first, "digest", None)) == (second.commit, getattr(second, "digest", None))


@frozen_record(kw_only=False)
class PartOrder:
    """Orders versions: by the commits that the source ran, by part, oldest first; else by the project's history."""

    commits: Mapping[str, Sequence[str]] = field(default_factory=dict)
    histories: Histories = no_histories

    def compare(self, name: str, new: Part, old: Part | Newest) -> Order:
        """Return the order of a part relative to another version."""
        if new.commit == old.commit:
            return "same"
        known = list(self.commits.get(name, ()))
        if new.commit in known and old.commit in known:
            # Each commit was newer than all before it when it first ran there.
            return "newer" if known.index(new.commit) > known.index(old.commit) else "older"
        return compare_versions(new, old, self.histories(new.project))


def promotion(
    state: State,
    app: str,
    source: str,
    target: str,
    order: PartOrder,
    *,
    allow_older: bool = False,
    actor: str = "",
) -> Promote:
    """Resolve a promotion that a person orders.

    Raises RefusedError when the target does not take it, when the source has no release or its YAML is out of date,
    and, unless ``allow_older``, when a part is older than any version of the target, or the order is unknown.
    """
    record = find_app(state.configuration, app, source, target)
    _check_taken(state, record, source, target)
    released = verified_release(state, record, source)
    resolved_promotion = resolved(state, record, source, target, released, order, actor=actor)
    if not allow_older:
        at = state.at(record, target)
        check_newer(order, app, resolved_promotion.group, at.landed.release, at.pending, target)
    return replace(resolved_promotion, allow_older=allow_older)


def resolved(
    state: State,
    record: AppRecord,
    source: str,
    target: str,
    released: Released,
    order: PartOrder,
    *,
    automatic: bool = False,
    actor: str = "",
) -> Promote:
    """Return the promotion of a release, with its newest versions and its template."""
    at = state.at(record, target)
    known = known_parts(record, target)
    ours = {name: part for name, part in parts(released.release).items() if name in known}
    if actor:
        ours = {name: part.model_copy(update={"actor": actor}) for name, part in ours.items()}
    newer = {
        name: newest
        for name, newest in at.landed.release.newest.items()
        if name in ours and order.compare(name, ours[name], newest) not in ("newer", "same")
    }
    version, copies = (
        carried_version(state.tree, record, released) if pins_template(state.configuration, target) else (None, {})
    )
    group = group_of(ours, released.config, promotion=source, newest=newer, template=version)
    return Promote(
        app=record.name,
        source=source,
        target=target,
        group=group,
        copies=copies,
        expected=at.fingerprint,
        order=order,
        automatic=automatic,
        actor=actor,
    )


def _check_taken(state: State, record: AppRecord, source: str, target: str) -> None:
    rules = taken_by(state.configuration, record, target)
    if not any(rule.promotion == source for rule in rules):
        known = [rule.promotion for rule in rules if rule.promotion]
        raise RefusedError(
            f"{record.name} in {target} takes no promotion from {source}",
            hint=f"'takes' in headgate.yaml allows promotions from: {', '.join(known) or 'nowhere'}",
        )


def verified_release(state: State, record: AppRecord, source: str) -> Released:
    """Return the release of the source. Raises RefusedError when its final YAML is out of date."""
    released = state.at(record, source).released
    if released is None:
        raise RefusedError(f"{record.name} was never released in {source}")
    (outcome,) = hydrate(state.tree, state.configuration, [(record, source)], HydrateOptions())
    if outcome.error is not None:
        raise outcome.error
    if outcome.state in ("changed", "waiting"):
        raise RefusedError(
            f"the YAML of {record.name} in {source} does not match its release: {counts(outcome)}",
            hint="hydrate it first: headgate rehydrate",
        )
    return released


def check_newer(order: PartOrder, app: str, group: Group, landed: Release, pending: Pending, target: str) -> None:
    """Refuse a group that is older than any version of the target, or of unknown order. Raises RefusedError."""
    running: dict[str, Mapping[str, Part | Newest]] = {f"runs in {target}": parts(landed)}
    places = running | dict(pending.newest()) | ({"was rejected": pending.rejected} if pending.rejected else {})
    for phrase, versions in places.items():
        for name, part in group.parts.items():
            result = order.compare(name, part, versions[name]) if name in versions else "newer"
            if result == "newer" or (result == "same" and phrase != "was rejected"):
                continue
            raise RefusedError(
                f"{app}: '{name}': commit {part.commit[:12]} "
                + _not_newer(result, f"{versions[name].commit[:12]}, which {phrase}", phrase, group.record.promotion),
                hint="to promote it anyway: --allow-older; to read the app's history: --source",
            )


def _not_newer(order: Order, old: str, phrase: str, source: str | None) -> str:
    match order:
        case "older" | "newer":
            return f"is {order} than {old}"
        case "same":
            return phrase
        case "unknown":
            return f"cannot be compared with {old} and never ran in {source}"
        case "diverged":
            return f"diverged from {old}"
        case _:
            assert_never(order)
