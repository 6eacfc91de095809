"""Deliver: a hand-off, applied to every app-environment that takes it."""

from __future__ import annotations

from dataclasses import KW_ONLY, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from headgate.dependencies.plan import ResolvedConfig
from headgate.errors import HeadgateError, RefusedError
from headgate.hydration.hydrate import broken
from headgate.hydration.plan import input_paths, output_folders
from headgate.intents.advance import advance
from headgate.intents.protocol import Applied, Step, failing_alone, identify
from headgate.records import frozen_record
from headgate.releases.handoff import accepting, check_project_id, check_provenance, handed_off, order_rule
from headgate.releases.origin import in_origin, origin_of
from headgate.releases.pending import absorbed, versions_of, with_pending
from headgate.releases.pending_files import write_pending
from headgate.releases.release import CONFIG
from headgate.releases.snapshot import snapshot
from headgate.releases.version_order import compare, only_newer
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headgate.intents.protocol import AppInEnvironment, State, StepState
    from headgate.model import Newest, Rejection
    from headgate.model.fields import OrderRule
    from headgate.releases.handoff import Acceptance, HandOff
    from headgate.releases.pending import Pending
    from headgate.releases.release import Released
    from headgate.releases.source import AppSource
    from headgate.releases.version_order import NewerParts, Order


@frozen_record(kw_only=False)
class Deliver:
    """A hand-off. ``now``: a person delivers it despite pin, freeze and windows, and removes the pin."""

    hand_off: HandOff
    source: AppSource
    _: KW_ONLY
    allow_diverged: bool = False
    now: bool = False
    verb: ClassVar[str] = "Deliver"
    explicit: ClassVar[bool] = True

    @property
    def id(self) -> str:
        """Derived from the project, the commit, the ref and the images."""
        images = [f"{image.repository}:{image.tag}@{image.digest}" for image in self.hand_off.images]
        return identify(self.verb, self.hand_off.project, self.hand_off.commit, self.hand_off.ref, images)

    @property
    def detail(self) -> str:
        """The project and the commit."""
        return f"{self.hand_off.project}@{self.hand_off.commit[:12]}"

    @property
    def actor(self) -> str:
        """The person whose pipeline or command it is."""
        return self.hand_off.actor

    def apply(self, state: State) -> Applied:
        """Deliver newer parts to the environments that take them."""
        return for_each_acceptance(self.hand_off, state, self._step)

    def _step(self, state: State, acceptance: Acceptance) -> Step:
        app = state.at(acceptance.record, acceptance.environment)
        landed, pending = app.landed, app.pending
        before = with_pending(landed, pending)
        check_provenance(acceptance, self.hand_off)
        check_project_id(landed.release, acceptance, self.hand_off)
        check_project_id(before, acceptance, self.hand_off)
        rule = order_rule(state.configuration, acceptance)
        newer = self._newer(acceptance, landed, pending, rule)
        if newer.diverged:
            return self._diverged(app, newer, landed, pending, rule)
        taken = newer.acceptance
        if not taken.has_parts:
            if not self.now:
                self._check_not_rejected(acceptance, pending)
            return _nothing_newer(app, newer)
        group = handed_off(taken, self.hand_off, before, resolve_config(state, taken, self.hand_off, self.source))
        return advance(
            app,
            group,
            explicit=self.now,
            unpinned=self.now,
            reasons=(*newer.superseded, *newer.notes),
            # A newer version of these failed: it stays pending and is retried.
            behind=self._compared(taken, versions_of(pending.failed), rule, "older"),
            overtakes=self._compared(taken, versions_of(pending.diverged), rule, "newer", "same"),
        )

    def _newer(self, acceptance: Acceptance, landed: Released, pending: Pending, rule: OrderRule) -> NewerParts:
        """Return the parts that are newer than all that was accepted."""
        find = partial(
            only_newer,
            acceptance,
            self.hand_off,
            {"was released already": landed.release.newest, **pending.newest()},
            rule,
            self.source,
            failed=versions_of(pending.failed),
            past_order=self.allow_diverged or self.now,
            running=landed.release if self.now else None,
        )
        newer = find(rejected=pending.rejected)
        if not newer.acceptance.has_parts or not pending.rejected:
            return newer
        # A rebuild of a rejected part brings the other parts of its commit too, although these did not change.
        others = {name: part for name, part in pending.rejected.items() if part.commit != self.hand_off.commit}
        return replace(newer, acceptance=find(rejected=others).acceptance)

    def _diverged(
        self, app: AppInEnvironment, decision: NewerParts, landed: Released, pending: Pending, rule: OrderRule
    ) -> Step:
        """Return the step that holds diverged parts until a person decides."""
        name, environment = app.name, app.environment
        held = {"is held": versions_of(pending.diverged)}
        left = only_newer(decision.acceptance, self.hand_off, held, rule, self.source, past_order=True)
        taken, superseded = left.acceptance, (*decision.superseded, *left.superseded)
        if not taken.has_parts:
            if left.superseded:
                return Step(name, environment, hydrates=False, state="superseded", reasons=superseded)
            return Step(name, environment, hydrates=False, state="held", reasons=decision.diverged)
        files = resolve_config(app.state, taken, self.hand_off, self.source)
        group = handed_off(taken, self.hand_off, with_pending(landed, pending), files)
        diverged, group = absorbed(pending.diverged, group.changed(reasons=decision.diverged))
        after = replace(pending, diverged=(*diverged, group))
        return Step(
            name,
            environment,
            recorded=write_pending(app.state.tree, app.folder, after),
            hydrates=False,
            state="held",
            reasons=(*superseded, *decision.diverged, _WAYS_OUT),
        )

    def _compared(self, taken: Acceptance, known: Mapping[str, Newest], rule: OrderRule, *orders: Order) -> list[str]:
        """Return the parts that compare to their ``known`` versions by one of these orders."""
        digests = {name: image.digest for name, image in taken.images.items()}
        return [
            name
            for name, newest in known.items()
            if (name in digests or (name == CONFIG and taken.config is not None))
            and compare(self.hand_off, digests.get(name), newest, rule, self.source).order in orders
        ]

    def _check_not_rejected(self, acceptance: Acceptance, pending: Pending) -> None:
        """Raise RefusedError when a person rejected this version."""
        digests = {name: image.digest for name, image in acceptance.images.items()}
        for name in [*digests, *([CONFIG] if acceptance.config else [])]:
            rejection: Rejection | None = pending.rejected.get(name)
            if rejection is not None and (rejection.commit, rejection.digest) == (
                self.hand_off.commit,
                digests.get(name),
            ):
                actor = f" by {rejection.by}" if rejection.by else ""
                request = f", with {rejection.request}" if rejection.request else ""
                raise RefusedError(
                    f"'{name}': commit {rejection.commit[:12]} was rejected{actor}{request}",
                    hint="deliver a newer version, or reopen the merge request",
                )


def _nothing_newer(app: AppInEnvironment, newer: NewerParts) -> Step:
    """Return the step of a hand-off that brings nothing newer: groups that an earlier one left may be delivered."""
    step = advance(app)
    if step.hydrates and step.decision is not None and step.decision.brought:
        return step
    outdated: StepState = "superseded" if newer.superseded else "unchanged"
    reasons = (*newer.superseded, *newer.notes)
    return Step(app.name, app.environment, hydrates=False, state=outdated, reasons=reasons)


_WAYS_OUT = "a person decides: deliver-held delivers it, discard-held drops it"


def for_each_acceptance(hand_off: HandOff, state: State, step: Callable[[State, Acceptance], Step]) -> Applied:
    """Return a step for each app-environment that takes a hand-off; each fails alone, as do apps that are invalid.

    Raises RefusedError when none takes it, GitError for a fault of a repository, which concerns all.
    """
    accepted = accepting(state.configuration, hand_off)
    owners = [(acceptance.record, acceptance.environment) for acceptance in accepted]
    prefetch(state.tree, input_paths(owners) + output_folders(state.configuration, owners))
    invalid = state.configuration.apps.broken_by(hand_off.project)
    return Applied(
        [
            failing_alone(acceptance.record.name, acceptance.environment, partial(step, state, acceptance))
            for acceptance in accepted
        ],
        outcomes=tuple(broken(state.configuration, list(invalid))) if invalid else (),
    )


def resolve_config(state: State, taken: Acceptance, hand_off: HandOff, source: AppSource) -> ResolvedConfig | None:
    """Read the app's config at the commit, with its dependencies; None for a hand-off without config."""
    if taken.config is None:
        return None
    settings, values_only = state.configuration.settings, taken.record.app.template is not None
    environments, path = taken.record.environments(settings), taken.config.path
    owner, repository = taken.record.name, source.files
    try:
        files = snapshot(repository, taken.config, owner=owner, environments=environments, values_only=values_only)
        if values_only:
            return ResolvedConfig(files)
        return source.resolver.resolve(files, settings, environments, path, owner)
    except HeadgateError as error:
        raise in_origin(error, path, path, origin_of(hand_off.project, hand_off.commit), is_own=True) from None
