"""The effects of an object's change when it is applied: restarts, scales, is rejected, loses its data. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from headgate.impact.immutable import flux_setting, immutable_fields, is_forced
from headgate.impact.reach import reach_of
from headgate.objects.edits import NOTHING, field_names, same
from headgate.objects.kinds import KUBERNETES, POD_SPECS
from headgate.objects.lookup import value_at
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
    return _ordered(_change(change)) if _is_applied(change.new) else (_NOT_APPLIED,)


def find_effects(old: Side, new: Side) -> tuple[Effect, ...]:
    """Return what happens when an object comes, changes or goes, worst first; None is one that does not exist."""
    if old is not None and new is not None:
        return effects_of(RunningChange(old, new))
    if new is None:
        return _ordered(_removal(old)) if old is not None else ()
    return _ordered([*_exposure(None, new), Effect("added", "is added")]) if _is_applied(new) else (_NOT_APPLIED,)


_NOT_APPLIED = Effect("nothing", "is not applied: its annotation switches Flux off for it")


def _is_applied(new: Manifest) -> bool:
    return flux_setting(new, "kustomize.toolkit.fluxcd.io/reconcile") != "disabled"


def _ordered(found: Iterable[Effect]) -> tuple[Effect, ...]:
    return tuple(sorted(dict.fromkeys(found), key=lambda effect: EFFECT_KINDS.index(effect.kind)))


_DATA = {
    "CustomResourceDefinition.apiextensions.k8s.io": "is removed with all objects of its kind",
    "Namespace": "is removed with everything in it",
    "PersistentVolume": "is removed with its data, unless its reclaim policy retains that",
    "PersistentVolumeClaim": "is removed with its data, unless its volume is retained",
}


def is_pruned(old: Manifest) -> bool:
    """Whether Flux removes an object from the cluster when it goes from the final YAML."""
    return flux_setting(old, "kustomize.toolkit.fluxcd.io/prune") != "disabled"


def _removal(old: Manifest) -> Iterator[Effect]:
    if not is_pruned(old):
        yield Effect("stays", "is not removed from the cluster: its annotation keeps Flux from that")
    elif old.kind_name in _DATA:
        yield Effect("data", _DATA[old.kind_name])
    elif old.kind_name == "StatefulSet.apps":
        policy = value_at(old.data, "spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted")
        rest = "with its volume claims and their data" if policy == "Delete" else "and leaves its volume claims behind"
        yield Effect("data", f"is removed {rest}")
    else:
        yield Effect("removed", "is removed")


def _change(change: RunningChange) -> Iterator[Effect]:
    fixed = immutable_fields(change)
    if fixed:
        kind: EffectKind = "recreated" if is_forced(change.new) else "rejected"
        text = "is deleted and created again" if kind == "recreated" else "is rejected by the cluster"
        yield Effect(kind, f"{text}: {', '.join(fixed[:3])} cannot be changed")
    found = [*_exposure(change.old, change.new), *_scale(change), *_pods(change), *_config(change.old, change.new)]
    if found or fixed:
        yield from found
    elif _runs_alike(change):
        yield Effect("nothing", "runs as before")
    else:
        yield Effect("changed", "is changed in place")


def _exposure(old: Side, new: Manifest) -> Iterator[Effect]:
    before = reach_of(old) if old is not None else frozenset()
    more = sorted(reach_of(new) - before)
    if more:
        yield Effect("exposes", f"becomes reachable: {', '.join(more[:5])}{' ...' if len(more) > 5 else ''}")  # noqa: PLR2004


def _scale(change: RunningChange) -> Iterator[Effect]:
    kind_name = change.old.kind_name
    if kind_name in ("Deployment.apps", "ReplicaSet.apps", "StatefulSet.apps"):
        for edit in change.edits:
            counts = edit.old, edit.new
            if edit.path == ("spec", "replicas") and counts[0] != counts[1] and _are_known(*counts):
                yield Effect("scales", f"scales from {counts[0]} to {counts[1]}")
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


def _are_known(*counts: Any) -> bool:
    return not any(count is None or count is NOTHING for count in counts)


def _pods(change: RunningChange) -> Iterator[Effect]:
    old, new = change.old, change.new
    if new.kind_name not in KUBERNETES and change.touches("spec", "template") and pod_specs(new.data, new.kind_name):
        yield Effect("restarts", "has its operator restart pods")
    if new.kind_name not in POD_SPECS or not change.touches(*template_path(new.kind_name)):
        return
    if new.kind_name in ("Job.batch", "Pod"):
        if old.name != new.name:
            yield Effect("restarts", "runs once more, under another name")
    elif new.kind_name == "CronJob.batch":
        yield Effect("later", "changes its next run")
    elif new.kind_name in ("ReplicaSet.apps", "ReplicationController", "PodTemplate"):
        yield Effect("later", "changes new pods only")
    elif value_at(new.data, "spec", "updateStrategy", "type") == "OnDelete":
        yield Effect("later", "changes pods when somebody deletes them")
    elif value_at(new.data, "spec", "paused") is True:
        yield Effect("later", "changes pods when its roll-out is resumed")
    elif new.kind_name in ("Deployment.apps", "DaemonSet.apps", "StatefulSet.apps"):
        is_hard = value_at(new.data, "spec", "strategy", "type") == "Recreate"
        yield Effect("restarts", "stops all its pods, then starts new ones" if is_hard else "restarts its pods")


def _config(old: Manifest, new: Manifest) -> Iterator[Effect]:
    """https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically."""
    if new.kind_name not in ("ConfigMap", "Secret") or old.name != new.name:
        return
    if not all(same(old.data.get(key), new.data.get(key)) for key in ("data", "binaryData", "stringData")):
        yield Effect("later", "restarts nothing: mounted files follow, environment variables with the next start")


_INERT = {"helm.sh/chart", "app.kubernetes.io/version", "app.kubernetes.io/managed-by"}


def _runs_alike(change: RunningChange) -> bool:
    changed = [field_names(edit.path) for edit in change.edits]
    return all(names[:2] == ("metadata", "labels") and names[-1] in _INERT for names in changed)
