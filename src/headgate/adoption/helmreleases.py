"""Reads Flux's HelmReleases: chart, name, namespace, and values as helm-controller merges them. Pure.

https://fluxcd.io/flux/components/helm/helmreleases/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.adoption.charts import Chart, UnavailableError, chart_of
from headgate.engine.reading import values as read_values
from headgate.objects.lookup import map_at, maps_at, value_at
from headgate.records import frozen_record
from headgate.render.values import merge, merge_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.objects.manifest import Manifest
    from headgate.repository.tree import Tree

_UNSUPPORTED = {
    "postRenderers": "it patches the rendered chart (postRenderers): set values instead, or adopt it as files",
    "kubeConfig": "it deploys to another cluster (kubeConfig)",
}


@frozen_record
class HelmRelease:
    """A release of a chart. ``note`` is for people, ``used`` are the ConfigMaps with its values."""

    name: str
    namespace: str
    chart: Chart
    values: dict[str, Any]
    note: str = ""
    used: tuple[str, ...] = ()


def is_helm_release(manifest: Manifest) -> bool:
    """Whether an object is a HelmRelease of Flux."""
    return manifest.kind_name == "HelmRelease.helm.toolkit.fluxcd.io"


def read_helm_release(
    manifest: Manifest, others: Sequence[Manifest], tree: Tree, charts: list[Chart], namespace: str
) -> HelmRelease:
    """Read a HelmRelease. ``others`` may hold its values. Raises UnavailableError with the reason."""
    spec = map_at(manifest.data, "spec")
    for field, reason in _UNSUPPORTED.items():
        if spec.get(field):
            raise UnavailableError(reason)
    own = manifest.namespace or namespace
    target = str(spec.get("targetNamespace") or "")
    layers = list(_layers(spec, others))
    chart, note = chart_of(manifest.data, tree, charts)
    if not (target or own):
        raise UnavailableError("no file names its namespace: set it in the HelmRelease first")
    return HelmRelease(
        name=str(spec.get("releaseName") or (f"{target}-{manifest.name}" if target else manifest.name)),
        namespace=target or own,
        chart=chart,
        values=merge(merge_all(values for values, _ in layers), map_at(spec, "values")),
        note=note,
        used=tuple(name for _, name in layers),
    )


def _layers(spec: dict[str, Any], others: Sequence[Manifest]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the values of ``valuesFrom``, lowest first, with the ConfigMaps that hold them."""
    config_maps = {other.name: other.data for other in others if other.kind_name == "ConfigMap"}
    for source in maps_at(spec, "valuesFrom"):
        kind, name, key = source.get("kind"), str(source.get("name")), str(source.get("valuesKey") or "values.yaml")
        if kind != "ConfigMap":
            raise UnavailableError(
                f"its values come from the {kind} {name}, and in git everybody could read them: let SOPS or External "
                "Secrets make a Secret, and give the chart its name"
            )
        text = value_at(config_maps.get(name), "data", key)
        if source.get("targetPath"):
            raise UnavailableError(f"the ConfigMap {name} goes to one value (targetPath): write it into 'values' first")
        if isinstance(text, str):
            yield read_values(text, f"{name}/{key}")[0], name
        elif not source.get("optional"):
            raise UnavailableError(f"the ConfigMap {name} with its values is not in the repository")
