"""Promote: what one environment runs, in the next."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from headgate.errors import RefusedError
from headgate.hydration.hydrate import HydrateOptions, hydrate
from headgate.intents.advance import advance, hold_of
from headgate.intents.protocol import Applied, Step, check_expected, expected_release, find_app, identify
from headgate.intents.template_versions import carried_version, pins_template
from headgate.message import counts
from headgate.releases.handoff import taken_by
from headgate.releases.pending import NO_FILES, group_of, versions_of, with_pending
from headgate.releases.release import NOTHING, Released, known_parts, parts
from headgate.releases.version_order import compare_versions, no_histories

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.config import AppRecord
    from headgate.intents.protocol import State
    from headgate.model import Newest, Part, Release
    from headgate.releases.pending import Group, Pending
    from headgate.releases.version_order import Histories, Order
    from headgate.repository.tree import Changes


@dataclass(frozen=True)
class Promote:
    """A release of one environment that goes to another, where the release ``expected`` is still there.

    ``past`` tells newer from older, also of what came to the target in the meantime. ``automatic``: nobody asked for
    it, so it is held where an environment is pinned or frozen.
    """

    app: str
    source: str
    target: str
    group: Group
    copies: Changes
    expected: str
    past: PartOrder
    automatic: bool = False
    allow_older: bool = False
    actor: str = ""
    verb: str = "Promote"
    explicit: bool = True

    @property
    def id(self) -> str:
        """Identify it by what goes where."""
        runs = self.group.record.model_dump(mode="json")
        return identify(self.verb, self.app, self.source, self.target, runs, self.group.files.id, self.expected)

    @property
    def what(self) -> str:
        """Name where it comes from."""
        return f"as in {self.source}"

    def apply(self, state: State) -> Applied:
        """Bring the parts. Raises RefusedError when the target changed, is held, or has something newer anywhere."""
        record = find_app(state.configuration, self.app, self.target)
        check_expected(state, record, self.target, self.expected)
        landed = state.released(record, self.target) or NOTHING
        pending = state.pending(record, self.target)
        hold = hold_of(state, record, self.target, landed, pending)
        if hold is not None and not self.automatic:
            raise RefusedError(
                f"{self.app} in {self.target} takes no promotion: {hold.reason}",
                hint=f"end that first: 'headgate status {self.app}' says how; "
                "or deliver a version with 'headgate deliver --now'",
            )
        if not self.allow_older:
            check_newer(self.past, self.app, self.group, landed.release, pending, self.target)
        if _is_there(landed.release, pending, self.group):
            return Applied([Step(self.app, self.target, hydrates=False)])
        behind = [
            name
            for name, newest in versions_of(pending.failed).items()
            if name in self.group.parts and self.past.compare(name, self.group.parts[name], newest) == "older"
        ]
        return Applied([advance(state, record, self.target, self.group, behind=behind, recorded=self.copies)])


def _is_there(landed: Release, pending: Pending, group: Group) -> bool:
    """Whether the target has all of it already, landed or pending."""
    there = parts(with_pending(Released(landed, NO_FILES), pending))
    template = group.record.template
    same = all(name in there and _same_part(there[name], part) for name, part in group.parts.items())
    return same and (template is None or template == landed.template)


def _same_part(one: Part, other: Part) -> bool:
    return (one.commit, getattr(one, "digest", None)) == (other.commit, getattr(other, "digest", None))


@dataclass(frozen=True)
class PartOrder:
    """What tells newer from older: the commits that the source ran, by part, oldest first; else a project's history."""

    commits: Mapping[str, Sequence[str]] = field(default_factory=dict)
    histories: Histories = no_histories

    def compare(self, name: str, new: Part, old: Part | Newest) -> Order:
        """Return how a part stands to another."""
        if new.commit == old.commit:
            return "same"
        known = list(self.commits.get(name, ()))
        if new.commit in known and old.commit in known:
            # Each was newer than all before it when it was first there: the order in which they were is theirs.
            return "newer" if known.index(new.commit) > known.index(old.commit) else "older"
        return compare_versions(new, old, self.histories(new.project))


def promotion(
    state: State,
    app: str,
    source: str,
    target: str,
    past: PartOrder,
    *,
    allow_older: bool = False,
    actor: str = "",
) -> Promote:
    """Resolve a promotion that a person asks for.

    Raises RefusedError when the environment does not take it, when nothing runs in the source or its YAML is not
    what its release gives, and, unless ``allow_older``, when a part is older than one that the target has in any
    place, or when that cannot be told.
    """
    record = find_app(state.configuration, app, source, target)
    _check_taken(state, record, source, target)
    released = proven(state, record, source)
    found = resolved(state, record, source, target, released, past, actor=actor)
    if not allow_older:
        landed = state.released(record, target) or NOTHING
        check_newer(past, app, found.group, landed.release, state.pending(record, target), target)
    return replace(found, allow_older=allow_older)


def resolved(
    state: State,
    record: AppRecord,
    source: str,
    target: str,
    released: Released,
    past: PartOrder,
    *,
    automatic: bool = False,
    actor: str = "",
) -> Promote:
    """Return the promotion of a release, with all that it carries along."""
    running = (state.released(record, target) or NOTHING).release
    known = known_parts(record, target)
    ours = {name: part for name, part in parts(released.release).items() if name in known}
    if actor:
        ours = {name: part.model_copy(update={"actor": actor}) for name, part in ours.items()}
    newer = {
        name: newest
        for name, newest in running.newest.items()
        if name in ours and past.compare(name, ours[name], newest) not in ("newer", "same")
    }
    version, copies = (
        carried_version(state.tree, record, released) if pins_template(state.configuration, target) else (None, {})
    )
    group = group_of(ours, released.config, promotion=source, newest=newer, template=version)
    expected = expected_release(state, record, target)
    return Promote(record.name, source, target, group, copies, expected, past, automatic, actor=actor)


def _check_taken(state: State, record: AppRecord, source: str, target: str) -> None:
    takes = taken_by(state.configuration, record, target)
    if not any(take.promotion == source for take in takes):
        known = [take.promotion for take in takes if take.promotion]
        raise RefusedError(
            f"{record.name} in {target} takes no promotion from {source}",
            hint=f"it takes promotions from: {', '.join(known) or 'nowhere'}; 'takes' in headgate.yaml says so",
        )


def proven(state: State, record: AppRecord, source: str) -> Released:
    """Return what runs in the source. Raises RefusedError when its YAML is another one than its release gives."""
    released = state.released(record, source)
    if released is None:
        raise RefusedError(f"{record.name} was never released in {source}")
    (outcome,) = hydrate(state.tree, state.configuration, [(record, source)], HydrateOptions())
    if outcome.error is not None:
        raise outcome.error
    if outcome.state in ("changed", "waiting"):
        raise RefusedError(
            f"{record.name} in {source} does not run what its release says: {counts(outcome)}",
            hint="hydrate it first: headgate rehydrate",
        )
    return released


def check_newer(past: PartOrder, app: str, group: Group, landed: Release, pending: Pending, target: str) -> None:
    """Refuse what is older than a version that an environment has anywhere, or what cannot be told from it."""
    running: dict[str, Mapping[str, Part | Newest]] = {f"runs in {target}": parts(landed)}
    places = running | dict(pending.newest()) | ({"was rejected": pending.rejected} if pending.rejected else {})
    for words, versions in places.items():
        for name, part in group.parts.items():
            found = past.compare(name, part, versions[name]) if name in versions else "newer"
            if found not in ("newer", "same") or (found == "same" and words == "was rejected"):
                old = versions[name].commit[:12]
                reason = {
                    "older": f"is older than {old}, which {words}",
                    "same": words,
                    "unknown": f"cannot be compared with {old}, which {words}"
                    f" and never ran in {group.record.promotion}",
                }.get(found, f"does not come after {old}, which {words}")
                raise RefusedError(
                    f"{app}: '{name}': commit {part.commit[:12]} {reason}",
                    hint="if it is meant: --allow-older; where the app's repository can tell: --source",
                )
