"""An object as a cluster runs it: quantities as numbers, defaults filled in, nulls left out. Pure.

Two objects with an equal running form run alike, however they are written. The defaults are those of
https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/apis/core/v1/defaults.go and its neighbours in apps, batch and
autoscaling. What is not here is compared as it is written, so that a difference is never overlooked.
"""

from __future__ import annotations

from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

from headgate.objects.defaults import AMOUNTS, fill_linked, fill_references
from headgate.objects.edits import At, find_edits, same
from headgate.objects.kinds import KUBERNETES, POD_SPECS
from headgate.objects.lookup import map_at, maps_at, value_at, without_nulls
from headgate.objects.pods import leave_out_empty, pod_spec
from headgate.objects.quantity import number_in, with_numbers
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.objects.edits import AnyEdit
    from headgate.objects.manifest import Manifest

_POD = {
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "terminationGracePeriodSeconds": 30,
}
_CONTAINER = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_PROBE = {"failureThreshold": 3, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1}
_HANDLERS = {"grpc": {"service": ""}, "httpGet": {"path": "/", "scheme": "HTTP"}}
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_MODES = ("configMap", "downwardAPI", "projected", "secret")
_ROLLING = {"maxSurge": "25%", "maxUnavailable": "25%"}
_SPECS: dict[str, dict[str, Any]] = {
    "CronJob.batch": {
        "concurrencyPolicy": "Allow",
        "failedJobsHistoryLimit": 1,
        "successfulJobsHistoryLimit": 3,
        "suspend": False,
    },
    "CSIDriver.storage.k8s.io": {
        "attachRequired": True,
        "fsGroupPolicy": "ReadWriteOnceWithFSType",
        "podInfoOnMount": False,
        "requiresRepublish": False,
        "seLinuxMount": False,
        "storageCapacity": False,
        "volumeLifecycleModes": ["Persistent"],
    },
    "DaemonSet.apps": {
        "revisionHistoryLimit": 10,
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
    },
    "Deployment.apps": {
        "progressDeadlineSeconds": 600,
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": _ROLLING},
    },
    "HorizontalPodAutoscaler.autoscaling": {"minReplicas": 1},
    "Job.batch": {
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "completions": 1,
        "manualSelector": False,
        "parallelism": 1,
        "suspend": False,
    },
    "PersistentVolume": {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"},
    "PersistentVolumeClaim": {"volumeMode": "Filesystem"},
    "ReplicaSet.apps": {"replicas": 1},
    "Service": {"internalTrafficPolicy": "Cluster", "sessionAffinity": "None", "type": "ClusterIP"},
    "StatefulSet.apps": {
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        "podManagementPolicy": "OrderedReady",
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "partition": 0}},
    },
}

_RBAC = "rbac.authorization.k8s.io"
_WHOLE: dict[str, dict[str, Any]] = {
    f"ClusterRoleBinding.{_RBAC}": {"roleRef": {"apiGroup": _RBAC}},
    "PriorityClass.scheduling.k8s.io": {"globalDefault": False, "preemptionPolicy": "PreemptLowerPriority"},
    f"RoleBinding.{_RBAC}": {"roleRef": {"apiGroup": _RBAC}},
    "Secret": {"type": "Opaque"},
    "StorageClass.storage.k8s.io": {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"},
}
"""Defaults outside of ``spec``."""


def running_form(manifest: Manifest) -> dict[str, Any]:
    """Return an object as a cluster runs it. One of a kind that is not Kubernetes' own stays as it is written."""
    if manifest.kind_name not in KUBERNETES:
        return manifest.data
    # All is copied, so that it may be filled in place.
    data: dict[str, Any] = {
        key: _with_numbers(item) if key == "spec" else without_nulls(item)
        for key, item in manifest.data.items()
        if item is not None
    }
    if manifest.kind_name in _WHOLE:
        data = _filled(data, _WHOLE[manifest.kind_name])
    spec = data.get("spec")
    if isinstance(spec, dict):
        data["spec"] = spec = _filled(spec, _SPECS.get(manifest.kind_name, {}))
    fill_linked(data, manifest.kind_name)
    if manifest.kind_name in POD_SPECS:
        _fill_pod(pod_spec(data, manifest.kind_name))
        leave_out_empty(map_at(data, *template_path(manifest.kind_name)))
    return data


@frozen_record(kw_only=False, eq=False)
class RunningChange:
    """An object before and after, as a cluster runs it, and what differs then; each worked out once."""

    old: Manifest
    new: Manifest

    @cached_property
    def before(self) -> dict[str, Any]:
        """The running form before."""
        return running_form(self.old)

    @cached_property
    def after(self) -> dict[str, Any]:
        """The running form after."""
        return running_form(self.new)

    @cached_property
    def edits(self) -> tuple[AnyEdit, ...]:
        """What runs differently."""
        is_own_kind = self.old.kind_name in KUBERNETES or self.new.kind_name in KUBERNETES
        if not is_own_kind or all(map(_runs_as_written, self.written)):
            return self.written
        return tuple(find_edits(self.before, self.after, self.new.kind_name))

    @cached_property
    def written(self) -> tuple[AnyEdit, ...]:
        """What is written differently."""
        return tuple(find_edits(self.old.data, self.new.data, self.new.kind_name))

    def touches(self, *path: str) -> bool:
        """Whether what is at a place of the object runs differently."""
        return any(
            edit.path[: len(path)] == path
            or (path[: len(edit.path)] == edit.path and _differs_at(edit, path[len(edit.path) :]))
            for edit in self.edits
        )


def _differs_at(edit: AnyEdit, path: Sequence[str]) -> bool:
    return not same(value_at(edit.old, *path), value_at(edit.new, *path))


_DECIDE_OTHERS = {"type", "port", "serviceAccountName", "sizeLimit"}
"""Fields by which the running form of their neighbours goes, or which have one of their own."""
_AMOUNTS = {"limits", "requests", *chain.from_iterable(AMOUNTS.values())}
"""Maps of quantities."""


def _runs_as_written(edit: AnyEdit) -> bool:
    """Whether the same edit, and no other, leads from one running form to the other.

    So it is for one scalar in the place of another: both are written out, so no default takes their place.
    """
    if type(edit.old) not in _SCALARS or type(edit.new) not in _SCALARS or not edit.path:
        return False
    name, above = edit.path[-1], edit.path[-2:-1]
    if name == "image":
        return _pull_policy(str(edit.old)) == _pull_policy(str(edit.new))
    is_plain = name not in _DECIDE_OTHERS and not _AMOUNTS.intersection(above)
    return is_plain and not any(type(step) is At for step in edit.path)


_SCALARS = frozenset({str, int, float, bool})


def template_path(kind_name: str) -> tuple[str, ...]:
    """Return the place of what holds the pod spec within an object, with the pods' own labels and annotations."""
    return tuple(POD_SPECS[kind_name].split(".")[:-1])


def _filled(value: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    result = {**defaults, **value}
    for key, default in defaults.items():
        if isinstance(default, dict) and isinstance(value.get(key), dict):
            is_other = "type" in default and value[key].get("type", default["type"]) != default["type"]
            result[key] = value[key] if is_other else _filled(value[key], default)
    return result


_QUANTITIES = ("requests", "limits")


def _with_numbers(value: Any) -> Any:
    """Copy a value without nulls, the quantities below ``resources`` of pods, containers and claims as numbers."""
    if isinstance(value, dict):
        copy = {
            key: _with_numbers(item) if isinstance(item, (dict, list)) else item
            for key, item in value.items()
            if item is not None
        }
        resources = copy.get("resources")
        if isinstance(resources, dict):
            for name in _QUANTITIES:
                if isinstance(resources.get(name), dict):
                    resources[name] = with_numbers(resources[name])
        return copy
    return [_with_numbers(item) for item in value] if isinstance(value, list) else value


def _fill_pod(pod: dict[str, Any]) -> None:
    for key, default in _POD.items():
        pod.setdefault(key, default)
    for name in ("hostIPC", "hostNetwork", "hostPID"):
        pod.setdefault(name, False)
    if "serviceAccountName" in pod:
        pod.setdefault("serviceAccount", pod["serviceAccountName"])
    for field in ("containers", "initContainers"):
        for container in maps_at(pod, field):
            _fill_container(container)
    for volume in maps_at(pod, "volumes"):
        _fill_volume(volume)
    fill_references(pod)


def _fill_container(container: dict[str, Any]) -> None:
    for key, default in _CONTAINER.items():
        container.setdefault(key, default)
    container.setdefault("imagePullPolicy", _pull_policy(str(container.get("image", ""))))
    for port in maps_at(container, "ports"):
        port.setdefault("protocol", "TCP")
    for variable in maps_at(container, "env"):
        if "valueFrom" not in variable:
            variable.setdefault("value", "")
    for mount in maps_at(container, "volumeMounts"):
        mount.setdefault("readOnly", False)
    for name in _PROBES:
        if isinstance(container.get(name), dict):
            container[name] = probe = _filled(container[name], _PROBE)
            _fill_handler(probe)
    for handler in map_at(container, "lifecycle").values():
        if isinstance(handler, dict):
            _fill_handler(handler)


def _fill_handler(handler: dict[str, Any]) -> None:
    for name, defaults in _HANDLERS.items():
        if isinstance(handler.get(name), dict):
            handler[name] = _filled(handler[name], defaults)


def _pull_policy(image: str) -> str:
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return "Always" if not digest and tag in ("", "latest") else "IfNotPresent"


def _fill_volume(volume: dict[str, Any]) -> None:
    for name in _MODES:
        if isinstance(volume.get(name), dict):
            volume[name].setdefault("defaultMode", 0o644)
    if isinstance(volume.get("hostPath"), dict):
        volume["hostPath"].setdefault("type", "")
    claim = map_at(volume, "ephemeral", "volumeClaimTemplate", "spec")
    if claim:
        claim.setdefault("volumeMode", "Filesystem")
    if volume.keys() <= {"name"}:
        volume["emptyDir"] = {}
    empty = volume.get("emptyDir")
    if isinstance(empty, dict) and "sizeLimit" in empty:
        empty["sizeLimit"] = number_in(empty["sizeLimit"])
