"""Applies an intent to a state, and hydrates what it touches."""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING

from headgate import config
from headgate.engine import pool
from headgate.errors import HeadgateError
from headgate.flux.changes import with_removals
from headgate.hydration import judging, output
from headgate.hydration.hydrate import HydrateOptions, hydrate
from headgate.hydration.object_changes import object_changes
from headgate.hydration.outcome import Outcome
from headgate.records import frozen_record
from headgate.releases.windows import is_open
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from collections.abc import Callable

    from headgate.configuration import Configuration, Owner
    from headgate.intents.protocol import Applied, Intent, State, Step
    from headgate.repository.tree import Changes, Tree


@frozen_record
class HydratedIntent:
    """An applied intent, the files ``after`` it, an outcome per step, and the resulting configuration.

    ``failures`` are the errors of steps that fell back to an alternative.
    """

    intent: Intent
    applied: Applied
    after: Tree
    outcomes: list[Outcome]
    configuration: Configuration
    failures: dict[Owner, HeadgateError] = field(default_factory=dict)


def hydrate_intent(
    state: State, intent: Intent, options: HydrateOptions, progress: Callable[[str, str], None]
) -> HydratedIntent:
    """Apply an intent and hydrate its steps; a step that cannot be rendered falls back to its alternatives."""
    pool.require_sandbox(required=state.configuration.settings.sandbox == "required")  # before it reads an app's files
    if intent.explicit:  # it changes YAML as a rule, and what it reads comes over the network
        judging.start_ahead(state.configuration)
    applied = intent.apply(state)
    environments = {} if state.in_review else state.configuration.settings.environments
    closed = frozenset(name for name, settings in environments.items() if not is_open(settings.windows, state.now))
    decided = frozenset(step.owner for step in applied.steps if step.decision is not None)
    options = replace(options, explicit=intent.explicit, closed=closed, decided=decided)
    prefetch(state.tree, [_folder(state.configuration, step) for step in applied.steps if step.removes])
    steps = list(applied.steps)
    failures: dict[Owner, HeadgateError] = {}
    hydrated: dict[Owner, Outcome] = {}
    remaining = steps
    while remaining:
        unfinished = replace(applied, steps=[step for step in steps if step.owner not in hydrated])
        after = state.tree.with_changes(_all_changes(unfinished))
        configuration = _configuration_after(state, after, applied)
        targets = [(configuration.apps[step.app], step.environment) for step in remaining if step.hydrates]
        results = hydrate(after, configuration, targets, options, progress)
        outcomes = {(outcome.app, outcome.environment): outcome for outcome in results}
        fallbacks = []
        for step in remaining:
            outcome = outcomes.get(step.owner)
            if outcome is not None and outcome.error is not None and step.alternatives:
                failures.setdefault(step.owner, outcome.error)
                fallbacks.append(replace(step.alternatives[0], alternatives=step.alternatives[1:]))
            elif outcome is not None:
                hydrated[step.owner] = outcome
        replaced = {step.owner: step for step in fallbacks}
        steps = [replaced.get(step.owner, step) if step.hydrates else step for step in steps]
        remaining = fallbacks
    applied = replace(applied, steps=steps)
    after = state.tree.with_changes(_all_changes(applied))
    return HydratedIntent(
        intent=intent,
        applied=applied,
        after=after,
        outcomes=_with_flux_removals(state, [_outcome(state, step, hydrated) for step in steps]),
        configuration=_configuration_after(state, after, applied),
        failures=failures,
    )


def _with_flux_removals(state: State, outcomes: list[Outcome]) -> list[Outcome]:
    """Return the outcomes with the removals of Flux objects that nothing needs after them."""
    changes: dict[Owner, Changes] = {}
    for outcome in outcomes:
        if outcome.state in _HYDRATED:
            owner = (outcome.app, outcome.environment)
            changes[owner] = changes.get(owner, {}) | (outcome.changes or {})
    covered = {(outcome.app, outcome.environment) for outcome in outcomes}
    removals = with_removals(state.tree, state.configuration, changes, covered)
    return [
        outcome.joined(removals.get((outcome.app, outcome.environment))) if outcome.state in _HYDRATED else outcome
        for outcome in outcomes
    ]


_HYDRATED = ("changed", "unchanged")


def _all_changes(applied: Applied) -> Changes:
    changes: Changes = dict(applied.recorded)
    for step in applied.steps:
        changes |= step.recorded | step.changes
    return changes


def _configuration_after(state: State, after: Tree, applied: Applied) -> Configuration:
    """Reload the configuration if a step hydrates with a changed one. Removals hydrate nothing."""
    if not any(step.hydrates for step in applied.steps) or not applied.recorded:
        return state.configuration
    return config.load(after)


def _folder(configuration: Configuration, step: Step) -> str:
    return step.folder or configuration.output_folder(*step.owner)


def _outcome(state: State, step: Step, hydrated: dict[Owner, Outcome]) -> Outcome:
    if step.hydrates:
        return replace(hydrated[step.owner], reasons=(*step.reasons, *hydrated[step.owner].reasons))
    folder = _folder(state.configuration, step)
    blank = Outcome(
        app=step.app,
        environment=step.environment,
        folder=folder,
        state=step.state,
        error=step.error,
        reasons=step.reasons,
    )
    if not step.removes:
        return blank
    try:
        changes = output.removal(state.tree, folder)
    except HeadgateError as error:
        return replace(blank, state="failed", error=error)
    objects = tuple(object_changes(state.tree, folder, changes))
    return replace(blank, state="changed", changes=changes, objects=objects)
