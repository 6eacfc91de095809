"""A tree -> final YAML for each app in each environment, and what that changes. Reads no clock and no network."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from headgate import tools
from headgate.engine import pool
from headgate.errors import GuardError, HeadgateError, ImageError, Location
from headgate.flux.changes import with_yaml
from headgate.flux.files import writes_flux_objects
from headgate.flux.objects import with_data_kept
from headgate.hydration import lock, output
from headgate.hydration.cluster import conflicts
from headgate.hydration.plan import Planned, Planner, Unplannable, input_paths, output_folders
from headgate.objects.canonical import file_name, to_files
from headgate.objects.check import check_allowed
from headgate.objects.hooks import with_suffixes, without_hooks
from headgate.objects.images import set_digests
from headgate.objects.manifest import manifests, with_namespace
from headgate.render import ENGINES
from headgate.repository.tree import MAX_FILE, prefetch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from headgate.config import AppRecord, Configuration
    from headgate.hydration.output import ObjectChange
    from headgate.objects.manifest import Manifest
    from headgate.render.protocol import Result
    from headgate.repository.tree import Changes, Tree

Target = tuple["AppRecord", str]


@dataclass(frozen=True)
class Outcome:
    """What hydrating one app in one environment gave.

    ``state`` is ``changed``, ``unchanged``, ``waiting`` (for the first hand-off of a part), ``held`` (pinned or
    frozen), ``superseded`` (by something newer) or ``failed``; ``reasons`` say why. ``upgrade`` tells of another
    version of the engine than before: ``helm 4.3.0 -> 4.3.1``.
    """

    app: str
    environment: str
    folder: str
    state: str
    engine: str = ""
    changes: Changes | None = None
    objects: tuple[ObjectChange, ...] = ()
    error: HeadgateError | None = None
    waits_for: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    upgrade: str = ""
    inputs: str = ""

    def joined(self, more: Changes | HeadgateError | None) -> Outcome:
        """Return this with more changes outside of its folder, or failed when they cannot be made."""
        if isinstance(more, HeadgateError):
            return replace(self, state="failed", error=more, changes=None, objects=())
        if not more:
            return self
        reasons = tuple(dict.fromkeys((*self.reasons, _FLUX_CHANGES)))
        return replace(self, state="changed", changes={**(self.changes or {}), **more}, reasons=reasons)


_FLUX_CHANGES = "its Flux objects change"


@dataclass(frozen=True)
class HydrateOptions:
    """What a person may ask for: everything anew, and to be let past the guards and the lock.

    ``explicit``: what is pinned or frozen too, since it was asked for just that. ``trusted``: files whose records
    are believed; a folder that differs from there is rendered, whatever its own record says of it. ``closed`` are
    environments that take nothing by themselves at this time. ``kept`` are results by their inputs, for those who
    try more than once.
    """

    everything: bool = False
    allow_removals: bool = False
    upgrade: bool = False
    explicit: bool = False
    trusted: Tree | None = None
    closed: frozenset[str] = frozenset()
    kept: dict[str, Hydrated] = field(default_factory=dict, compare=False)

    def believe(self, tree: Tree, folder: str) -> bool:
        """Whether what a folder's record says of it may be believed."""
        return self.trusted is None or self.trusted.folder(folder).id == tree.folder(folder).id


AS_USUAL = HydrateOptions()


@dataclass(frozen=True)
class Hydrated:
    """Objects of one app in one environment, before they are compared with anything."""

    planned: Planned
    found: tuple[Manifest, ...]
    files: Mapping[str, str]
    used: frozenset[str]
    warnings: tuple[str, ...]

    @property
    def by_file(self) -> dict[str, Manifest]:
        """The objects by the names of their files."""
        return {file_name(manifest, self.planned.render.namespace): manifest for manifest in self.found}


def hydrate(
    tree: Tree,
    configuration: Configuration,
    targets: Sequence[Target],
    options: HydrateOptions = AS_USUAL,
    progress: Callable[[str, str], None] = lambda _app, _environment: None,
) -> list[Outcome]:
    """Hydrate the targets and return an outcome for each, in their order. Nothing is written.

    ``progress`` hears of each app and environment when it is rendered. Raises LockError when
    headgate.lock names other engine versions than these.
    """
    pool.require_sandbox(required=configuration.settings.sandbox == "required")
    records = [f"{folder}/{output.RECORD}" for folder in output_folders(configuration, targets)]
    prefetch(tree, input_paths(tree, ()) + records)
    planner = Planner(tree, configuration, tools.engine_version)
    outcomes = {} if options.everything else _quickly_unchanged(tree, configuration, targets, planner, options)
    others = [(record, name) for record, name in targets if (record.name, name) not in outcomes]
    prefetch(tree, input_paths(tree, others))
    planner.read_ahead(others)
    plans = [planner.plan(record, name) for record, name in others]
    if not options.upgrade:
        engines = {plan.render.engine for plan in plans if isinstance(plan, Planned)}
        lock.check(configuration.lock, engines | {one.engine for one in outcomes.values()})
    todo: list[Planned] = []
    for plan in plans:
        settled = _settled(tree, configuration, plan, options)
        if settled is not None:
            outcomes[plan.record.name, plan.environment] = settled
        elif isinstance(plan, Planned):
            todo.append(plan)
    outcomes |= _hydrate_planned(tree, configuration, todo, options, progress)
    return with_flux_objects(tree, configuration, [outcomes[record.name, name] for record, name in targets])


def with_flux_objects(tree: Tree, configuration: Configuration, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return outcomes with the changes of Flux objects that go along; one where these cannot be written fails."""
    hydrated = {(one.app, one.environment): one.changes or {} for one in outcomes if one.state in _HYDRATED}
    found = with_yaml(tree, configuration, hydrated)
    return [one.joined(found.get((one.app, one.environment))) for one in outcomes]


_HYDRATED = ("changed", "unchanged")


def broken(configuration: Configuration, apps: Sequence[str] = ()) -> list[Outcome]:
    """Return a failed outcome for each app, or each of these, whose app.yaml cannot be used."""
    return [
        Outcome(path.rsplit("/", 1)[1], "every environment", "", "failed", error=error)
        for path, error in configuration.broken.items()
        if not apps or path.rsplit("/", 1)[1] in apps
    ]


def _quickly_unchanged(
    tree: Tree, configuration: Configuration, targets: Sequence[Target], planner: Planner, options: HydrateOptions
) -> dict[tuple[str, str], Outcome]:
    """Find what is as it was by the ids of files alone. Of these no warnings are told: they were with the change."""
    found = {}
    for record, environment in targets:
        folder = configuration.output_folder(record.name, environment)
        known = planner.quick(record, environment) if options.believe(tree, folder) else None
        with suppress(HeadgateError):  # a record that cannot be read is told of when that app-environment is planned
            if known and output.is_quickly_current(tree, folder, known[1]):
                key = (record.name, environment)
                found[key] = Outcome(*key, folder, "unchanged", known[0])
    return found


def _settled(
    tree: Tree, configuration: Configuration, plan: Planned | Unplannable, options: HydrateOptions
) -> Outcome | None:
    """Return what can be told of a plan without rendering it; None where it is to be rendered."""
    folder = configuration.output_folder(plan.record.name, plan.environment)
    blank = Outcome(plan.record.name, plan.environment, folder, "failed")
    if isinstance(plan, Unplannable):
        return replace(blank, state="failed" if plan.error else "waiting", error=plan.error, waits_for=plan.waits_for)
    blank = replace(blank, engine=plan.render.engine, inputs=plan.inputs)

    def is_closed(plan: Planned) -> bool:
        commits = plan.record.delivery(configuration.settings, plan.environment) == "commit"
        return plan.environment in options.closed and commits

    try:
        hold = plan.hold_reason or (f"{plan.environment} is outside of its windows" if is_closed(plan) else "")
        if hold and not options.explicit and output.read_record(tree, folder).inputs != plan.inputs:
            if not options.believe(tree, folder):
                raise GuardError(
                    "its final YAML is not the default branch's, and nothing is rendered anew while it is held",
                    where=Location(folder),
                    hint=f"restore this folder from the default branch ({hold})",
                )
            return replace(blank, state="held", reasons=(hold,))
        if not options.everything and options.believe(tree, folder) and output.is_current(tree, folder, plan.inputs):
            return replace(blank, state="unchanged", warnings=plan.warnings)
    except HeadgateError as error:
        return replace(blank, error=error)
    return None


def _hydrate_planned(
    tree: Tree,
    configuration: Configuration,
    todo: Sequence[Planned],
    options: HydrateOptions,
    progress: Callable[[str, str], None],
) -> dict[tuple[str, str], Outcome]:
    if not todo:
        return {}
    prefetch(tree, output_folders(configuration, [(plan.record, plan.environment) for plan in todo]))
    finished, errors = _render_all(configuration, todo, options.kept, progress)
    errors |= _unused_images(tree, configuration, finished)
    owners = {key: one.found for key, one in finished.items() if key not in errors}
    errors |= conflicts(configuration, tree, owners)
    outcomes = {}
    for plan in todo:
        key = (plan.record.name, plan.environment)
        folder = configuration.output_folder(*key)
        blank = Outcome(*key, folder, "failed", plan.render.engine, warnings=plan.warnings, inputs=plan.inputs)
        if key in errors:
            outcomes[key] = replace(blank, error=errors[key])
            continue
        outcomes[key] = _compared(tree, configuration, finished[key], blank, options)
    return outcomes


def _compared(
    tree: Tree, configuration: Configuration, one: Hydrated, blank: Outcome, options: HydrateOptions
) -> Outcome:
    percent = 100 if options.allow_removals else configuration.settings.limits.removed_percent
    plan = one.planned
    try:
        output.check_foreign(tree, blank.folder, one.files, plan.render.namespace)
        changes = output.changes(
            tree,
            blank.folder,
            one.files,
            plan.inputs,
            max_removed_percent=percent,
            quick=plan.quick,
            engine=plan.engine,
        )
        upgrade = output.upgrade(output.read_record(tree, blank.folder), plan.engine)
    except HeadgateError as error:
        return replace(blank, error=error)
    return replace(
        blank,
        state="changed" if changes.keys() - {f"{blank.folder}/{output.RECORD}"} else "unchanged",
        changes=changes,
        objects=tuple(output.object_changes(tree, blank.folder, changes, one.by_file)),
        warnings=one.warnings,
        upgrade=upgrade,
    )


def _render_all(
    configuration: Configuration,
    todo: Sequence[Planned],
    kept: dict[str, Hydrated],
    progress: Callable[[str, str], None],
) -> tuple[dict[tuple[str, str], Hydrated], dict[tuple[str, str], HeadgateError]]:
    plans = {(plan.record.name, plan.environment): plan for plan in todo}
    finished = {key: replace(kept[plan.inputs], planned=plan) for key, plan in plans.items() if plan.inputs in kept}
    errors: dict[tuple[str, str], HeadgateError] = {}
    for name, engine in ENGINES.items():
        batch = [plan.render for key, plan in plans.items() if plan.render.engine == name and key not in finished]
        with closing(engine(batch)) as results:  # whatever ends the loop, the engine has ended its work
            for result in results:
                key = (result.render.app, result.render.environment)
                progress(*key)
                try:
                    finished[key] = kept[plans[key].inputs] = _finish(plans[key], result, configuration)
                except HeadgateError as error:
                    errors[key] = error
    return finished, errors


def _finish(plan: Planned, result: Result, configuration: Configuration) -> Hydrated:
    """Turn what was rendered into the app's objects and files."""
    if result.error is not None:
        raise result.error
    app_file = f"{plan.record.folder}/app.yaml"
    settings = configuration.settings
    found = without_hooks(manifests(result.objects), plan.hooks, app_file)
    if not found:
        raise GuardError(
            "rendered nothing",
            where=Location(plan.render.label),
            hint="to take the app away, remove it from its environments",
        )
    used = set_digests(found, plan.images, plan.render.images, settings.workloads)
    namespace, allow = plan.render.namespace, plan.record.app.allow
    placed = with_namespace(
        with_suffixes(found), namespace, settings.scopes, own_config=plan.own_config, allowed=allow.kinds
    )
    check_allowed(placed.scoped, allow, namespace, app_file, own_config=plan.own_config)
    written = placed.manifests
    if writes_flux_objects(settings, plan.environment):
        written = with_data_kept(written)
    return Hydrated(
        plan,
        written,
        to_files(written, namespace),
        frozenset(used),
        (*plan.warnings, *result.warnings, *placed.warnings),
    )


def _unused_images(
    tree: Tree, configuration: Configuration, finished: Mapping[tuple[str, str], Hydrated]
) -> dict[tuple[str, str], HeadgateError]:
    """Find images that no container uses in any environment: in what was just rendered, nor in what is there."""
    errors: dict[tuple[str, str], HeadgateError] = {}
    by_app: dict[str, list[Hydrated]] = {}
    for one in finished.values():
        by_app.setdefault(one.planned.record.name, []).append(one)
    for app, ones in by_app.items():
        used = frozenset[str]().union(*(one.used for one in ones))
        for one in ones:
            for name, image in one.planned.images.items():
                if (
                    image.optional
                    or name in used
                    or _is_used_elsewhere(tree, configuration, app, image.repository, ones)
                ):
                    continue
                errors[app, one.planned.environment] = ImageError(
                    f"no container uses the image '{name}' ({image.repository})",
                    where=one.planned.record.place("images", name),
                    hint="name it in a container, correct the repository, or set 'optional: true'",
                )
    return errors


def _is_used_elsewhere(
    tree: Tree, configuration: Configuration, app: str, repository: str, ones: Sequence[Hydrated]
) -> bool:
    here = {one.planned.environment for one in ones}
    record = configuration.apps[app]
    others = [name for name in record.environments(configuration.settings) if name not in here]
    folders = [configuration.output_folder(app, name) for name in others]
    files = [path for folder in folders for path in tree.paths(folder) if tree.blob(path).size <= MAX_FILE]
    return any(repository.encode() in tree.read(path) for path in files)
