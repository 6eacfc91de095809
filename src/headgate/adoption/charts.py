"""Charts that HelmReleases name: vendored in the repository, or in a folder of charts and archives. Pure."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from headgate.dependencies.archive import unpack
from headgate.engine.reading import mapping
from headgate.errors import Location
from headgate.objects.lookup import map_at, value_at
from headgate.records import frozen_record
from headgate.repository.tree import MemoryBlob, Tree

if TYPE_CHECKING:
    from collections.abc import Iterator


class UnavailableError(Exception):
    """Something that cannot be taken over: the reason, and what to do."""


@frozen_record
class Chart:
    """The files of a chart, with the name and version in its Chart.yaml."""

    name: str
    version: str
    files: Tree


def chart_in(files: Tree, label: str) -> Chart:
    """Return the chart with these files. Raises YamlError."""
    data = mapping(files.read("Chart.yaml"), f"{label}/Chart.yaml")
    return Chart(name=str(data.get("name") or ""), version=str(data.get("version") or ""), files=files)


def library(files: Tree) -> list[Chart]:
    """Return the charts of a folder: of its folders with a Chart.yaml, and of its archives. Raises RenderError."""
    return list(_library(files))


def _library(files: Tree) -> Iterator[Chart]:
    folders = {posixpath.dirname(path) for path in files.paths() if posixpath.basename(path) == "Chart.yaml"}
    for folder in sorted(folders):
        if not any(folder.startswith(f"{other}/") for other in folders):
            yield chart_in(files.folder(folder), folder)
    for path in files.paths():
        if path.endswith(".tgz") and not any(path.startswith(f"{folder}/") for folder in folders):
            unpacked = unpack(files.read(path), Location(path))
            yield chart_in(Tree({name: MemoryBlob(data) for name, data in unpacked.items()}), path)


def chart_of(release: dict[str, Any], tree: Tree, charts: list[Chart]) -> tuple[Chart, str]:
    """Return the chart of a HelmRelease, and a note about its version. Raises UnavailableError."""
    spec = map_at(release, "spec", "chart", "spec")
    name = str(spec.get("chart") or value_at(release, "spec", "chartRef", "name") or "")
    if spec.get("valuesFiles"):
        raise UnavailableError("it takes other values files of its chart (valuesFiles): write them into 'values' first")
    folder = posixpath.normpath(name).lstrip("/")
    if value_at(spec, "sourceRef", "kind") == "GitRepository" and f"{folder}/Chart.yaml" in tree:
        return chart_in(tree.folder(folder), folder), ""
    wanted, base = str(spec.get("version") or "*"), posixpath.basename(name)
    found = [chart for chart in charts if chart.name == base]
    exact = [chart for chart in found if chart.version == wanted.removeprefix("v")] or found
    if len(exact) == 1 and (exact[0].version == wanted.removeprefix("v") or not wanted[:1].isdigit() or "x" in wanted):
        is_range = exact[0].version != wanted.removeprefix("v")
        note = (
            f"version {exact[0].version}, for '{wanted}': check that this is the version that runs" if is_range else ""
        )
        return exact[0], note
    raise UnavailableError(_missing(base, wanted, [chart.version for chart in found]))


def _missing(name: str, wanted: str, versions: list[str]) -> str:
    if len(versions) > 1:
        return f"several versions of the chart {name} match '{wanted}' ({', '.join(versions)}): leave one in --charts"
    there = f"only {versions[0]} is in --charts" if versions else "it is not in the repository and not in --charts"
    version = "" if wanted == "*" else f" --version '{wanted}'"
    return f"the chart {name} {wanted} was not found: {there} ('helm pull{version}' fetches it into that folder)"
