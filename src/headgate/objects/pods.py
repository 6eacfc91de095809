"""Pod specs within objects, Kubernetes' own and others. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.objects.kinds import KUBERNETES, POD_SPECS
from headgate.objects.lookup import map_at, maps_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def pod_spec(data: Mapping[str, Any], kind_name: str) -> dict[str, Any]:
    """Return the pod spec within an object; an empty one where its kind has none, or it is no map."""
    return map_at(data, *POD_SPECS[kind_name].split(".")) if kind_name in POD_SPECS else {}


def pod_specs(data: Mapping[str, Any], kind_name: str) -> list[dict[str, Any]]:
    """Return the pod specs within an object; of a custom resource all maps that have containers."""
    if kind_name in KUBERNETES:
        pod = pod_spec(data, kind_name)
        return [pod] if pod else []
    return list(_with_containers(dict(data)))


def _with_containers(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if maps_at(value, "containers"):
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            if isinstance(item, (dict, list)):
                yield from _with_containers(item)


_PLAIN_MAPS = {"annotations", "labels", "metadata", "limits", "matchLabels", "nodeSelector", "overhead", "requests"}


def leave_out_empty(value: Any) -> None:
    """Take out of a template what is the same to a server as nothing: empty lists, and maps of texts."""
    if isinstance(value, list):
        for item in value:
            leave_out_empty(item)
    elif isinstance(value, dict):
        for key in [key for key, item in value.items() if item == [] or (item == {} and key in _PLAIN_MAPS)]:
            del value[key]
        for item in value.values():
            leave_out_empty(item)
