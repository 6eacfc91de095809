"""What a kustomization reads: its files, through bases and components; nothing outside, nothing remote. Pure."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from headgate.dependencies import bases
from headgate.errors import ConfigError, Place, RenderError, TooLargeError, UnsafeFileError
from headgate.yamltext.read import read
from headgate.yamltext.scalar import to_python
from headgate.yamltext.write import write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from headgate.model import Kustomize
    from headgate.repository.tree import Tree

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
VALUES = "headgate-values"
"""Name of the ConfigMap from which ``replacements`` read values."""

_MAX_BASES = 200

# Fields whose effect stays inside the kustomization that has them, when all its objects are in one
# namespace of their own. Others (vars, name prefixes, configurations, openapi, ...) reach across.
_CONTAINED = {
    *("apiVersion", "kind", "metadata", "namespace", "resources", "components", "labels", "commonLabels"),
    *("commonAnnotations", "images", "replicas", "patches", "patchesStrategicMerge", "patchesJson6902"),
    *("configMapGenerator", "secretGenerator", "generatorOptions", "replacements"),
}


@dataclass(frozen=True)
class Kustomization:
    """A kustomization with everything it builds on.

    ``root`` is the folder that is built, ``folders`` are all that are read. ``namespace`` is the one that the
    root sets. ``contained``: built beside others that have other namespaces, it gives the same. ``remote`` are the
    bases elsewhere that a hand-off fetched: where they lie, by what its kustomization file calls them, by file.
    """

    root: str
    file: str
    folders: frozenset[str]
    namespace: str
    contained: bool
    reads_values: bool
    remote: Mapping[str, Mapping[str, str]]


def find_root(scope: Tree, folder: str, environment: str, label: str) -> str:
    """Return the folder to build: ``overlays/ENV`` when there is one, else the folder itself.

    Raises RenderError when neither has a kustomization file.
    """
    for root in (posixpath.join(folder, "overlays", environment), folder):
        if file_in(scope, root):
            return root
    raise RenderError(
        f"no kustomization.yaml, neither in overlays/{environment} nor in the folder itself",
        where=Place(label),
        hint=f"add overlays/{environment}/kustomization.yaml",
    )


def file_in(scope: Tree, folder: str) -> str:
    """Return the path of a folder's kustomization file, or an empty string."""
    paths = (posixpath.join(folder, name) for name in NAMES)
    return next((path for path in paths if path in scope), "")


def follow(scope: Tree, root: str, options: Kustomize, named: Callable[[str], str]) -> Kustomization:
    """Read a kustomization and all that it builds on. ``named`` gives a path of ``scope`` the repository's name.

    A base elsewhere is the folder that a hand-off fetched it to, when it did (`headgate.bases`).

    Raises RenderError for what is not there, UnsafeFileError for what leaves the scope or comes from
    another host, ConfigError for plugins that the platform does not allow.
    """
    seen: dict[str, dict[str, Any]] = {}
    remote: dict[str, dict[str, str]] = {}
    waiting = [root]
    contained = True
    while waiting:
        folder = waiting.pop()
        if folder in seen:
            continue
        if len(seen) >= _MAX_BASES:
            raise TooLargeError(f"more than {_MAX_BASES} kustomizations", where=Place(named(root)))
        path = file_in(scope, folder)
        file = named(path)
        data = seen[folder] = read_kustomization(scope.read(path), file)
        _check_options(data, options, file)
        for field, entry in entries(data):
            place = fetched(scope, field, entry, Place(file))
            if place:
                remote.setdefault(path, {})[entry] = posixpath.relpath(place, folder or ".")
            target = place or _target(scope, folder, field, entry, options, file)
            if target is not None:
                waiting.append(target)
        contained = contained and all(
            key in _CONTAINED or (key == "transformers" and _all_builtin(scope, folder, data)) for key in data
        )
    reads_values = any(VALUES in scope.read(file_in(scope, folder)).decode("utf-8", "replace") for folder in seen)
    namespace = seen[root].get("namespace")
    return Kustomization(
        root,
        file_in(scope, root),
        frozenset(seen),
        namespace if isinstance(namespace, str) else "",
        contained,
        reads_values,
        remote,
    )


def fetched(scope: Tree, field: str, entry: str, where: Place) -> str:
    """Return where a hand-off put a base that an entry names, or an empty string when there is none."""
    if field not in FOLDER_FIELDS or not scope.paths(bases.FOLDER) or not bases.is_remote(entry):
        return ""
    folder = bases.parse(entry, where).folder
    return folder if file_in(scope, folder) else ""


def with_fetched(scope: Tree, found: Kustomization) -> Tree:
    """Return the files with each base elsewhere called by the place that a hand-off put it to."""
    return scope.with_changes({file: _renamed(scope.read(file), names) for file, names in found.remote.items()})


def _renamed(data: bytes, names: Mapping[str, str]) -> bytes:
    """Write a kustomization file, a scratch copy, with other names for some of its entries."""
    written = dict(read(data, "kustomization")[0].data)
    for field in FOLDER_FIELDS:
        if isinstance(written.get(field), list):
            written[field] = [names.get(entry, entry) if isinstance(entry, str) else entry for entry in written[field]]
    return write(written).encode()


@lru_cache(maxsize=1024)  # many overlays read the same bases
def read_kustomization(data: bytes, file: str) -> dict[str, Any]:
    """Read a kustomization file. Raises RenderError for what is none."""
    documents = read(data, file)
    found = to_python(documents[0].data) if len(documents) == 1 else None
    if not isinstance(found, dict):
        raise RenderError("expected one kustomization", where=Place(file))
    return found


def _check_options(data: dict[str, Any], options: Kustomize, file: str) -> None:
    charts = [field for field in ("helmCharts", "helmChartInflationGenerator") if data.get(field)]
    if charts and not options.helm_charts:
        raise ConfigError(
            f"'{charts[0]}' is off",
            where=Place(file),
            hint="make the chart a template of its own; or headgate.yaml: engines: {kustomize: {helm_charts: true}}",
        )


FOLDER_FIELDS = ("resources", "bases", "components")
PLUGIN_FIELDS = ("transformers", "generators", "validators")
FILE_FIELDS = ("crds", "configurations", *PLUGIN_FIELDS, "patchesStrategicMerge")


def entries(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield all paths that a kustomization names, with their field."""
    for field in (*FOLDER_FIELDS, *FILE_FIELDS):
        for entry in _list(data.get(field)):
            if isinstance(entry, str):
                yield field, entry
    for field in ("patches", "patchesJson6902", "replacements"):
        for entry in _list(data.get(field)):
            if isinstance(entry, dict) and isinstance(entry.get("path"), str):
                yield field, entry["path"]
    if isinstance(data.get("openapi"), dict) and isinstance(data["openapi"].get("path"), str):
        yield "openapi", data["openapi"]["path"]
    for field in ("configMapGenerator", "secretGenerator"):
        for entry in _list(data.get(field)):
            yield from ((field, path) for path in _generator_files(entry))


def _generator_files(entry: Any) -> Iterable[str]:
    if isinstance(entry, dict):
        for path in _list(entry.get("files")):
            yield str(path).split("=", 1)[-1]
        for path in [*_list(entry.get("envs")), *([entry["env"]] if entry.get("env") else [])]:
            yield str(path)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _target(scope: Tree, folder: str, field: str, entry: str, options: Kustomize, file: str) -> str | None:
    """Return the folder that an entry names, or None for a file; refuse what is neither."""
    if "\n" in entry:  # an inline patch or transformer
        if field in PLUGIN_FIELDS:
            _check_plugin(entry, field, options, file)
        return None
    path = posixpath.normpath(posixpath.join(folder, entry))
    if path.startswith(("../", "/")) or path == "..":
        raise UnsafeFileError(f"{field}: '{entry}' leaves the folder that may be read", where=Place(file))
    if path in scope:
        if field in PLUGIN_FIELDS:
            _check_plugin(scope.read(path).decode("utf-8", "replace"), field, options, file)
        return None
    if file_in(scope, path):
        return path
    if options.remote_bases and ("://" in entry or "." in entry.split("/", maxsplit=1)[0]):
        return None
    if bases.is_remote(entry):
        raise UnsafeFileError(
            f"{field}: '{entry}' comes from another host, which is off",
            where=Place(file),
            hint="in an app's own config name it at a commit (https://HOST/GROUP/REPOSITORY//FOLDER?ref=COMMIT), and "
            "a hand-off brings it along; or copy it into the repository; or headgate.yaml: "
            "engines: {kustomize: {remote_bases: true}}",
        )
    raise RenderError(f"{field}: '{entry}' is not there", where=Place(file))


def _check_plugin(text: str, field: str, options: Kustomize, file: str) -> None:
    if options.plugins:
        return
    for document in read(text, file):
        version = document.data.get("apiVersion") if isinstance(document.data, dict) else None
        if version != "builtin" or document.data.get("kind") == "HelmChartInflationGenerator":
            raise ConfigError(
                f"{field}: the plugin {version} is off, expected one of Kustomize's own (apiVersion: builtin)",
                where=Place(file),
                hint="to allow plugins, headgate.yaml: engines: {kustomize: {plugins: true}}",
            )


_BUILTIN = {"LabelTransformer", "AnnotationsTransformer", "PatchTransformer", "ImageTagTransformer"}


def _all_builtin(scope: Tree, folder: str, data: dict[str, Any]) -> bool:
    for entry in _list(data["transformers"]):
        text = entry if "\n" in entry else None
        path = posixpath.normpath(posixpath.join(folder, entry))
        if text is None and path not in scope:
            return False
        for document in read(text or scope.read(path), entry):
            if not isinstance(document.data, dict) or document.data.get("kind") not in _BUILTIN:
                return False
    return True
