"""Fields that an API server does not let change. Pure.

Source: the update validation of https://github.com/kubernetes/kubernetes/tree/v1.37.2/pkg/apis, kind by kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.objects.edits import field_names, shown_path
from headgate.objects.kinds import DEFINITION
from headgate.objects.lookup import map_at, maps_at, value_at
from headgate.objects.quantity import parse_quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from headgate.objects.edits import AnyEdit
    from headgate.objects.listkeys import FieldNames
    from headgate.objects.manifest import Manifest
    from headgate.objects.running import RunningChange

_FIXED = {
    "CSIDriver.storage.k8s.io": ["spec.attachRequired", "spec.volumeLifecycleModes"],
    "CSIStorageCapacity.storage.k8s.io": ["nodeTopology", "storageClassName"],
    "ClusterRoleBinding.rbac.authorization.k8s.io": ["roleRef"],
    "ControllerRevision.apps": ["data"],
    "CustomResourceDefinition.apiextensions.k8s.io": ["spec.group", "spec.scope", "spec.names.kind"],
    "DaemonSet.apps": ["spec.selector"],
    "Deployment.apps": ["spec.selector"],
    "EndpointSlice.discovery.k8s.io": ["addressType"],
    "IPAddress.networking.k8s.io": ["spec"],
    "IngressClass.networking.k8s.io": ["spec.controller"],
    "Job.batch": [
        *("spec.template", "spec.selector", "spec.completionMode", "spec.podFailurePolicy", "spec.successPolicy"),
        *("spec.backoffLimitPerIndex", "spec.managedBy", "spec.completions"),
    ],
    "PersistentVolume": ["spec"],
    "PersistentVolumeClaim": ["spec"],
    "Pod": ["spec"],
    "PriorityClass.scheduling.k8s.io": ["value", "preemptionPolicy"],
    "ReplicaSet.apps": ["spec.selector"],
    "ResourceClaim.resource.k8s.io": ["spec"],
    "ResourceClaimTemplate.resource.k8s.io": ["spec"],
    "ResourceQuota": ["spec.scopes"],
    "ResourceSlice.resource.k8s.io": ["spec.driver", "spec.nodeName", "spec.pool.name"],
    "RoleBinding.rbac.authorization.k8s.io": ["roleRef"],
    "RuntimeClass.node.k8s.io": ["handler"],
    "Secret": ["type"],
    "Service": ["spec.clusterIP", "spec.loadBalancerClass"],
    "StatefulSet.apps": ["spec"],
    "StorageClass.storage.k8s.io": ["provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"],
    "StorageVersionMigration.storagemigration.k8s.io": ["spec"],
    "VolumeAttachment.storage.k8s.io": ["spec"],
    "VolumeAttributesClass.storage.k8s.io": ["driverName", "parameters"],
}
_FREE = {
    "PersistentVolume": [
        *("spec.accessModes", "spec.capacity", "spec.claimRef", "spec.mountOptions"),
        *("spec.persistentVolumeReclaimPolicy", "spec.storageClassName", "spec.volumeAttributesClassName"),
    ],
    "PersistentVolumeClaim": ["spec.resources.requests.storage", "spec.volumeAttributesClassName"],
    "Pod": [
        *("spec.activeDeadlineSeconds", "spec.containers.image", "spec.initContainers.image", "spec.tolerations"),
        "spec.terminationGracePeriodSeconds",
    ],
    "StatefulSet.apps": [
        *("spec.replicas", "spec.ordinals", "spec.template", "spec.updateStrategy", "spec.revisionHistoryLimit"),
        *("spec.persistentVolumeClaimRetentionPolicy", "spec.minReadySeconds"),
    ],
}
_DATA = ["data", "binaryData", "stringData", "immutable"]


def immutable_fields(change: RunningChange) -> list[str]:
    """Return the paths of the fields that differ and may not."""
    old, new = change.old, change.new
    fixed = [*_FIXED.get(old.kind_name, ()), *(_DATA if old.data.get("immutable") is True else ())]
    if not fixed or old.name != new.name:
        return []
    free = _FREE.get(old.kind_name, ())
    found = [edit for edit in change.edits if _is_below(edit, fixed) and not _is_below(edit, free)]
    found = [edit for edit in found if not _is_allowed(old, new, field_names(edit.path))]
    if old.kind_name == "Pod":  # what the server filled in for another image stays
        written = {field_names(edit.path) for edit in change.written}
        found = [edit for edit in found if edit.path[-1] != "imagePullPolicy" or field_names(edit.path) in written]
    return [*(shown_path(edit.path) for edit in found), *_stuck(change)]


def _stuck(change: RunningChange) -> Iterator[str]:
    """Yield what may change, but not in this way."""
    old, new = change.old, change.new
    name = _STRATEGIES.get(old.kind_name)
    if name is not None:
        before, after = map_at(old.data, "spec", name), map_at(new.data, "spec", name)
        # What the server filled in stays, and only goes with a rolling update; what the text said goes with it.
        rolled = before.get("type", _ROLLING) == _ROLLING and before.get(_FILLED) is None
        if rolled and after.get("type", _ROLLING) != _ROLLING:
            yield f"spec.{name}.type"
    if old.kind_name == "PersistentVolumeClaim":
        path = ("spec", "resources", "requests", "storage")
        sizes = [parse_quantity(str(value_at(side.data, *path))) for side in (old, new)]
        if sizes[0] is not None and sizes[1] is not None and sizes[1] < sizes[0]:
            yield ".".join(path)
    if old.kind_name == DEFINITION:
        kept = {version.get("name") for version in maps_at(new.data, "spec", "versions")}
        stored = [
            version.get("name") for version in maps_at(old.data, "spec", "versions") if version.get("storage") is True
        ]
        if not kept.issuperset(stored):
            yield "spec.versions"


_STRATEGIES = {"Deployment.apps": "strategy", "StatefulSet.apps": "updateStrategy"}
_ROLLING, _FILLED = "RollingUpdate", "rollingUpdate"


def _is_below(edit: AnyEdit, fields: Sequence[str]) -> bool:
    names = field_names(edit.path)
    return any(names[: len(parts)] == parts for field in fields for parts in (tuple(field.split(".")),))


def _is_allowed(old: Manifest, new: Manifest, names: FieldNames) -> bool:
    """Return whether a fixed field may change after all: a Service's address when it is given one, or gives it up."""
    rule = _ALLOWED.get(names[:2])
    if rule is not None:
        return bool(rule(old, new, names))
    if old.kind_name == "Service":
        addresses = [side.data["spec"].get("clusterIP") for side in (old, new)]
        is_given_up = not all(addresses) and addresses[1] != "None"
        return is_given_up or "ExternalName" in [side.data["spec"].get("type") for side in (old, new)]
    if old.kind_name == "Job.batch" and names[:2] == ("spec", "template"):
        return value_at(old.data, "spec", "suspend") is True and names[2:3] == ("metadata",)
    return False


def _is_set_once(old: Manifest, _: Manifest, names: FieldNames) -> bool:
    return value_at(old.data, *names[:2]) is None


def _is_elastic(job: Manifest) -> bool:
    """Whether a Job runs all its pods at once, so that their number may change with that of its completions."""
    return bool(value_at(job.data, "spec", "completions") == value_at(job.data, "spec", "parallelism"))


_ALLOWED: dict[FieldNames, Callable[[Manifest, Manifest, FieldNames], bool]] = {
    ("spec", "completions"): lambda old, new, _: (
        value_at(new.data, "spec", "completionMode") == "Indexed" and all(map(_is_elastic, (old, new)))
    ),
    ("spec", "loadBalancerClass"): lambda old, new, _: (
        {value_at(side.data, "spec", "type") for side in (old, new)} != {"LoadBalancer"}
    ),
    ("spec", "nodeAffinity"): _is_set_once,
    ("spec", "volumeClaimTemplates"): lambda _, __, names: names[2:3] in (("apiVersion",), ("kind",), ("status",)),
    ("spec", "volumeName"): _is_set_once,
}
"""What may change of a field after all, by its path; no two kinds have the same."""
