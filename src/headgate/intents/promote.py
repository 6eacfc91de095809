"""Promote: what one environment runs, in the next."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from headgate.errors import RefusedError
from headgate.hydration.hydrate import Options, hydrate
from headgate.hydration.plan import held
from headgate.intents.deliver import NOTHING, release_step
from headgate.intents.protocol import (
    Applied,
    Step,
    check_expected,
    expected_release,
    find_app,
    identify,
)
from headgate.intents.versions import carried_version, travels
from headgate.message import counts
from headgate.releases.handoff import taken_by
from headgate.releases.order import by_version
from headgate.releases.release import newest_of, parts, read_released, waiting_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.config import AppRecord
    from headgate.intents.protocol import State
    from headgate.model import Newest, Part, Release
    from headgate.releases.order import History, Order
    from headgate.releases.release import Released
    from headgate.repository.tree import Changes


@dataclass(frozen=True)
class Promote:
    """A release of one environment that goes to another, where the release ``expected`` is still there.

    ``automatic``: nobody asked for it, so it waits where an environment is pinned or frozen.
    """

    app: str
    source: str
    target: str
    after: Released
    template: tuple[str | None, Changes] | None
    expected: str
    automatic: bool = False
    verb: str = "Promote"
    explicit: bool = True

    @property
    def id(self) -> str:
        """Identify it by what goes where."""
        runs = self.after.release.model_dump(exclude={"pin"}, mode="json")
        return identify(self.verb, self.app, self.source, self.target, runs, self.after.config.id, self.expected)

    @property
    def what(self) -> str:
        """Name where it comes from."""
        return f"as in {self.source}"

    def apply(self, state: State) -> Applied:
        """Write the release, or what waits. Raises RefusedError when the environment changed, is pinned or frozen."""
        record = find_app(state.configuration, self.app, self.target)
        check_expected(state, record, self.target, self.expected)
        now = state.released(record, self.target) or NOTHING
        holds = held(state.configuration, self.target, now.release)
        if holds and not self.automatic:
            raise RefusedError(
                f"{self.app} in {self.target} takes no promotion: {holds}",
                hint="unpin or thaw it first; or deliver a version with 'headgate deliver --now'",
            )
        step = release_step(state, record, self.target, self.after, template=self.template, holds=holds)
        waits = read_released(state.tree, waiting_folder(record, self.target))
        done = waits if holds else now
        if done is not None and step.after is not None and done.runs == step.after.runs:
            return Applied([Step(self.app, self.target, hydrates=False)])
        return Applied([step])


@dataclass(frozen=True)
class Past:
    """What tells newer from older: the commits that the source ran, per part, oldest first; the app's history."""

    commits: Mapping[str, Sequence[str]] = field(default_factory=dict)
    history: History | None = None

    def compare(self, name: str, new: Part, old: Part | Newest) -> Order:
        """Return how a part stands to another."""
        if new.commit == old.commit:
            return "same"
        known = list(self.commits.get(name, ()))
        if new.commit in known and old.commit in known:
            # Each was newer than all before it when it was first there: the order in which they were is theirs.
            return "newer" if known.index(new.commit) > known.index(old.commit) else "older"
        if self.history is not None:
            if self.history.is_ancestor(old.commit, new.commit):
                return "newer"
            if self.history.is_ancestor(new.commit, old.commit):
                return "older"
        if new.ref.startswith("refs/tags/") and old.ref.startswith("refs/tags/"):
            return by_version(new.ref, old.ref).order
        return "unknown"


def promotion(
    state: State,
    app: str,
    source: str,
    target: str,
    past: Past,
    *,
    allow_older: bool = False,
) -> Promote:
    """Resolve a promotion that a person asks for.

    Raises RefusedError when the environment does not take it, when nothing runs in the source or its YAML is not
    what its release gives, and, unless ``allow_older``, when a part is older than what runs in the target, or
    when that cannot be told.
    """
    record = find_app(state.configuration, app, source, target)
    _check_taken(state, record, source, target)
    released = proven(state, record, source)
    running = (state.released(record, target) or NOTHING).release
    if not allow_older:
        _check_newer(past, record.name, released.release, running, source, target)
    return resolved(state, record, source, target, released, past)


def resolved(
    state: State,
    record: AppRecord,
    source: str,
    target: str,
    released: Released,
    past: Past,
    *,
    automatic: bool = False,
) -> Promote:
    """Return the promotion of a release, with all that it carries along."""
    running = (state.released(record, target) or NOTHING).release
    ours = parts(released.release)
    newest = {name: newest_of(part) for name, part in ours.items()}
    kept = {
        name: known
        for name, known in running.newest.items()
        if name not in newest or past.compare(name, ours[name], known) not in ("newer", "same")
    }
    release = running.model_copy(
        update={
            "images": released.release.images,
            "config": released.release.config,
            "newest": dict(sorted({**newest, **kept}.items())),
            "pin": None,
        }
    )
    template = carried_version(state.tree, record, released) if travels(state.configuration, target) else (None, {})
    after = replace(released, release=release)
    expected = expected_release(state, record, target)
    return Promote(record.name, source, target, after, template, expected, automatic)


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
    (outcome,) = hydrate(state.tree, state.configuration, [(record, source)], Options())
    if outcome.error is not None:
        raise outcome.error
    if outcome.state in ("changed", "waiting"):
        raise RefusedError(
            f"{record.name} in {source} does not run what its release says: {counts(outcome)}",
            hint="hydrate it first: headgate rehydrate",
        )
    return released


def _check_newer(past: Past, app: str, new: Release, running: Release, source: str, target: str) -> None:
    old_parts = parts(running)
    for name, part in parts(new).items():
        found = past.compare(name, part, old_parts[name]) if name in old_parts else "newer"
        if found not in ("newer", "same"):
            old = old_parts[name].commit[:12]
            reason = {
                "older": f"is older than {old}, which runs in {target}",
                "unknown": f"cannot be compared with {old}, which runs in {target} and never ran in {source}",
            }.get(found, f"does not come after {old}, which runs in {target}")
            raise RefusedError(
                f"{app}: '{name}': commit {part.commit[:12]} {reason}",
                hint="if it is meant: --allow-older; where the app's repository can tell: --source",
            )
