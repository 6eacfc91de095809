"""Where an image runs, waits and ran, since when, and who delivered it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, cast

from headgate.errors import GitError
from headgate.paths import APPS
from headgate.records import frozen_record
from headgate.releases.deepen import DEPTHS, RECENT_DEPTHS, deepening
from headgate.releases.history import parse_release_path
from headgate.releases.release import release_file
from headgate.repository.gitlog import cut
from headgate.repository.tree import MAX_FILE, prefetch
from headgate.state.image_files import is_of_app, named_images, place_of
from headgate.state.image_log import file_key, image_moves

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from headgate.configuration import Configuration, Owner
    from headgate.hydration.hydrate import Target
    from headgate.landing.workspace import Workspace
    from headgate.model import ReleasedImage
    from headgate.objects.image_query import ImageQuery
    from headgate.repository.gitlog import LogEntry
    from headgate.repository.tree import Tree
    from headgate.state.image_files import NamedImage
    from headgate.state.image_log import ImageMove

PlaceState = Literal["runs", "released", "proposed", "held", "diverged", "failed", "ran"]


@frozen_record
class ImagePlace:
    """An image in an app and environment, by the ``file`` that names it.

    ``runs``: objects of the final YAML name it; ``released``: the release does, and no object; ``ran``: neither does
    any longer. ``part`` is what was handed off; None for an image that the app's template or an edit brought.
    ``since`` and ``until`` are the commits that brought it and took it away, as far as git's history goes.
    ``app`` is empty for a folder of final YAML that no app has any more.
    """

    app: str
    environment: str
    state: PlaceState
    reference: str
    file: str
    name: str = ""
    part: ReleasedImage | None = None
    objects: tuple[str, ...] = ()
    since: LogEntry | None = None
    until: LogEntry | None = None
    reasons: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """The file and the image, as in the moves of git's log."""
        return file_key(self.file), self.reference


@frozen_record
class ImagePlaces:
    """All places of an image. ``notes`` say what is unknown; ``cut`` is where git's history ends, or empty."""

    places: tuple[ImagePlace, ...]
    notes: tuple[str, ...] = ()
    cut: str = ""


def find_image(
    workspace: Workspace,
    configuration: Configuration,
    query: ImageQuery,
    *,
    environment: str = "",
    history: bool = False,
) -> ImagePlaces:
    """Return where an image that matches runs and waits; with ``history`` also where it ran.

    ``environment`` is the only one to look at, if any.
    """
    workloads = configuration.settings.workloads
    targets = [target for target in configuration.pairs() if environment in ("", target[1])]
    current = list(_current(workspace.tree, configuration, query, targets))
    notes = tuple(f"not searched: {error}".splitlines()[0] for error in configuration.broken.values())
    if not current and not history:
        return ImagePlaces(places=(), notes=notes)
    paths = [APPS, *_roots(configuration)] if history else _log_paths(configuration, current)
    found, end = current, ""
    depths = DEPTHS if history else RECENT_DEPTHS
    with deepening(workspace.repository, workspace.remote, workspace.base, depths) as steps:
        try:
            for repository in steps:
                end = cut(repository, workspace.base)
                moves = image_moves(repository, workspace.base, paths, query, workloads)
                found = _replayed(current, moves, _folders(configuration), history=history)
                if not end or (not history and all(place.since for place in found)):
                    break
        except GitError as error:
            notes += (f"cannot read more of the past: {error.what}",)
    chosen = [place for place in found if environment in ("", place.environment)]
    return ImagePlaces(places=tuple(chosen), notes=notes, cut=end)


_MAX_PATHS = 100


def _owner(place: ImagePlace) -> Owner:
    return place.app, place.environment


def _roots(configuration: Configuration) -> list[str]:
    """Return the folders that contain all final YAML."""
    paths = (environment.output.path for environment in configuration.settings.environments.values())
    return sorted({path.split("{")[0].rpartition("/")[0] or path.split("/")[0] for path in paths})


def _folders(configuration: Configuration) -> dict[str, Owner]:
    pairs = [(record.name, environment) for record, environment in configuration.pairs()]
    return {configuration.output_folder(*pair): pair for pair in pairs}


def _log_paths(configuration: Configuration, current: Sequence[ImagePlace]) -> list[str]:
    """Return the paths below which the present images were added: an app's folder may have moved."""
    yaml = {place.file for place in current if not is_of_app(place.file)}
    apps = [APPS] if any(is_of_app(place.file) for place in current) else []
    return [*apps, *(sorted(yaml) if len(yaml) <= _MAX_PATHS else _roots(configuration))]


def _current(
    tree: Tree, configuration: Configuration, query: ImageQuery, targets: Sequence[Target]
) -> Iterator[ImagePlace]:
    folders = [
        (record.release_folder(environment), configuration.output_folder(record.name, environment))
        for record, environment in targets
    ]
    prefetch(tree, [folder for pair in folders for folder in pair])
    files = [[path for folder in pair for path in _read_paths(tree, folder)] for pair in folders]
    every = ((path, path, tree.read(path)) for paths in files for path in paths)
    named = named_images(every, query, configuration.settings.workloads)
    for target, paths in zip(targets, files, strict=True):
        yield from _of_target(target, {path: named[path] for path in paths if path in named})


def _read_paths(tree: Tree, folder: str) -> Iterator[str]:
    for path in tree.paths(folder):
        is_small = tree.blob(path).size <= MAX_FILE
        if is_small and (place_of(path) if is_of_app(path) else path.endswith((".yaml", ".yml"))):
            yield path


def _of_target(target: Target, images: Mapping[str, Sequence[NamedImage]]) -> Iterator[ImagePlace]:
    record, environment = target
    own = release_file(record, environment)
    running: dict[str, list[tuple[str, NamedImage]]] = {}
    for path, found in images.items():
        for image in found if not is_of_app(path) else ():
            running.setdefault(image.reference, []).append((path, image))
    for path, found in images.items():
        for image in found if is_of_app(path) else ():
            place = place_of(path)
            objects = running.pop(image.reference, []) if path == own else []
            state = place if path != own else "runs" if objects else "released"
            yield replace(
                _place(target, cast("PlaceState", state), path, image),
                objects=tuple(dict.fromkeys(used.object for _, used in objects)),
            )
    for uses in running.values():
        for path, image in dict(uses).items():
            yield _place(target, "runs", path, image)


def _place(target: Target, state: PlaceState, path: str, image: NamedImage) -> ImagePlace:
    failure = image.record.failure if image.record else None
    return ImagePlace(
        app=target[0].name,
        environment=target[1],
        state=state,
        reference=image.reference,
        file=path,
        name=image.name,
        part=image.part,
        objects=(image.object,) if image.object else (),
        reasons=(*(image.record.reasons if image.record else ()), *([failure.message] if failure else [])),
    )


def _replayed(
    current: Sequence[ImagePlace], moves: Iterable[ImageMove], folders: Mapping[str, Owner], *, history: bool
) -> list[ImagePlace]:
    """Return the places with the commits that brought them; with ``history`` also former places."""
    arrived: dict[tuple[str, str], LogEntry] = {}
    wanted = {place.key for place in current}
    open_ends: dict[tuple[str, str], ImagePlace] = {}
    past: list[ImagePlace] = []
    for move in moves:
        for text, image in move.went.items():
            if history and place_of(move.file) in ("", "release"):
                open_ends[file_key(move.file), text] = _past(move, image, folders)
        for text in move.came:
            key = file_key(move.file), text
            if key in open_ends:
                past.append(replace(open_ends.pop(key), since=move.entry))
            elif key in wanted:
                arrived.setdefault(key, move.entry)
        if not history and len(arrived) == len(wanted):
            break
    known = [replace(place, since=arrived.get(place.key)) for place in current]
    return [*known, *_without_echoes(current, [*past, *open_ends.values()])]


def _past(move: ImageMove, image: NamedImage, folders: Mapping[str, Owner]) -> ImagePlace:
    release = parse_release_path(move.file)
    app, environment = release.owner if release else folders.get(move.file.rpartition("/")[0], ("", ""))
    return ImagePlace(
        app=app,
        environment=environment,
        state="ran",
        reference=image.reference,
        file=move.file,
        name=image.name,
        part=image.part,
        objects=(image.object,) if image.object else (),
        until=move.entry,
    )


def _without_echoes(current: Sequence[ImagePlace], past: Sequence[ImagePlace]) -> list[ImagePlace]:
    """Leave out images in the final YAML that a release names too: the release says more."""
    handed_off = [place for place in (*current, *past) if place.part]
    parts = {(place.reference, owner) for place in handed_off for owner in (_owner(place), ("", ""))}
    return [place for place in past if place.part or (place.reference, _owner(place)) not in parts]
