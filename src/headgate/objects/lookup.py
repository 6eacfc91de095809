"""What stands at a place within an object; nothing where its author wrote something of another shape. Pure."""

from __future__ import annotations

from typing import Any


def value_at(data: Any, *path: str) -> Any:
    """Return what stands below these keys; None where nothing does."""
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def map_at(data: Any, *path: str) -> dict[str, Any]:
    """Return the map below these keys; an empty one where none stands there."""
    value = value_at(data, *path)
    return value if isinstance(value, dict) else {}


def list_at(data: Any, *path: str) -> list[Any]:
    """Return the list below these keys; an empty one where none stands there."""
    value = value_at(data, *path)
    return value if isinstance(value, list) else []


def maps_at(data: Any, *path: str) -> list[dict[str, Any]]:
    """Return the maps in the list below these keys."""
    return [item for item in list_at(data, *path) if isinstance(item, dict)]
