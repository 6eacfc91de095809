"""The effects of an object's change when it is applied: restarts, scales, is rejected, loses its data. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from headgate.impact.immutable import immutable_fields
from headgate.impact.marks import is_applied, is_created_only, is_forced, is_pruned
from headgate.impact.reach import newly_reachable
from headgate.objects.edits import field_names
from headgate.objects.kinds import KUBERNETES, POD_SPECS
from headgate.objects.lookup import map_at, value_at
from headgate.objects.pods import pod_specs
from headgate.objects.running import RunningChange, template_path
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from headgate.objects.manifest import Manifest

    Side = Manifest | None

EffectKind = Literal[
    "rejected",
    "recreated",
    "data",
    "removed",
    "exposes",
    "scales",
    "restarts",
    "later",
    "stays",
    "added",
    "changed",
    "nothing",
]
"""Worst first. ``later``: what runs now goes on; ``stays``: it is removed here and left in the cluster."""

EFFECT_KINDS: tuple[EffectKind, ...] = EffectKind.__args__  # type: ignore[attr-defined]


@frozen_record(kw_only=False)
class Effect:
    """One thing that happens when a change is applied, in words that follow the object's name."""

    kind: EffectKind
    text: str


def effects_of(change: RunningChange) -> tuple[Effect, ...]:
    """Return what happens when the change of an object is applied, worst first."""
    if not is_applied(change.new):
        return (_NOT_APPLIED,)
    return (_NOT_UPDATED,) if is_created_only(change.new) else _ordered(_change(change))


def find_effects(old: Side, new: Side) -> tuple[Effect, ...]:
    """Return what happens when an object comes, changes or goes, worst first; None is one that does not exist."""
    if old is not None and new is not None:
        return effects_of(RunningChange(old, new))
    if new is None:
        return _ordered(_removal(old)) if old is not None else ()
    return _ordered([*_exposure(None, new), Effect("added", "is added")]) if is_applied(new) else (_NOT_APPLIED,)


_NOT_APPLIED = Effect("nothing", "is not applied: its annotation switches Flux off for it")
_NOT_UPDATED = Effect("nothing", "is not changed in the cluster: its annotation has Flux only create it")


def _ordered(found: Iterable[Effect]) -> tuple[Effect, ...]:
    return tuple(sorted(dict.fromkeys(found), key=lambda effect: EFFECT_KINDS.index(effect.kind)))


_WITH = {
    "CustomResourceDefinition.apiextensions.k8s.io": "with all objects of its kind",
    "HelmRelease.helm.toolkit.fluxcd.io": "with all that its chart installed",
    "Kustomization.kustomize.toolkit.fluxcd.io": "with all that it applied, if it prunes that",
    "Namespace": "with everything in it",
    "PersistentVolume": "with its data, unless its reclaim policy retains that",
    "PersistentVolumeClaim": "with its data, unless its volume is retained",
}
"""The further losses when an object of a kind is removed."""


def _removal(old: Manifest) -> Iterator[Effect]:
    if not is_pruned(old):
        yield Effect("stays", "is not removed from the cluster: its annotation keeps Flux from that")
    elif old.kind_name in _WITH:
        yield Effect("data", f"is removed {_WITH[old.kind_name]}")
    elif old.kind_name == "StatefulSet.apps":
        rest = _CLAIMS if _deletes_claims(old, "whenDeleted") else "and leaves its volume claims behind"
        yield Effect("data", f"is removed {rest}")
    else:
        yield Effect("removed", "is removed")


_CLAIMS = "with its volume claims and their data"


def _deletes_claims(stateful_set: Manifest, when: str) -> bool:
    return bool(value_at(stateful_set.data, "spec", "persistentVolumeClaimRetentionPolicy", when) == "Delete")


def _change(change: RunningChange) -> Iterator[Effect]:
    fixed = immutable_fields(change)
    if fixed:
        reason = f"{', '.join(fixed[:3])} cannot be changed"
        if is_forced(change.old, change.new):
            yield Effect("recreated", f"is deleted and created again: {reason}")
            yield from _recreation(change.old)
        else:
            yield Effect("rejected", f"is rejected by the cluster: {reason}")
    found = [*_exposure(change.old, change.new), *_scale(change), *_pods(change), *_config(change)]
    if found or fixed:
        yield from found
    elif _runs_alike(change):
        yield Effect("nothing", "runs as before")
    else:
        yield Effect("changed", "is changed in place")


def _recreation(old: Manifest) -> Iterator[Effect]:
    """Yield the losses of an object that is deleted and created again."""
    if old.kind_name in _WITH:
        yield Effect("data", f"goes {_WITH[old.kind_name]}")
    elif old.kind_name == "StatefulSet.apps" and _deletes_claims(old, "whenDeleted"):
        yield Effect("data", f"goes {_CLAIMS}")


def _exposure(old: Side, new: Manifest) -> Iterator[Effect]:
    more = newly_reachable(old, new)
    if more:
        yield Effect("exposes", f"becomes reachable: {', '.join(more[:5])}{' ...' if len(more) > 5 else ''}")  # noqa: PLR2004


def _scale(change: RunningChange) -> Iterator[Effect]:
    kind_name = change.old.kind_name
    old, new = map(_replicas, (change.old, change.new))
    if old != new and None not in (old, new):
        yield Effect("scales", f"scales from {old} to {new}")
        if kind_name == "StatefulSet.apps" and new < old and _deletes_claims(change.new, "whenScaled"):
            yield Effect("data", "loses the volume claims of the removed pods, with their data")
    if kind_name in _SCALERS:
        bounds = _SCALERS[kind_name]
        ranges = [
            "-".join(str(value_at(side, "spec", field) or default) for field, default in bounds)
            for side in (change.before, change.after)
        ]
        if ranges[0] != ranges[1]:
            yield Effect("scales", f"scales within {ranges[1]} instead of {ranges[0]}")


_SCALERS = {
    "HorizontalPodAutoscaler.autoscaling": (("minReplicas", 1), ("maxReplicas", None)),
    "ScaledObject.keda.sh": (("minReplicaCount", 0), ("maxReplicaCount", 100)),
}
"""Where the bounds of what scales automatically are, with their defaults."""


_REPLICATED = {"Deployment.apps", "ReplicaSet.apps", "ReplicationController", "StatefulSet.apps"}


def _replicas(manifest: Manifest) -> Any:
    """Return the wanted number of pods; None for an object without pods or without a number."""
    found = value_at(manifest.data, "spec", "replicas")
    if manifest.kind_name in KUBERNETES and found is None:
        return 1 if manifest.kind_name in _REPLICATED else None
    return found if type(found) is int else None


def _pods(change: RunningChange) -> Iterator[Effect]:
    old, new = change.old, change.new
    if new.kind_name not in KUBERNETES and change.touches("spec", "template") and pod_specs(new.data, new.kind_name):
        yield Effect("restarts", "has its operator restart pods")
    if new.kind_name not in POD_SPECS:
        return
    if not change.touches(*template_path(new.kind_name)):
        yield from _resumed(change)
    elif new.kind_name in _LATER:
        yield Effect("later", _LATER[new.kind_name])
    elif new.kind_name not in ("Job.batch", "Pod"):
        yield from _rolled_out(change)
    elif old.name != new.name:
        yield Effect("restarts", "runs once more, under another name")
    elif new.kind_name == "Pod" and any(edit.path[-1] == "image" for edit in change.edits):
        yield Effect("restarts", "restarts its containers")


_LATER = {
    "CronJob.batch": "changes its next run",
    "PodTemplate": "changes new pods only",
    "ReplicaSet.apps": "changes new pods only",
    "ReplicationController": "changes new pods only",
}


def _rolled_out(change: RunningChange) -> Iterator[Effect]:
    replicas, spec = [_replicas(side) for side in (change.old, change.new)], map_at(change.new.data, "spec")
    first = _partition(change.new)
    if 0 in replicas:
        if replicas == [0, 0]:
            yield Effect("later", "changes pods when it is scaled up: it has none now")
    elif value_at(spec, "updateStrategy", "type") == "OnDelete":
        yield Effect("later", "changes pods when somebody deletes them")
    elif spec.get("paused") is True:
        yield Effect("later", "changes pods when its roll-out is resumed")
    elif first and first >= (replicas[1] or 1):
        yield Effect("later", "changes pods when its partition is lowered")
    elif first:
        yield Effect("restarts", f"restarts its pods from number {first} on")
    elif value_at(spec, "strategy", "type") == "Recreate":
        yield Effect("restarts", "stops all its pods, then starts new ones")
    else:
        yield Effect("restarts", "restarts its pods")


def _partition(manifest: Manifest) -> int:
    """Return the number of the first pod that a StatefulSet updates."""
    found = value_at(manifest.data, "spec", "updateStrategy", "rollingUpdate", "partition")
    return found if type(found) is int else 0


def _resumed(change: RunningChange) -> Iterator[Effect]:
    """Yield the effect of resuming a held-back update; changes since then are unknown here."""
    paused = [value_at(side.data, "spec", "paused") is True for side in (change.old, change.new)]
    if paused == [True, False] or _partition(change.new) < _partition(change.old):
        yield Effect("restarts", "resumes a held-back roll-out, and may restart its pods")


def _config(change: RunningChange) -> Iterator[Effect]:
    """https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically."""
    old, new = change.old, change.new
    if new.kind_name not in ("ConfigMap", "Secret"):
        return
    if old.name != new.name:
        yield Effect("changed", "gets another name, which its users must refer to")
    elif any(change.touches(key) for key in ("data", "binaryData", "stringData")):
        yield Effect("later", _FOLLOWS)


_FOLLOWS = "restarts nothing: mounted files follow (not those by subPath), environment variables with the next start"


_INERT = {"helm.sh/chart", "app.kubernetes.io/version", "app.kubernetes.io/managed-by"}


def _runs_alike(change: RunningChange) -> bool:
    changed = [field_names(edit.path) for edit in change.edits]
    return all(names[:2] == ("metadata", "labels") and names[-1] in _INERT for names in changed)
