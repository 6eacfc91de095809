"""The adoption of a running repository: its new files, their final YAML, and the differences from today."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headgate.adoption.choices import OpenQuestionError
from headgate.adoption.comparing import compare, files_of_today, with_namespaces
from headgate.adoption.current import read_current
from headgate.adoption.layout import environments_of, find_places
from headgate.adoption.sources import LeftOut
from headgate.adoption.steps import steps
from headgate.adoption.unplaced import unplaced
from headgate.adoption.writing import check_reserved, settings_text, write_apps
from headgate.config import app_folders, load, parse
from headgate.errors import ArgumentError, ConfigError, Location
from headgate.hydration import lock
from headgate.hydration.hydrate import HydrateOptions, broken, hydrate
from headgate.model import Settings
from headgate.paths import SETTINGS
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from headgate.adoption.choices import Choices
    from headgate.adoption.comparing import AppProof
    from headgate.adoption.images import Provenance, Resolve
    from headgate.adoption.layout import Place
    from headgate.adoption.sources import CurrentApp, CurrentState
    from headgate.configuration import Configuration
    from headgate.hydration.outcome import Outcome
    from headgate.model.fields import Delivery
    from headgate.repository.tree import Changes, Tree


@frozen_record
class Adoption:
    """The files to write, and the proof. ``environments`` are those of headgate.yaml, with their deliveries;
    ``candidates`` are images by app without a project that hands them off; ``steps`` are people's around the merge.
    """

    changes: Changes
    environments: Mapping[str, Delivery]
    comparisons: tuple[AppProof, ...]
    outcomes: tuple[Outcome, ...]
    found: CurrentState
    candidates: Mapping[str, tuple[str, ...]]
    steps: tuple[str, ...]

    @property
    def failed(self) -> list[Outcome]:
        """The apps that Headgate cannot hydrate."""
        return [outcome for outcome in self.outcomes if outcome.error is not None]

    @property
    def differences(self) -> int:
        """How many objects would differ from today."""
        return sum(len(found.differences) for found in self.comparisons)


def propose(
    tree: Tree,
    target: Tree,
    choices: Choices,
    provenance: Provenance,
    gitlab: Mapping[str, str],
    resolve: Resolve,
    progress: Callable[[str, str], None],
) -> Adoption:
    """Return the adoption of the repository ``tree`` into ``target``, which may be the same. Writes nothing.

    ``gitlab`` goes into a new headgate.yaml; ``resolve`` gives digests. Raises OpenQuestionError for what is not clear,
    and the errors of what cannot be read as it stands.
    """
    check_reserved(target)
    known = parse(target.read(SETTINGS), SETTINGS, Settings)[0] if SETTINGS in target else None
    if known is not None:
        same = choices.environments or dict.fromkeys(known.environments)
        ours = {folder.rpartition("/")[2] for folder in app_folders(target)}
        choices = replace(choices, environments=same, leave_out=choices.leave_out | ours)
    places = find_places(tree, choices)
    found = _find(tree, places, choices, known)
    environments = _environments(places, found, choices, known)
    written = write_apps(tree, target, found.apps, choices, provenance, resolve)
    files: Changes = dict(written.files)
    if known is None:
        files[SETTINGS] = settings_text(target, environments, choices, written.pinned, gitlab)
    configuration = load(target.with_changes(files))
    _check_apps({app.app for app in found.apps}, configuration.apps.names, known)
    outcomes = _hydrate(target.with_changes(files), configuration, found.apps, progress)
    files |= _output(configuration, outcomes)
    return Adoption(
        changes={path: data for path, data in files.items() if path not in target or target.read(path) != data},
        environments=environments,
        comparisons=_compare(found.apps, outcomes, choices, target.with_changes(files), configuration),
        outcomes=outcomes,
        found=found,
        candidates=written.candidates,
        steps=steps(tree, found.apps, configuration),
    )


def _find(tree: Tree, places: list[Place], choices: Choices, known: Settings | None) -> CurrentState:
    """Return the current state of the repository, with the namespaces of its objects."""
    found = read_current(tree, places, choices)
    apps = tuple(with_namespaces(found.apps, choices, known.scopes if known else {}))
    rest = (LeftOut(what=folder, environment="", reason=_NOT_PLACED) for folder in unplaced(tree, places, apps))
    found = replace(found, apps=apps, left_out=(*found.left_out, *rest))
    _check_hooks(found, choices)
    return found


def _hydrate(
    new: Tree, configuration: Configuration, apps: Sequence[CurrentApp], progress: Callable[[str, str], None]
) -> tuple[Outcome, ...]:
    """Return the hydrated apps."""
    own = {(app.app, app.environment) for app in apps}
    targets = [pair for pair in configuration.pairs() if (pair[0].name, pair[1]) in own]
    hydrated = hydrate(new, configuration, targets, HydrateOptions(everything=True), progress)
    return (*hydrated, *broken(configuration, [app.app for app in apps]))


def _output(configuration: Configuration, outcomes: Sequence[Outcome]) -> Changes:
    """Return the final YAML, and the lock with the engines that rendered it."""
    files: Changes = {}
    for outcome in outcomes:
        files |= outcome.changes or {}
    engines = {outcome.engine for outcome in outcomes if outcome.engine}
    return files | lock.changes(configuration.lock, sorted(engines), upgrade=False)


def _compare(
    apps: Sequence[CurrentApp],
    outcomes: Sequence[Outcome],
    choices: Choices,
    final: Tree,
    configuration: Configuration,
) -> tuple[AppProof, ...]:
    """Return the proof for each app that could be hydrated."""
    bad = {(outcome.app, outcome.environment) for outcome in outcomes if outcome.error is not None}
    scopes = configuration.settings.scopes
    return tuple(
        compare(app, files_of_today(app, choices, scopes), final, configuration)
        for app in apps
        if (app.app, app.environment) not in bad
    )


_NOT_PLACED = (
    "no adopted app has its objects: its name contains no environment, nothing applies it, or it was left out "
    "(name it with --environment or --app)"
)


def _check_hooks(found: CurrentState, choices: Choices) -> None:
    """Ask whether to drop or keep hooks. Raises OpenQuestionError."""
    for app in found.apps:
        hook = next((manifest for manifest in app.manifests if manifest.hook), None)
        if hook is not None and app.app not in choices.hooks:
            raise OpenQuestionError(
                f"the chart of '{app.app}' has hooks ({hook}: {', '.join(hook.hook)}), which Helm runs and Flux's "
                "Kustomizations do not",
                "--hooks",
                f"{app.app}=drop, or {app.app}=keep to apply them with the rest",
                prefix=f"{app.app}=",
            )


def _environments(
    places: list[Place], found: CurrentState, choices: Choices, known: Settings | None
) -> dict[str, Delivery]:
    """Return the environments with their deliveries: by default the first at once, the others by review."""
    if not found.apps:
        raise ArgumentError(
            "found nothing to adopt" + "".join(f"\n    {left.what}: {left.reason}" for left in found.left_out),
            hint="name the folders: --app NAME=FOLDER, with {environment} in it",
        )
    if known is not None:
        missing = {app.environment for app in found.apps} - known.environments.keys()
        if missing:
            raise ConfigError(
                f"the environment {min(missing)} is not in {SETTINGS}",
                where=Location(SETTINGS, 0, "environments"),
                hint="add it there first, or name the environments to adopt with --environment",
            )
        return {name: environment.delivery for name, environment in known.environments.items()}
    names = [name for name in environments_of(places, choices) if any(app.environment == name for app in found.apps)]
    said = choices.environments
    return {name: said.get(name) or ("commit" if number == 0 else "review") for number, name in enumerate(names)}


def _check_apps(adopted: set[str], names: list[str], known: Settings | None) -> None:
    """Refuse files of an older layout that Headgate would read as apps. Raises ConfigError."""
    strange = set(names) - adopted
    if known is None and strange:
        raise ConfigError(
            f"the app.yaml in the folder '{min(strange)}' would be taken for one of Headgate's",
            where=Location("apps"),
            hint="rename it first, or write into another repository with --manifests",
        )
