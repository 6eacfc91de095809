"""What is at a place within an object; nothing where its author wrote something of another shape. Pure."""

from __future__ import annotations

from typing import Any


def value_at(data: Any, *path: str) -> Any:
    """Return the value below these keys; None where there is none."""
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def map_at(data: Any, *path: str) -> dict[str, Any]:
    """Return the map below these keys; an empty one where there is none."""
    value = value_at(data, *path)
    return value if isinstance(value, dict) else {}


def list_at(data: Any, *path: str) -> list[Any]:
    """Return the list below these keys; an empty one where there is none."""
    value = value_at(data, *path)
    return value if isinstance(value, list) else []


def maps_at(data: Any, *path: str) -> list[dict[str, Any]]:
    """Return the maps in the list below these keys."""
    return [item for item in list_at(data, *path) if isinstance(item, dict)]


def without_nulls(value: Any) -> Any:
    """Return a value without the keys that are null, as API servers and Helm read it."""
    if isinstance(value, dict):
        return {
            key: without_nulls(item) if isinstance(item, _CONTAINERS) else item
            for key, item in value.items()
            if item is not None
        }
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


_CONTAINERS = (dict, list)
