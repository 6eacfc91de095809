"""The templates that render what runs today: charts, kustomizations and files, with minimal changes. Pure."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from headgate.adoption.sources import KUSTOMIZATION, ChartSource, FolderSource, kustomization, with_root
from headgate.errors import GuardError, Location
from headgate.hydration.template import git_tree_id
from headgate.paths import TEMPLATES, VERSIONS
from headgate.records import frozen_record
from headgate.repository.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from headgate.adoption.sources import CurrentApp

_NOT_OBJECTS = ("values.yaml", "values.yml", "template.yaml", "Chart.yaml", "overlays", "base")
"""Names with another meaning at the top of a template."""


@frozen_record
class ChartTemplate:
    """The template of a chart. Its own values are left out if environments or apps have others."""

    name: str
    files: Tree
    has_values: bool


def chart_templates(apps: Iterable[CurrentApp]) -> dict[str, ChartTemplate]:
    """Return the templates of charts, by the identity of their files without values."""
    same: dict[str, list[ChartSource]] = {}
    for app in apps:
        if isinstance(app.source, ChartSource):
            same.setdefault(app.source.code.id, []).append(app.source)
    templates: dict[str, ChartTemplate] = {}
    for key, sources in same.items():
        chart = sources[0].chart
        has_values = len({source.chart.files.oid("values.yaml") for source in sources}) == 1
        taken = {template.name for template in templates.values()}
        name = next(
            name
            for name in (chart.name, f"{chart.name}-{chart.version}", f"{chart.name}-{key[:8]}")
            if _label(name) not in taken
        )
        files = chart.files if has_values else sources[0].code
        templates[key] = ChartTemplate(name=_label(name), files=files, has_values=has_values)
    return templates


def _label(text: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-")[:63] or "chart"


def template_of(
    name: str, own: Sequence[CurrentApp], charts: Mapping[str, ChartTemplate]
) -> tuple[str, dict[str, bytes], dict[str, str]]:
    """Return an app's template, its files, and the older versions of it by environment."""
    folders = [app.source for app in own if isinstance(app.source, FolderSource)]
    if len(folders) == len(own):
        files = _plain(own) if all(_is_plain(source) for source in folders) else _kustomized(own)
        return name, {f"{TEMPLATES}/{name}/{path}": data for path, data in files.items()}, {}
    found = {app.environment: charts[app.source.code.id] for app in own if isinstance(app.source, ChartSource)}
    if len(found) != len(own):
        raise GuardError(
            f"'{name}' is a chart in one environment and files in another",
            where=Location(own[0].folder),
            hint=f"leave it out with --leave-out {name}, or make its environments alike first",
        )
    current = next(iter(found.values()))
    made = {f"{TEMPLATES}/{current.name}/{path}": current.files.read(path) for path in current.files.paths()}
    versions: dict[str, str] = {}
    for environment, template in found.items():
        if template is not current:
            below = Tree({f"{current.name}/{path}": template.files.blob(path) for path in template.files.paths()})
            version = versions[environment] = git_tree_id(below)
            made |= {f"{VERSIONS}/{version}/{path}": below.read(path) for path in below.paths()}
    return current.name, made, versions


def _is_plain(source: FolderSource) -> bool:
    return source.root is None and not source.fields


def _relative(app: CurrentApp) -> dict[str, bytes]:
    """Return an app's files by their paths below its folder."""
    source = app.source
    assert isinstance(source, FolderSource)  # noqa: S101  for mypy
    prefix = f"{app.folder}/" if app.folder else ""
    found = {path.removeprefix(prefix): source.files.read(path) for path in source.files.paths()}
    is_odd = any(path.split("/")[0] in _NOT_OBJECTS or path.startswith("values.") for path in found)
    return {f"objects/{path}" if is_odd else path: data for path, data in found.items()}


def _plain(own: Sequence[CurrentApp]) -> dict[str, bytes]:
    """Return plain objects: unchanged if all environments have the same, otherwise as a base and overlays."""
    files = {app.environment: _relative(app) for app in own}
    first, *others = files.values()
    if all(other == first for other in others):
        return first
    shared = {path: data for path, data in first.items() if all(other.get(path) == data for other in others)}
    made = {f"base/{path}": data for path, data in shared.items()}
    made |= {f"base/{KUSTOMIZATION}": kustomization(list(shared))} if shared else {}
    for environment, found in files.items():
        rest = {path: data for path, data in found.items() if path not in shared}
        resources = ["../../base"] if shared else []
        made |= {f"overlays/{environment}/{path}": data for path, data in rest.items()}
        made[f"overlays/{environment}/{KUSTOMIZATION}"] = kustomization([*resources, *rest])
    return made


def _kustomized(own: Sequence[CurrentApp]) -> dict[str, bytes]:
    """Return kustomizations unchanged, with an overlay for each environment that has none."""
    sources = [(app.environment, app.source) for app in own if isinstance(app.source, FolderSource)]
    tops = {
        source.root.removesuffix(f"overlays/{environment}").rstrip("/")
        for environment, source in sources
        if source.root is not None and not source.fields and f"/{source.root}".endswith(f"/overlays/{environment}")
    }
    paths = [path for _, source in sources for path in source.files.paths()]
    is_usual = len(tops) == 1 and len([True for _, source in sources if source.root and not source.fields]) == len(own)
    if is_usual and all(path.startswith(f"{next(iter(tops))}/") or not next(iter(tops)) for path in paths):
        skip = f"{tops.pop()}/".lstrip("/")
        return {
            path.removeprefix(skip): source.files.read(path) for _, source in sources for path in source.files.paths()
        }
    made: dict[str, bytes] = {}
    common = posixpath.commonpath([posixpath.dirname(path) or "." for path in paths]) if paths else ""
    skip = "" if common in ("", ".") else f"{common}/"
    for environment, source in sources:
        moved = FolderSource(
            files=Tree({f"today/{path.removeprefix(skip)}": source.files.blob(path) for path in source.files.paths()}),
            root=None if source.root is None else posixpath.normpath(f"today/{f'{source.root}/'.removeprefix(skip)}"),
            fields=source.fields or {"apiVersion": "kustomize.config.k8s.io/v1beta1"},
        )
        built, _ = with_root(moved, f"overlays/{environment}")
        made |= {path: built.read(path) for path in built.paths()}
    return made
