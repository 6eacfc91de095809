"""A tree -> final YAML for each app in each environment, and its changes. Reads no clock and no network."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import field, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from headgate import tools
from headgate.engine import pool
from headgate.errors import GuardError, HeadgateError, Location
from headgate.flux.changes import with_yaml
from headgate.hydration import final_yaml, judging, lock, output
from headgate.hydration.assemble import Hydrated, RenderCache, unused_images
from headgate.hydration.candidates import PORTION, JudgingContext, candidate_of
from headgate.hydration.cluster import conflicts, standing_files
from headgate.hydration.object_changes import object_changes
from headgate.hydration.outcome import Outcome
from headgate.hydration.plan import Planned, Planner, Unplannable, input_paths, named, output_folders
from headgate.hydration.record import RECORD, read_record
from headgate.hydration.results import render_all
from headgate.hydration.template import template_paths
from headgate.impact.refusal import check_refused
from headgate.impact.risk import standing_flags
from headgate.notice import Notice
from headgate.objects.canonical import file_name
from headgate.records import frozen_record
from headgate.repository.tree import prefetch
from headgate.validation.weigh import NOT_JUDGED, Judgement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headgate.configuration import AppRecord, Configuration, Owner
    from headgate.hydration.results import ResultFolder
    from headgate.objects.manifest import Manifest
    from headgate.repository.tree import Tree

Target = tuple["AppRecord", str]


@frozen_record
class HydrateOptions:
    """Options of a hydration: render everything, and pass the guards or the lock.

    ``explicit`` also hydrates what is pinned or frozen; so are the apps of ``decided``, whose step was decided with the
    holds in view. ``trusted`` is a tree whose records are believed: a folder that differs from it is rendered, whatever
    its own record says. ``closed`` are environments that are now outside their windows. ``cache`` is for callers that
    retry, ``results`` has what other jobs rendered. ``today`` ends waivers of findings; ``repeats_findings``: also
    those that the landed YAML has already.
    """

    everything: bool = False
    allow_removals: bool = False
    upgrade: bool = False
    explicit: bool = False
    decided: frozenset[Owner] = frozenset()
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
        is_decided = options.explicit or (plan.record.name, plan.environment) in options.decided
        if hold and not is_decided and read_record(tree, folder).inputs != plan.inputs:
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
    plans: list[Planned],
    options: HydrateOptions,
    progress: Callable[[str, str], None],
) -> dict[tuple[str, str], Outcome]:
    if not plans:
        return {}
    tree.fetch(output_folders(configuration, [(plan.record, plan.environment) for plan in plans]))
    judging.start_ahead(configuration)
    rendered, errors = render_all(configuration, plans, options.cache, options.results, progress)
    plans[:] = [plan.without_values for plan in plans]  # of tens of thousands these would be held until the end
    errors |= unused_images(tree, configuration, rendered)
    standing = {} if options.everything else standing_files(tree, configuration, plans, options.trusts)
    names = {key: hydrated.manifests.names for key, hydrated in rendered.items() if key not in errors}
    errors |= conflicts(configuration, tree, names, standing)
    del names, standing
    candidates = {key: candidate_of(hydrated) for key, hydrated in rendered.items() if key not in errors}
    context = JudgingContext(tree=tree, configuration=configuration, rendered=candidates, today=options.today)
    judge = judging.Judge(context, repeats_findings=options.repeats_findings)
    outcomes: dict[Owner, Outcome] = {}
    for start in range(0, len(plans), PORTION):
        if len(plans) > PORTION:
            final_yaml.forget()
        portion = {(plan.record.name, plan.environment): plan for plan in plans[start : start + PORTION]}
        prefetch(tree, [context.folder(key) for key in portion])
        manifests = {key: candidates[key].manifests.unpack() for key in portion if key in candidates}
        judgements = judge.judged(manifests)
        for key, plan in portion.items():
            hydrated = rendered.pop(key, None)
            judgement = judgements.get(key, NOT_JUDGED)
            blank = _blank(plan, context.folder(key), judgement)
            error = errors.get(key) or judgement.error
            if hydrated is None or error is not None:
                outcomes[key] = replace(blank, error=error and named(error, tree, plan.record, plan.environment))
                continue
            warnings = (*hydrated.warnings, *map(Notice, judgement.warnings))
            hydrated = replace(hydrated, warnings=warnings)
            outcomes[key] = _compared(tree, configuration, hydrated, manifests[key], blank, options)
        candidates |= {key: candidates[key].without_files for key in portion if key in candidates}
    return outcomes


def _blank(plan: Planned, folder: str, judgement: Judgement) -> Outcome:
    return Outcome(
        app=plan.record.name,
        environment=plan.environment,
        folder=folder,
        state="failed",
        engine=plan.render.engine,
        warnings=plan.warnings,
        inputs=plan.inputs,
        judgement=judgement,
    )


def _compared(
    tree: Tree,
    configuration: Configuration,
    hydrated: Hydrated,
    manifests: Sequence[Manifest],
    blank: Outcome,
    options: HydrateOptions,
) -> Outcome:
    percent = 100 if options.allow_removals else configuration.settings.limits.removed_percent
    plan, workloads = hydrated.planned, configuration.settings.workloads
    by_file = {file_name(manifest, plan.render.namespace): manifest for manifest in manifests}
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
            flags=standing_flags(manifests, workloads),
        )
        for path, text in changes.items():  # a description of them reads nothing
            if text is not None and (manifest := by_file.get(path.removeprefix(f"{blank.folder}/"))):
                final_yaml.rendered(text, manifest)
        upgrade = output.upgrade(read_record(tree, blank.folder), plan.engine)
        objects = object_changes(tree, blank.folder, changes, by_file, workloads)
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
