"""The dependencies of a chart that are not vendored, at their locked versions. Pure.

As in Helm: https://helm.sh/docs/helm/helm_dependency/ and its internal/resolver.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from typing import TYPE_CHECKING, Any

from headgate.engine.reading import documents, mapping
from headgate.errors import ConfigError, Location, TooLargeError, UnsafeFileError
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.repository.tree import Tree

LOCAL = "file://"
_REMOTE = ("https://", "http://", "oci://", "@", "alias:")
# The dependencies of a chart and their lock; the second pair is for charts of apiVersion v1.
_FILES = (("Chart.yaml", "Chart.lock"), ("requirements.yaml", "requirements.lock"))
_MAX_CHARTS = 100


@frozen_record
class Requirement:
    """A chart to fetch at an exact version. ``folder`` is the chart that needs it, ``where`` names it."""

    name: str
    version: str
    repository: str
    folder: str
    where: Location


def dependencies(chart: Tree, label: str, owner: str) -> Iterator[dict[str, Any]]:
    """Yield the declared dependencies of a chart. Raises YamlError."""
    for file, _ in _FILES:
        yield from _listed(chart, file, label, owner)


def _listed(chart: Tree, file: str, label: str, owner: str) -> list[dict[str, Any]]:
    if file not in chart:
        return []
    entries: list[dict[str, Any]] = []
    for document in documents(chart.read(file), f"{label}/{file}", owner=owner):
        data = document.data
        listed = data.get("dependencies") if isinstance(data, dict) else None
        entries += [item for item in listed or [] if isinstance(item, dict)]
    return entries


def vendored(chart: Tree, owner: str) -> set[str]:
    """Return the charts in ``charts/``: the names of their folders and the names in their Chart.yaml."""
    folders = {path.split("/")[1] for path in chart.paths("charts") if path.count("/") > 1}
    names = set(folders)
    for folder in folders:
        file = f"charts/{folder}/Chart.yaml"
        if file in chart:
            for document in documents(chart.read(file), file, owner=owner):
                names.add(str(document.data.get("name")) if isinstance(document.data, dict) else "")
    return names


def local_chart(folder: str, repository: str, label: str) -> str:
    """Return the folder of a ``file://`` dependency. Raises UnsafeFileError if it leaves the readable folder."""
    target = posixpath.normpath(posixpath.join(folder, repository.removeprefix(LOCAL)))
    if target.startswith(("..", "/")) or target == ".":
        raise UnsafeFileError(
            f"the dependency {repository} leaves the folder that may be read",
            where=Location(f"{label}/Chart.yaml"),
            hint="move it to charts/ of this chart",
        )
    return target


def missing_charts(files: Tree, label: str, owner: str) -> list[Requirement]:
    """Return the locked dependencies to fetch for a chart and its ``file://`` dependencies.

    ``files`` has no archives (`without_archives`). Raises ConfigError for a missing or outdated lock file, and the
    errors of `local_chart`.
    """
    needed: list[Requirement] = []
    waiting, seen = [""], set[str]()
    while waiting:
        folder = waiting.pop()
        if folder in seen:
            continue
        seen.add(folder)
        if len(seen) > _MAX_CHARTS:
            raise TooLargeError(f"more than {_MAX_CHARTS} charts", where=Location(f"{label}/Chart.yaml"))
        chart, name = files.folder(folder), posixpath.join(label, folder).rstrip("/")
        present = vendored(chart, owner)
        for dependency in dependencies(chart, name, owner):
            repository = str(dependency.get("repository") or "")
            if repository.startswith(LOCAL) and dependency.get("name") not in present:
                waiting.append(local_chart(folder, repository, name))
        for file, lock in _FILES:
            needed += _locked(chart, (file, lock), present, folder, name, owner)
    return needed


def _locked(
    chart: Tree, names: tuple[str, str], present: set[str], folder: str, label: str, owner: str
) -> list[Requirement]:
    file, lock = names
    required = _listed(chart, file, label, owner)
    missing = [
        number
        for number, dependency in enumerate(required)
        if str(dependency.get("repository") or "").startswith(_REMOTE) and dependency.get("name") not in present
    ]
    if not missing:
        return []
    locked = _checked_lock(chart, required, names, label, owner)
    where = Location(f"{label}/{lock}")
    return [_requirement(locked[number], folder, where) for number in missing]


def _requirement(locked: dict[str, Any], folder: str, where: Location) -> Requirement:
    name, version = str(locked.get("name")), str(locked.get("version"))
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        raise ConfigError(f"{name!r} {version!r} is not a chart with an exact version", where=where)
    repository = str(locked.get("repository"))
    return Requirement(name=name, version=version, repository=repository, folder=folder, where=where)


_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9][\w.+-]*", re.ASCII)


def _checked_lock(
    chart: Tree, required: list[dict[str, Any]], names: tuple[str, str], label: str, owner: str
) -> list[dict[str, Any]]:
    """Return the entries of a lock file, in the order of the required charts. Raises ConfigError."""
    file, lock = names
    hint = f"run 'helm dependency update' in {label} and commit {lock}; or commit charts/ as well"
    if lock not in chart:
        raise ConfigError(
            f"{lock} not found; it must lock the versions of the chart's dependencies",
            where=Location(f"{label}/{file}"),
            hint=hint,
        )
    locked = _listed(chart, lock, label, owner)
    same = [entry.get("name") for entry in required] == [entry.get("name") for entry in locked]
    if not same or _digest_of(chart, lock, label, owner) not in digests(required, locked):
        raise ConfigError(f"outdated, since {file} has changed", where=Location(f"{label}/{lock}"), hint=hint)
    return locked


def _digest_of(chart: Tree, lock: str, label: str, owner: str) -> str:
    return str(mapping(chart.read(lock), f"{label}/{lock}", owner=owner).get("digest"))


def digests(required: list[dict[str, Any]], locked: list[dict[str, Any]]) -> set[str]:
    """Return the valid digests of a lock file: Helm's over the required and locked entries.

    An alias of a repository (``@name``, ``alias:name``) counts as its address, which only the lock file has. The
    second digest is Helm 2's, which charts of apiVersion v1 may still have.
    """
    resolved = [
        {**dependency, "repository": lock_entry.get("repository")}
        if str(dependency.get("repository") or "").startswith(("@", "alias:"))
        else dependency
        for dependency, lock_entry in zip(required, locked, strict=True)
    ]
    old = {"dependencies": [_canonical(dependency) for dependency in required]}
    return {
        _sha256(
            [[_canonical(dependency) for dependency in resolved], [_canonical(dependency) for dependency in locked]]
        ),
        _sha256(old),
    }


def _canonical(dependency: dict[str, Any]) -> dict[str, Any]:
    """Return a dependency with its keys in Helm's order, without empty ones except name and repository."""
    return {
        "name": str(dependency.get("name") or ""),
        **({"version": str(dependency["version"])} if dependency.get("version") else {}),
        "repository": str(dependency.get("repository") or ""),
        **{key: str(dependency[key]) for key in ("condition",) if dependency.get(key)},
        **{key: dependency[key] for key in ("tags", "enabled") if dependency.get(key)},
        **({"import-values": _sorted(dependency["import-values"])} if dependency.get("import-values") else {}),
        **{key: str(dependency[key]) for key in ("alias",) if dependency.get(key)},
    }


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _sha256(value: Any) -> str:
    """Return the digest of a value as Go's encoding/json writes it: https://pkg.go.dev/encoding/json#Marshal."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
