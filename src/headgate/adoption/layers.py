"""Values files that give a chart its current values in each environment. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.adoption.sources import ChartSource
from headgate.yamltext.write import write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.adoption.sources import CurrentApp
    from headgate.adoption.templates import ChartTemplate


def values_files(folder: str, own: Sequence[CurrentApp], charts: Mapping[str, ChartTemplate]) -> dict[str, bytes]:
    """Return values files: one for the common values of all environments, and one for the rest of each."""
    layers = {
        app.environment: dict(app.source.values) if charts[app.source.code.id].has_values else app.source.all_values
        for app in own
        if isinstance(app.source, ChartSource)
    }
    if not layers:
        return {}
    shared = _shared(list(layers.values()))
    files = {f"{folder}/values.yaml": shared}
    files |= {f"{folder}/values.{name}.yaml": _without(values, shared) for name, values in layers.items()}
    return {path: write(values).encode() for path, values in files.items() if values}


def _shared(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first, *others = layers
    found: dict[str, Any] = {}
    for key, value in first.items():
        same = [other[key] for other in others if key in other]
        if len(same) < len(others):
            continue
        if isinstance(value, dict) and all(isinstance(other, dict) for other in same):
            found[key] = _shared([value, *same])
        elif all(type(other) is type(value) and other == value for other in same):
            found[key] = value
    return found


def _without(values: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    rest: dict[str, Any] = {}
    for key, value in values.items():
        if key not in shared:
            rest[key] = value
        elif isinstance(value, dict) and value != shared[key]:
            rest[key] = _without(value, shared[key])
    return rest
