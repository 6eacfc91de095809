"""Flux's instructions in an object's labels and annotations. Pure.

https://fluxcd.io/flux/components/kustomize/kustomizations/#controlling-the-apply-behavior-of-resources
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.objects.lookup import map_at

if TYPE_CHECKING:
    from headgate.objects.manifest import Manifest

_GROUP = "kustomize.toolkit.fluxcd.io"


def _has(manifest: Manifest, name: str, value: str) -> bool:
    """Whether a label or an annotation has this value; Flux reads both, and ignores case."""
    places = (map_at(manifest.data, "metadata", field) for field in ("labels", "annotations"))
    return any(str(place.get(f"{_GROUP}/{name}", "")).lower() == value for place in places)


def is_applied(new: Manifest) -> bool:
    """Whether Flux applies an object."""
    return not (_has(new, "reconcile", "disabled") or _has(new, "ssa", "ignore"))


def is_created_only(new: Manifest) -> bool:
    """Whether Flux only creates an object, and never updates it."""
    return _has(new, "ssa", "ifnotpresent")


def is_pruned(old: Manifest) -> bool:
    """Whether Flux removes an object from the cluster when it goes from the final YAML."""
    return not _has(old, "prune", "disabled")


def is_forced(old: Manifest, new: Manifest) -> bool:
    """Whether Flux recreates an object that it cannot update; it also reads the object in the cluster."""
    return any(_has(side, "force", "enabled") for side in (old, new))
