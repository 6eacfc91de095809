"""Fields that an API server does not let change, and what Flux does about that. Pure.

Source: the update validation of https://github.com/kubernetes/kubernetes/tree/v1.37.2/pkg/apis, kind by kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.objects.edits import field_names, shown_path
from headgate.objects.lookup import map_at, value_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.objects.edits import AnyEdit
    from headgate.objects.listkeys import FieldNames
    from headgate.objects.manifest import Manifest
    from headgate.objects.running import RunningChange

_FIXED = {
    "ClusterRoleBinding.rbac.authorization.k8s.io": ["roleRef"],
    "CustomResourceDefinition.apiextensions.k8s.io": ["spec.group", "spec.scope", "spec.names.kind"],
    "DaemonSet.apps": ["spec.selector"],
    "Deployment.apps": ["spec.selector"],
    "IngressClass.networking.k8s.io": ["spec.controller"],
    "Job.batch": [
        *("spec.template", "spec.selector", "spec.completionMode", "spec.podFailurePolicy", "spec.successPolicy"),
        *("spec.backoffLimitPerIndex", "spec.managedBy"),
    ],
    "PersistentVolumeClaim": ["spec"],
    "PriorityClass.scheduling.k8s.io": ["value", "preemptionPolicy"],
    "ReplicaSet.apps": ["spec.selector"],
    "RoleBinding.rbac.authorization.k8s.io": ["roleRef"],
    "Secret": ["type"],
    "Service": ["spec.clusterIP"],
    "StatefulSet.apps": ["spec"],
    "StorageClass.storage.k8s.io": ["provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"],
}
_FREE = {
    "PersistentVolumeClaim": ["spec.resources", "spec.volumeAttributesClassName"],
    "StatefulSet.apps": [
        *("spec.replicas", "spec.ordinals", "spec.template", "spec.updateStrategy", "spec.revisionHistoryLimit"),
        *("spec.persistentVolumeClaimRetentionPolicy", "spec.minReadySeconds"),
    ],
}
_DATA = ["data", "binaryData", "stringData", "immutable"]
_FORCE = "kustomize.toolkit.fluxcd.io/force"


def immutable_fields(change: RunningChange) -> list[str]:
    """Return the paths of the fields that differ and may not."""
    old, new = change.old, change.new
    fixed = [*_FIXED.get(old.kind_name, ()), *(_DATA if old.data.get("immutable") is True else ())]
    if not fixed or old.name != new.name:
        return []
    free = _FREE.get(old.kind_name, ())
    found = [edit for edit in change.edits if _is_below(edit, fixed) and not _is_below(edit, free)]
    return [shown_path(edit.path) for edit in found if not _is_allowed(old, new, field_names(edit.path))]


def _is_below(edit: AnyEdit, fields: Sequence[str]) -> bool:
    names = field_names(edit.path)
    return any(names[: len(parts)] == parts for field in fields for parts in (tuple(field.split(".")),))


def _is_allowed(old: Manifest, new: Manifest, names: FieldNames) -> bool:
    """Return whether a fixed field may change after all: a Service's address when it is given one, or gives it up."""
    if old.kind_name == "Service":
        addresses = [side.data["spec"].get("clusterIP") for side in (old, new)]
        return not all(addresses) or "ExternalName" in [side.data["spec"].get("type") for side in (old, new)]
    if old.kind_name == "Job.batch" and names[:2] == ("spec", "template"):
        return value_at(old.data, "spec", "suspend") is True and names[2:3] == ("metadata",)
    return False


def is_forced(new: Manifest) -> bool:
    """Return whether Flux deletes and creates an object that it cannot update.

    https://fluxcd.io/flux/components/kustomize/kustomizations/#controlling-the-apply-behavior-of-resources
    """
    return flux_setting(new, _FORCE) == "enabled"


def flux_setting(manifest: Manifest, name: str) -> str:
    """Return what an object's annotation says to Flux, in small letters; empty when it says nothing."""
    return str(map_at(manifest.data, "metadata", "annotations").get(name, "")).lower()
