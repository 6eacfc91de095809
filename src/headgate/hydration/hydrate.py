"""A tree -> final YAML for each app in each environment, and its changes. Reads no clock and no network."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import field, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Literal

from headgate import tools
from headgate.engine import pool
from headgate.errors import GuardError, HeadgateError, Location
from headgate.flux.changes import with_yaml
from headgate.hydration import judging, lock, output
from headgate.hydration.assemble import Hydrated, RenderCache, unused_images
from headgate.hydration.candidates import JudgingContext, candidate_of
from headgate.hydration.cluster import conflicts, standing_files
from headgate.hydration.plan import Planned, Planner, Unplannable, input_paths, named, output_folders
from headgate.hydration.record import RECORD, read_record
from headgate.hydration.results import render_all
from headgate.hydration.template import template_paths
from headgate.impact.refusal import check_refused
from headgate.impact.risk import standing_flags
from headgate.notice import Notice
from headgate.records import frozen_record
from headgate.repository.tree import prefetch
from headgate.validation.weigh import NOT_JUDGED, Judgement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headgate.configuration import AppRecord, Configuration, Owner
    from headgate.hydration.output import ObjectChange
    from headgate.hydration.results import ResultFolder
    from headgate.repository.tree import Changes, Tree

Target = tuple["AppRecord", str]

OutcomeState = Literal["changed", "unchanged", "waiting", "held", "superseded", "failed", "recorded"]
"""``waiting``: for the first hand-off of a part; ``held``: pinned, frozen or outside of its windows; ``superseded``:
by something newer; ``recorded``: only the records of what is pending change."""


@frozen_record
class Outcome:
    """The result of hydrating one app in one environment.

    ``reasons`` explain the state. ``upgrade`` names a new version of the engine: ``helm 4.3.0 -> 4.3.1``. ``judgement``
    is told by ``warnings`` and ``error``.
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


@frozen_record
class HydrateOptions:
    """Options of a hydration: render everything, and pass the guards or the lock.

    ``explicit`` also hydrates what is pinned or frozen. ``trusted`` is a tree whose records are believed: a folder
    that differs from it is rendered, whatever its own record says. ``closed`` are environments that are now outside
    their windows. ``cache`` is for callers that retry, ``results`` has what other jobs rendered. ``today`` ends waivers
    of findings; ``repeats_findings``: also those that the landed YAML has already.
    """

    everything: bool = False
    allow_removals: bool = False
    upgrade: bool = False
    explicit: bool = False
    trusted: Tree | None = None
    closed: frozenset[str] = frozenset()
    cache: RenderCache = field(default_factory=RenderCache, compare=False)
    results: ResultFolder | None = field(default=None, compare=False)
    today: date = field(default_factory=lambda: datetime.now(UTC).date(), compare=False)
    repeats_findings: bool = False

    def trusts(self, tree: Tree, folder: str) -> bool:
        """Whether a folder's record may be believed."""
        return self.trusted is None or self.trusted.folder(folder).id == tree.folder(folder).id


AS_USUAL = HydrateOptions()


def hydrate(
    tree: Tree,
    configuration: Configuration,
    targets: Sequence[Target],
    options: HydrateOptions = AS_USUAL,
    progress: Callable[[str, str], None] = lambda _app, _environment: None,
) -> list[Outcome]:
    """Hydrate the targets and return an outcome for each, in order. Writes nothing.

    ``progress`` is called with each app and environment after its render. Raises LockError when headgate.lock names
    other engine versions, ConfigError for wrong policies that a merge request brings.
    """
    outcomes, to_render = planned(tree, configuration, targets, options)
    outcomes |= _hydrate_planned(tree, configuration, to_render, options, progress)
    return _with_flux_objects(tree, configuration, [outcomes[record.name, name] for record, name in targets])


def planned(
    tree: Tree, configuration: Configuration, targets: Sequence[Target], options: HydrateOptions = AS_USUAL
) -> tuple[dict[Owner, Outcome], list[Planned]]:
    """Return the outcomes of targets that need no render, and the plans of the others.

    Raises LockError when headgate.lock names other engine versions.
    """
    pool.require_sandbox(required=configuration.settings.sandbox == "required")
    judging.check_proposed_policies(configuration)
    records = [f"{folder}/{RECORD}" for folder in output_folders(configuration, targets)]
    prefetch(tree, template_paths(targets) + records)
    planner = Planner(tree, configuration, tools.engine_version)
    outcomes: dict[Owner, Outcome] = (
        {} if options.everything else _quickly_unchanged(tree, configuration, targets, planner, options)
    )
    others = [(record, name) for record, name in targets if (record.name, name) not in outcomes]
    prefetch(tree, input_paths(others))
    planner.read_ahead(others)
    plans = [planner.plan(record, name) for record, name in others]
    if not options.upgrade:
        engines = {plan.render.engine for plan in plans if isinstance(plan, Planned)}
        lock.check(configuration.lock, engines | {outcome.engine for outcome in outcomes.values()})
    to_render: list[Planned] = []
    for plan in plans:
        settled = _settled(tree, configuration, plan, options)
        if settled is not None:
            outcomes[plan.record.name, plan.environment] = settled
        elif isinstance(plan, Planned):
            to_render.append(plan)
    return outcomes, to_render


def _with_flux_objects(tree: Tree, configuration: Configuration, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes with the changes of their Flux objects; an outcome fails if these cannot be written."""
    hydrated = {
        (outcome.app, outcome.environment): outcome.changes or {}
        for outcome in outcomes
        if outcome.state in ("changed", "unchanged")
    }
    results = with_yaml(tree, configuration, hydrated)
    return [outcome.joined(results.get((outcome.app, outcome.environment))) for outcome in outcomes]


def broken(configuration: Configuration, apps: Sequence[str] = ()) -> list[Outcome]:
    """Return a failed outcome for each app (or each of ``apps``) with an invalid app.yaml."""
    return [
        Outcome(app=path.rsplit("/", 1)[1], environment="every environment", state="failed", error=error)
        for path, error in configuration.broken.items()
        if not apps or path.rsplit("/", 1)[1] in apps
    ]


def _quickly_unchanged(
    tree: Tree, configuration: Configuration, targets: Sequence[Target], planner: Planner, options: HydrateOptions
) -> dict[tuple[str, str], Outcome]:
    """Return the outcomes of targets whose file ids have not changed. Their warnings were shown with the change."""
    unchanged = {}
    for record, environment in targets:
        folder = configuration.output_folder(record.name, environment)
        known = planner.fingerprint(record, environment) if options.trusts(tree, folder) else None
        with suppress(HeadgateError):  # `_settled` reports a record that cannot be read
            if known and output.is_fingerprint_current(tree, folder, known[1]):
                unchanged[record.name, environment] = Outcome(
                    app=record.name, environment=environment, folder=folder, state="unchanged", engine=known[0]
                )
    return unchanged


def _settled(
    tree: Tree, configuration: Configuration, plan: Planned | Unplannable, options: HydrateOptions
) -> Outcome | None:
    """Return the outcome of a plan that needs no render, or None."""
    folder = configuration.output_folder(plan.record.name, plan.environment)
    blank = Outcome(app=plan.record.name, environment=plan.environment, folder=folder, state="failed")
    if isinstance(plan, Unplannable):
        return replace(blank, state="failed" if plan.error else "waiting", error=plan.error, waits_for=plan.waits_for)
    blank = replace(blank, engine=plan.render.engine, inputs=plan.inputs)
    is_closed = (
        plan.environment in options.closed
        and plan.record.delivery(configuration.settings, plan.environment) == "commit"
    )
    try:
        hold = plan.hold_reason or (f"{plan.environment} is outside of its windows" if is_closed else "")
        if hold and not options.explicit and read_record(tree, folder).inputs != plan.inputs:
            if not options.trusts(tree, folder):
                raise GuardError(
                    "its final YAML differs from the default branch, and a held app is not rendered",
                    where=Location(folder),
                    hint=f"restore this folder from the default branch ({hold})",
                )
            return replace(blank, state="held", reasons=(hold,))
        if not options.everything and options.trusts(tree, folder) and output.is_current(tree, folder, plan.inputs):
            return replace(blank, state="unchanged", warnings=plan.warnings)
    except HeadgateError as error:
        return replace(blank, error=error)
    return None


def _hydrate_planned(
    tree: Tree,
    configuration: Configuration,
    plans: Sequence[Planned],
    options: HydrateOptions,
    progress: Callable[[str, str], None],
) -> dict[tuple[str, str], Outcome]:
    if not plans:
        return {}
    prefetch(tree, output_folders(configuration, [(plan.record, plan.environment) for plan in plans]))
    judging.start_ahead(configuration)
    rendered, errors = render_all(configuration, plans, options.cache, options.results, progress)
    errors |= unused_images(tree, configuration, rendered)
    owners = {key: hydrated.manifests for key, hydrated in rendered.items() if key not in errors}
    standing = {} if options.everything else standing_files(tree, configuration, plans, options.trusts)
    errors |= conflicts(configuration, tree, owners, standing)
    candidates = {key: candidate_of(hydrated) for key, hydrated in rendered.items() if key not in errors}
    context = JudgingContext(tree=tree, configuration=configuration, rendered=candidates, today=options.today)
    judgements = judging.judged(context, repeats_findings=options.repeats_findings)
    errors |= {key: judgement.error for key, judgement in judgements.items() if judgement.error is not None}
    records = {(plan.record.name, plan.environment): plan.record for plan in plans}
    errors = {key: named(error, tree, records[key], key[1]) for key, error in errors.items()}
    outcomes = {}
    for plan in plans:
        key = (plan.record.name, plan.environment)
        blank = Outcome(
            app=plan.record.name,
            environment=plan.environment,
            folder=configuration.output_folder(*key),
            state="failed",
            engine=plan.render.engine,
            warnings=plan.warnings,
            inputs=plan.inputs,
            judgement=judgements.get(key, NOT_JUDGED),
        )
        if key in errors:
            outcomes[key] = replace(blank, error=errors[key])
            continue
        warnings = (*rendered[key].warnings, *map(Notice, blank.judgement.warnings))
        hydrated = replace(rendered[key], warnings=warnings)
        outcomes[key] = _compared(tree, configuration, hydrated, blank, options)
    return outcomes


def _compared(
    tree: Tree, configuration: Configuration, hydrated: Hydrated, blank: Outcome, options: HydrateOptions
) -> Outcome:
    percent = 100 if options.allow_removals else configuration.settings.limits.removed_percent
    plan, workloads = hydrated.planned, configuration.settings.workloads
    try:
        output.check_foreign(tree, blank.folder, hydrated.files, plan.render.namespace)
        changes = output.changes(
            tree,
            blank.folder,
            hydrated.files,
            plan.inputs,
            max_removed_percent=percent,
            fingerprint=plan.fingerprint,
            engine=plan.engine,
            sources=plan.sources,
            flags=standing_flags(hydrated.manifests, workloads),
        )
        upgrade = output.upgrade(read_record(tree, blank.folder), plan.engine)
        objects = output.object_changes(tree, blank.folder, changes, hydrated.by_file, workloads)
        risks = [(f"{change.kind} {change.name}", risk) for change in objects for risk in change.risks]
        check_refused(risks, configuration.environment(plan.environment).refuse, plan.environment)
    except HeadgateError as error:
        return replace(blank, error=error)
    return replace(
        blank,
        state="changed" if changes.keys() - {f"{blank.folder}/{RECORD}"} else "unchanged",
        changes=changes,
        objects=tuple(objects),
        warnings=hydrated.warnings,
        upgrade=upgrade,
    )
