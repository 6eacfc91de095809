"""Risks in a change of an object that a reviewer must not overlook: few rules, all reliable. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from headgate.impact.marks import is_pruned
from headgate.impact.reach import ROUTES, newly_reachable
from headgate.objects.images import canonical_repository, find_reference, uses
from headgate.objects.lookup import list_at, map_at, maps_at, value_at
from headgate.objects.pods import pod_specs
from headgate.records import frozen_record
from headgate.releases.version_order import by_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from headgate.impact.effects import Effect, EffectKind
    from headgate.model import RiskFlag
    from headgate.objects.images import Reference
    from headgate.objects.manifest import Manifest

    Side = Manifest | None


@frozen_record(kw_only=False)
class Risk:
    """One risk: the flag that headgate.yaml knows it by, and words that follow the object's name."""

    flag: RiskFlag
    text: str

    def __str__(self) -> str:
        """Return it in words."""
        return self.text


_REMOVED_WITH = {
    "Namespace": "with everything in it",
    "PersistentVolumeClaim": "with its data unless that is retained",
    "PersistentVolume": "with its data unless that is retained",
    "StatefulSet.apps": "which holds data",
    "CustomResourceDefinition.apiextensions.k8s.io": "with all objects of that kind",
    "HelmRelease.helm.toolkit.fluxcd.io": "with all that its chart installed",
    "Kustomization.kustomize.toolkit.fluxcd.io": "with all that it applied, if it prunes that",
}
"""What the removal of an object of a kind removes too."""

_GUARDED_GROUPS: dict[str, tuple[RiskFlag, str]] = {
    "rbac.authorization.k8s.io": ("rbac", "permissions in the cluster (RBAC)"),
    "admissionregistration.k8s.io": ("admission", "admission rules (webhook or policy)"),
    "apiextensions.k8s.io": ("crd", "a kind of object (CRD)"),
}
"""API groups in which every change is a risk: its flag, and what it affects."""


def find_risks(old: Side, new: Side, workloads: Mapping[str, str]) -> list[Risk]:
    """Return the risks of one object's change, without its name. None stands for an object that does not exist.

    ``workloads`` says where custom resources run images (`images.uses`).
    """
    return list(dict.fromkeys(risk for rule in _RULES for risk in rule(old, new, workloads)))


_STANDING: tuple[RiskFlag, ...] = ("privileged", "host-namespaces", "host-path", "unpinned-image")
"""Flags that say something of an object as it stands, and not only of its change."""


def standing_flags(found: Iterable[Manifest], workloads: Mapping[str, str]) -> tuple[RiskFlag, ...]:
    """Return the flags of objects as they stand, worst first."""
    rules = (_images, _node_access_added)
    flags = {risk.flag for manifest in found for rule in rules for risk in rule(None, manifest, workloads)}
    return tuple(flag for flag in _STANDING if flag in flags)


def _removed(old: Side, new: Side, _: Mapping[str, str]) -> Iterator[Risk]:
    if old is not None and new is None:
        also = _REMOVED_WITH.get(old.kind_name) if is_pruned(old) else "but stays in the cluster"
        yield Risk("removed", f"is removed, {also}" if also else "is removed")


def _guarded(old: Side, new: Side, _: Mapping[str, str]) -> Iterator[Risk]:
    group = new.group if new else ""
    if group in _GUARDED_GROUPS:
        flag, words = _GUARDED_GROUPS[group]
        yield Risk(flag, f"{'changes' if old else 'adds'} {words}")


def _scaled_to_none(old: Side, new: Side, _: Mapping[str, str]) -> Iterator[Risk]:
    path = ("spec", "replicas")
    if old and new and value_at(new.data, *path) == 0 and value_at(old.data, *path) != 0:
        yield Risk("scaled-to-zero", "is scaled to zero")


def _images(old: Side, new: Side, workloads: Mapping[str, str]) -> Iterator[Risk]:
    now = _used(new, workloads)
    known = _used(old, workloads) if now else []
    before = _tags(known)
    for image in now:
        if not image.digest and image not in known:
            yield Risk("unpinned-image", "runs an image that is not pinned by digest")
        tag = before.get(canonical_repository(image.repository), "")
        if tag and image.tag and by_version(image.tag, tag).order == "older":
            yield Risk("older-image", f"goes back from version {tag} to {image.tag}")


def _used(side: Side, workloads: Mapping[str, str]) -> list[Reference]:
    found = [find_reference(str(use.text)) for use in uses(side, workloads)] if side else []
    return [image for image in found if image is not None]


def _tags(images: Iterable[Reference]) -> dict[str, str]:
    """Return the tag of each repository that is used with a single tag."""
    tags: dict[str, set[str]] = {}
    for image in images:
        tags.setdefault(canonical_repository(image.repository), set()).add(image.tag)
    return {repository: next(iter(used)) for repository, used in tags.items() if len(used) == 1}


def _node_access_added(old: Side, new: Side, _: Mapping[str, str]) -> Iterator[Risk]:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline."""
    now = list(_node_access(new))
    before = set(_node_access(old)) if now else set()
    yield from (risk for risk, which in now if (risk, which) not in before)


def _node_access(side: Side) -> Iterator[tuple[Risk, str | int]]:
    """Yield each access to the node with its detail: the folder, or the number of the container."""
    if side is None:
        return
    for pod in pod_specs(side.data, side.kind_name):
        yield from _node_access_of(pod)
    if side.kind_name == "PersistentVolume" and "hostPath" in map_at(side.data, "spec"):
        path = value_at(side.data, "spec", "hostPath", "path")
        yield Risk("host-path", "is a folder of the node (hostPath)"), str(path)


def _node_access_of(pod: Mapping[str, Any]) -> Iterator[tuple[Risk, str | int]]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field) is True:
            yield Risk("host-namespaces", f"shares the node's {field.removeprefix('host')} ({field})"), 0
    for volume in maps_at(pod, "volumes"):
        if "hostPath" in volume:
            yield Risk("host-path", "mounts folders of the node (hostPath)"), str(value_at(volume, "hostPath", "path"))
    contexts = [map_at(pod, "securityContext")]
    for containers in ("containers", "initContainers", "ephemeralContainers"):
        contexts += [map_at(container, "securityContext") for container in maps_at(pod, containers)]
    numbers: Counter[Risk] = Counter()
    for risk in (found for context in contexts for found in _as_root(context)):
        yield risk, numbers[risk]
        numbers[risk] += 1


def _as_root(context: Mapping[str, Any]) -> Iterator[Risk]:
    """Yield the settings that make a container root on the node."""
    if context.get("privileged") is True:
        yield Risk("privileged", "runs a privileged container")
    if value_at(context, "windowsOptions", "hostProcess") is True:
        yield Risk("privileged", "runs a container as a process of the node (hostProcess)")
    for capability in list_at(context, "capabilities", "add"):
        if str(capability).upper().removeprefix("CAP_") in _AS_ROOT:
            yield Risk("privileged", f"gives a container the capability {capability}")


_AS_ROOT = {"ALL", "SYS_ADMIN"}
"""Capabilities that are as good as `privileged`."""


def _exposed(old: Side, new: Side, _: Mapping[str, str]) -> Iterator[Risk]:
    if new is None:
        return
    if new.kind_name == "Service":
        yield from _exposed_service(old, new)
    elif new.kind_name in ROUTES:
        if not old or old.data.get("spec") != new.data.get("spec") or newly_reachable(old, new):
            yield Risk("exposed", "changes what is reachable from outside" if old else "is reachable from outside")
    elif more := newly_reachable(old, new):
        yield Risk("exposed", f"becomes reachable: {', '.join(more)}")


def _exposed_service(old: Side, new: Manifest) -> Iterator[Risk]:
    before = value_at(old.data, "spec", "type") if old else None
    now = value_at(new.data, "spec", "type")
    if before != now and any(reachable in (before, now) for reachable in ("LoadBalancer", "NodePort")):
        was = f", no longer {before or _DEFAULT_TYPE}" if old else ""
        yield Risk("exposed", f"is of type {now or _DEFAULT_TYPE}{was}")
    known = list_at(old.data, "spec", "externalIPs") if old else []
    if any(address not in known for address in list_at(new.data, "spec", "externalIPs")):
        yield Risk("exposed", "is reachable by other addresses (externalIPs)")
    elif before == now and (more := newly_reachable(old, new)):
        yield Risk("exposed", f"becomes reachable: {', '.join(more)}")


_DEFAULT_TYPE = "ClusterIP"


_RULES: tuple[Callable[[Side, Side, Mapping[str, str]], Iterator[Risk]], ...] = (
    _removed,
    _guarded,
    _scaled_to_none,
    _images,
    _node_access_added,
    _exposed,
)


_SAID_BY: dict[RiskFlag, tuple[EffectKind, ...]] = {
    "removed": ("removed", "data", "stays"),
    "exposed": ("exposes",),
    "scaled-to-zero": ("scales",),
}


def unsaid(risks: Iterable[Risk], effects: Iterable[Effect]) -> list[Risk]:
    """Return the risks of a change that none of its effects expresses."""
    said = {effect.kind for effect in effects}
    return [risk for risk in risks if said.isdisjoint(_SAID_BY.get(risk.flag, ()))]
