"""Files of the repository that no adopted app has. Pure."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from headgate.adoption.charts import chart_in
from headgate.adoption.fluxobjects import flux_objects
from headgate.adoption.layout import holds_objects, is_hidden, is_within, is_yaml, without_ours
from headgate.adoption.sources import ChartSource
from headgate.dependencies.kustomization import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headgate.adoption.layout import Place
    from headgate.adoption.sources import CurrentApp
    from headgate.repository.tree import Tree


def unplaced(tree: Tree, places: Iterable[Place], apps: Iterable[CurrentApp]) -> list[str]:
    """Return the folders and charts whose objects are in no app, so that nobody assumes that they are adopted.

    What is left out of a place has a reason of its own.
    """
    tree = without_ours(tree)
    apps = list(apps)
    adopted = {path for app in apps for path in app.files}
    used = {app.source.code.id for app in apps if isinstance(app.source, ChartSource)}
    charts = [posixpath.dirname(path) for path in tree.paths() if posixpath.basename(path) == "Chart.yaml"]
    charts = [folder for folder in charts if not any(is_within(folder, other) for other in charts)]
    found = [chart for chart in charts if ChartSource(chart=chart_in(tree.folder(chart), chart)).code.id not in used]
    flux = {path for path, _ in flux_objects(tree)}
    found += [
        posixpath.dirname(path)
        for path in tree.paths()
        if is_yaml(path)
        and not (is_hidden(path) or path in adopted or path in flux or any(is_within(path, chart) for chart in charts))
        and posixpath.basename(path) not in NAMES
        and holds_objects(tree.read(path))
    ]
    known = {place.folder for place in places}
    rest = {folder for folder in found if not any(folder == place or is_within(folder, place) for place in known)}
    return sorted(folder or "the top" for folder in rest)
