"""Deliver: a hand-off, applied to the releases of all who take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.dependencies.resolve import Resolved
from headgate.errors import GitError, HeadgateError
from headgate.hydration.plan import held, what_is_read, what_is_written
from headgate.intents.protocol import Applied, Step, identify
from headgate.intents.versions import current_version, travels
from headgate.model import Release
from headgate.releases.handoff import accepting, check_project_id, check_tied, handed_off, order_rule
from headgate.releases.order import only_newer
from headgate.releases.release import CONFIG, Released, parts, read_released, waiting_folder, write_released
from headgate.releases.snapshot import snapshot
from headgate.repository.tree import Tree, prefetch

if TYPE_CHECKING:
    from collections.abc import Callable

    from headgate.config import AppRecord
    from headgate.intents.protocol import State
    from headgate.landing.workspace import Proposal
    from headgate.releases.handoff import Acceptance, HandOff
    from headgate.releases.source import AppSource
    from headgate.repository.tree import Changes

NOTHING = Released(Release(), Tree({}))
"""What an app runs before its first hand-off."""


@dataclass(frozen=True)
class Deliver:
    """A hand-off. ``now``: a person asks for it, so it reaches what is pinned or frozen, and takes a pin away."""

    hand_off: HandOff
    source: AppSource
    allow_diverged: bool = False
    now: bool = False
    verb: str = "Deliver"
    explicit: bool = True

    @property
    def id(self) -> str:
        """Identify it: one commit of a project with one set of images."""
        images = [f"{image.repository}:{image.tag}@{image.digest}" for image in self.hand_off.images]
        return identify(self.verb, self.hand_off.project, self.hand_off.commit, self.hand_off.ref, images)

    @property
    def what(self) -> str:
        """Name the commit."""
        return f"{self.hand_off.project}@{self.hand_off.commit[:12]}"

    def apply(self, state: State) -> Applied:
        """Write the releases of the environments that take it; of pinned and frozen ones what waits there."""
        return by_all_who_take(self.hand_off, state, self._step)

    def _step(self, state: State, one: Acceptance) -> Step:
        record, environment = one.record, one.environment
        released = state.released(record, environment) or NOTHING
        reviewed = state.reviews(record.name, environment)
        proposal = state.proposed(record.name, environment) if reviewed else None
        waiting = read_released(state.tree, waiting_folder(record, environment))
        proposed = read_released(proposal.tree, record.release_folder(environment)) if proposal else None
        check_tied(one, self.hand_off)
        check_project_id((proposed or waiting or released).release, one, self.hand_off)
        check_project_id(released.release, one, self.hand_off)
        known = {"was released already": released.release.newest}
        known |= {"is proposed": proposed.release.newest} if proposed else {}
        known |= {"waits": waiting.release.newest} if waiting else {}
        decision = only_newer(
            one,
            self.hand_off,
            known,
            order_rule(state.configuration, one, self.hand_off.ref),
            self.source,
            allow_diverged=self.allow_diverged,
            running=released.release if self.now else None,
        )
        taken = decision.acceptance
        if not taken.has_parts:
            outdated = "superseded" if decision.superseded else "unchanged"
            return Step(record.name, environment, hydrates=False, state=outdated, reasons=decision.superseded)
        holds = "" if self.now else held(state.configuration, environment, released.release)
        before = (
            (waiting or released) if holds else with_proposed(released, proposal, record.release_folder(environment))
        )
        after = handed_off(before, taken, self.hand_off, config_files(state, taken, self.hand_off, self.source))
        if holds or self.now:
            after = after.changed(pin=None)
        told = (*decision.superseded, *decision.notes, *_replaced(taken, released, proposed))
        return release_step(state, record, environment, after, holds=holds, reasons=told)


def by_all_who_take(hand_off: HandOff, state: State, step: Callable[[State, Acceptance], Step]) -> Applied:
    """Take the step of each app-environment that takes a hand-off. One that cannot take it fails alone.

    Raises RefusedError when nobody takes it, GitError: what concerns the repositories concerns all.
    """
    accepted = accepting(state.configuration, hand_off)
    owners = [(one.record, one.environment) for one in accepted]
    prefetch(state.tree, what_is_read(state.tree, owners) + what_is_written(state.configuration, owners))

    def step_or_error(one: Acceptance) -> Step:
        try:
            return step(state, one)
        except GitError:
            raise
        except HeadgateError as error:
            return Step(one.record.name, one.environment, hydrates=False, state="failed", error=error)

    return Applied([step_or_error(one) for one in accepted])


def config_files(state: State, taken: Acceptance, hand_off: HandOff, source: AppSource) -> Resolved | None:
    """Read the app's config at the commit, with what it builds on elsewhere; None where the hand-off brings none."""
    if taken.config is None:
        return None
    settings, values_only = state.configuration.settings, taken.record.app.template is not None
    environments = taken.record.environments(settings)
    label = f"{hand_off.project} at {hand_off.commit[:12]}"
    owner = taken.record.name
    files = snapshot(source.files, taken.config, label, owner=owner, environments=environments, values_only=values_only)
    if values_only:
        return Resolved(files)
    return source.resolver.resolve(files, settings, environments, taken.config.path, owner)


def _replaced(taken: Acceptance, released: Released, proposed: Released | None) -> list[str]:
    """Say which proposed parts a newer one takes the place of, so that their reviewers know."""
    before = parts(released.release)
    return [
        f"{name}: replaces {part.commit[:12]}, which was proposed"
        for name, part in parts(proposed.release if proposed else None).items()
        if part != before.get(name) and (name in taken.images or (name == CONFIG and taken.config is not None))
    ]


def release_step(
    state: State,
    record: AppRecord,
    environment: str,
    after: Released,
    *,
    template: tuple[str | None, Changes] | None = None,
    holds: str = "",
    reasons: tuple[str, ...] = (),
) -> Step:
    """Return the step that writes a release, or, where an environment is pinned or frozen, what waits there.

    ``template`` is the version that it carries with the files to keep; without, it is the current one.
    """
    folder, waiting = record.release_folder(environment), waiting_folder(record, environment)
    version, copies = template or (None, {})
    if template is None and travels(state.configuration, environment):
        version, copies = current_version(state.tree, record)
    after = after.changed(template=version)
    if holds:
        recorded = copies | write_released(state.tree, waiting, after)
        told = (*reasons, holds)
        return Step(record.name, environment, after, recorded=recorded, hydrates=False, state="held", reasons=told)
    changes = copies | write_released(state.tree, folder, after) | write_released(state.tree, waiting, None)
    return Step(record.name, environment, after, changes, reasons=reasons)


def with_proposed(released: Released, proposal: Proposal | None, folder: str) -> Released:
    """Return a release with the parts that wait for review put over it, so that a new proposal does not lose them.

    A part that changed on the default branch since the proposal was made is the default branch's.
    """
    if proposal is None:
        return released
    base = read_released(proposal.base, folder) or NOTHING
    ours = read_released(proposal.tree, folder)
    if ours is None:
        return released
    theirs = released.release
    images = {
        name: image
        for name, image in ours.release.images.items()
        if theirs.images.get(name) == base.release.images.get(name)
    }
    newest = {
        name: known
        for name, known in ours.release.newest.items()
        if theirs.newest.get(name) == base.release.newest.get(name)
    }
    keeps_config = theirs.config == base.release.config
    release = theirs.model_copy(
        update={
            "images": dict(sorted({**theirs.images, **images}.items())),
            "newest": dict(sorted({**theirs.newest, **newest}.items())),
            "config": ours.release.config if keeps_config else theirs.config,
        }
    )
    return Released(release, ours.config if keeps_config else released.config)
