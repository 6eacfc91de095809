"""The current state: the final YAML of each app in each environment, and its sources."""

from __future__ import annotations

import json
import posixpath
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from headgate.adoption.charts import UnavailableError, chart_in, library
from headgate.adoption.choices import OpenQuestionError
from headgate.adoption.fluxobjects import is_flux
from headgate.adoption.helmreleases import is_helm_release, read_helm_release
from headgate.adoption.layout import app_in, unnamed
from headgate.adoption.sources import (
    AdoptionNote,
    ChartSource,
    CurrentApp,
    CurrentState,
    FolderSource,
    LeftOut,
    with_root,
)
from headgate.dependencies.closure import closure
from headgate.engine import reading
from headgate.engine.protocol import Request
from headgate.errors import (
    ArgumentError,
    HeadgateError,
    ManifestError,
    RenderError,
    TooLargeError,
    UnsafeFileError,
    UnstableError,
    YamlError,
)
from headgate.objects.canonical import file_name, to_text
from headgate.objects.manifest import manifests
from headgate.render.values import merge_all, read_layer
from headgate.repository.tree import MemoryBlob, Tree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from headgate.adoption.charts import Chart
    from headgate.adoption.choices import Choices
    from headgate.adoption.helmreleases import HelmRelease
    from headgate.adoption.layout import Place
    from headgate.objects.manifest import Manifest


_CANNOT = (UnavailableError, ManifestError, RenderError, TooLargeError, UnsafeFileError, UnstableError, YamlError)
"""Errors that leave out a single app, and not all."""


def _reason(error: Exception) -> str:
    if not isinstance(error, HeadgateError):
        return str(error)
    return f"it cannot be rendered: {error.what}" + (f" ({error.where})" if error.where else "")


def read_current(tree: Tree, places: Iterable[Place], choices: Choices) -> CurrentState:
    """Return the current state of the places, and what cannot be rendered."""
    charts = library(choices.charts)
    apps: list[CurrentApp] = []
    left_out: list[LeftOut] = []
    notes: list[AdoptionNote] = []
    for place in places:
        try:
            for found in _read(tree, place, charts, choices):
                if isinstance(found, AdoptionNote):
                    notes.append(found)
                elif isinstance(found, LeftOut):
                    left_out.append(found)
                elif found.app not in choices.leave_out:
                    apps.append(found)
        except _CANNOT as error:
            what = place.app or place.folder or "the top"
            left_out.append(LeftOut(what=what, environment=place.environment, reason=_reason(error)))
    return CurrentState(apps=tuple(_joined(apps)), left_out=tuple(left_out), notes=tuple(dict.fromkeys(notes)))


def _joined(apps: Iterable[CurrentApp]) -> Iterator[CurrentApp]:
    """Yield each app of an environment once, even if several places have files of it."""
    found: dict[tuple[str, str], CurrentApp] = {}
    for app in apps:
        first = found.setdefault((app.app, app.environment), app)
        if first is app:
            continue
        both = first.source, app.source
        if not all(isinstance(source, FolderSource) and source.root is None and not source.fields for source in both):
            raise ArgumentError(
                f"two folders belong to the app '{app.app}' in {app.environment}: {first.folder} and {app.folder}",
                hint="tell them apart with --app NAME=FOLDER for each, with {environment} in it",
            )
        files = first.source.files.joined(app.source.files)  # type: ignore[union-attr]
        found[app.app, app.environment] = replace(
            first,
            folder=posixpath.commonpath([first.folder or ".", app.folder or "."]).lstrip("."),
            source=FolderSource(files=files),
            manifests=(*first.manifests, *app.manifests),
        )
    yield from found.values()


def _read(
    tree: Tree, place: Place, charts: list[Chart], choices: Choices
) -> Iterator[CurrentApp | LeftOut | AdoptionNote]:
    if place.kind == "helm":
        yield _chart_app(tree, place, choices)
        return
    source = _folder_source(tree, place)
    if place.flux is not None and (problem := place.flux.problem(map(source.files.read, source.files.paths()))):
        raise UnavailableError(problem)
    built = _built(source, place.app or "app", choices)
    namespace = str(source.fields.get("namespace") or "")
    releases = [manifest for manifest in built if is_helm_release(manifest)]
    used: set[str] = set()
    for manifest in releases:
        try:
            release = read_helm_release(manifest, built, tree, charts, namespace)
            released = _released(release, place, source, choices)
        except _CANNOT as error:
            yield LeftOut(what=str(manifest), environment=place.environment, reason=_reason(error))
            continue
        used |= set(release.used)
        if release.note:
            yield AdoptionNote(release.name, place.environment, f"the chart {release.chart.name} in {release.note}")
        yield released
    stays = {str(manifest): reason for manifest in built if (reason := _stays(manifest, used))}
    for what, reason in stays.items():
        yield LeftOut(what=what, environment=place.environment, reason=reason, stays=True)
    rest = [manifest for manifest in built if str(manifest) not in stays and not is_helm_release(manifest)]
    if rest:
        yield from _files_apps(place, source, rest, choices, whole=len(rest) == len(built))


def _stays(manifest: Manifest, used: Collection[str]) -> str:
    """Return why an object has no place in Headgate's repository; ``used`` are ConfigMaps with values of releases."""
    if is_flux(manifest.data["apiVersion"]) and not is_helm_release(manifest):
        return "it belongs to Flux itself"
    return "its values are in apps/ now" if manifest.kind_name == "ConfigMap" and manifest.name in used else ""


def _files_apps(
    place: Place, source: FolderSource, rest: list[Manifest], choices: Choices, *, whole: bool
) -> Iterator[CurrentApp | AdoptionNote]:
    """Yield the apps without a HelmRelease: one for a place, or one for each folder of a loose one."""
    groups: dict[str, list[Manifest]] = {}
    for manifest in rest:
        folder = posixpath.dirname(manifest.source)
        name = app_in(folder, choices, before=source.root is not None) if place.loose else place.app
        if not name and not place.app:
            unnamed(place.folder, place.environment)
        groups.setdefault(name or place.app, []).append(manifest)
    as_it_is = len(groups) == 1 and whole
    for name, own in groups.items():
        app = name if whole else f"{name}-objects"
        if not as_it_is and (source.root is not None or not whole):
            text = f"its objects are written out as {place.folder or 'the top'} gives them"
            yield AdoptionNote(app, place.environment, text)
        yield CurrentApp(
            app=app,
            environment=place.environment,
            folder=place.folder,
            flux=place.flux,
            files=tuple(source.files.paths()),
            source=source if as_it_is else _written_out(own, source, place.folder),
            manifests=tuple(own),
            namespace=_namespace(own),
        )


def _written_out(own: list[Manifest], source: FolderSource, folder: str) -> FolderSource:
    """Return the files of some objects, or their text if they were built."""
    named = {manifest.source for manifest in own}
    if source.root is None and not source.fields and named <= set(source.files.paths()):
        return FolderSource(files=source.files.only(sorted(named)))
    prefix = f"{folder}/" if folder else ""
    texts = {f"{prefix}{file_name(manifest, '')}": MemoryBlob(to_text(manifest).encode()) for manifest in own}
    return FolderSource(files=Tree(texts))


def _folder_source(tree: Tree, place: Place) -> FolderSource:
    fields = place.flux.carried if place.flux is not None else {}
    if place.kind == "plain":
        return FolderSource(files=tree.only(_object_files(tree, place.folder)), fields=fields)
    found = closure(tree, [place.folder], str, "")
    if found.remote or found.outside:
        entry = str(found.remote[0][0] if found.remote else found.outside[0][0])
        raise UnavailableError(f"it builds on {entry}, which is outside of the repository: copy it in first")
    return FolderSource(files=tree.only(sorted(found.files)), root=place.folder, fields=fields)


def _object_files(tree: Tree, folder: str) -> list[str]:
    paths = [path for path in tree.paths(folder) if path.endswith((".yaml", ".yml"))]
    return [path for path in paths if reading.documents(tree.read(path), path)]


def _built(source: FolderSource, name: str, choices: Choices) -> list[Manifest]:
    if source.root is None and not source.fields:
        files = [
            {"file": path, "text": reading.decoded(source.files.read(path), path)} for path in source.files.paths()
        ]
        return manifests(reading.send(reading.reading_request("objects", {"files": files, "hooks": ""})).objects)
    tree, root = with_root(source)
    body = {
        "tree": tree.id,
        "root": root,
        "name": name,
        "namespace": "",
        "values": {},
        "hooks": "",
        "kubernetes": choices.kubernetes,
        "api_versions": [],
    }
    return manifests(reading.send(Request(kind="kustomize", body=body, tree=tree)).objects)


def _chart_app(tree: Tree, place: Place, choices: Choices) -> CurrentApp:
    layers = [read_layer(tree, file) for file in place.values]
    chart = chart_in(tree.folder(place.folder), place.folder)
    source = ChartSource(chart=chart, values=merge_all(layer.values for layer in layers if layer is not None))
    namespace = namespace_for(choices, place.app, place.environment)
    rendered = _rendered(source, place.app, namespace, choices)
    return CurrentApp(
        app=place.app,
        environment=place.environment,
        folder=place.folder,
        flux=place.flux,
        files=(*tree.paths(place.folder), *place.values),
        source=source,
        manifests=tuple(rendered),
        namespace=namespace,
    )


def _released(release: HelmRelease, place: Place, within: FolderSource, choices: Choices) -> CurrentApp:
    source = ChartSource(chart=release.chart, values=release.values)
    return CurrentApp(
        app=release.name,
        environment=place.environment,
        folder=place.folder,
        flux=place.flux,
        files=tuple(within.files.paths()),
        source=source,
        manifests=tuple(_rendered(source, release.name, release.namespace, choices)),
        namespace=release.namespace,
    )


def _rendered(source: ChartSource, name: str, namespace: str, choices: Choices) -> list[Manifest]:
    tree = source.chart.files
    body = {
        "tree": tree.id,
        "folder": "",
        "name": name,
        "namespace": namespace,
        "hooks": "",
        "kubernetes": choices.kubernetes,
        "api_versions": [],
        "images": {},
        "values": json.dumps(source.values, ensure_ascii=False),
    }
    return manifests(reading.send(Request(kind="helm", body=body, tree=tree)).objects)


def _namespace(own: Iterable[Manifest]) -> str:
    """Return the namespace that most objects name, or are; empty if none does."""
    own = list(own)
    named = Counter(manifest.namespace for manifest in own if manifest.namespace)
    named = named or Counter(manifest.name for manifest in own if manifest.kind_name == "Namespace")
    return named.most_common(1)[0][0] if named else ""


def namespace_for(choices: Choices, app: str, environment: str) -> str:
    """Return the given namespace of an app, or of all (``""``). Raises OpenQuestionError without one."""
    text = choices.namespaces.get(app) or choices.namespaces.get("") or ""
    if not text:
        raise OpenQuestionError(
            f"the namespace of '{app}' is in none of its files", "--namespace", f"{app}=NAMESPACE", prefix=f"{app}="
        )
    return text.replace("{environment}", environment)
