"""The key fields of an added object: images, ports, hosts, rules, roles. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.impact.reach import reach_of
from headgate.objects.images import uses
from headgate.objects.lookup import list_at, map_at, maps_at, value_at
from headgate.objects.pods import pod_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from headgate.objects.manifest import Manifest

_MAX_RULES = 10


def highlights(manifest: Manifest, workloads: Mapping[str, str]) -> tuple[str, ...]:
    """Return what matters in an added object, each in a line: ``image registry.example.com/web:1.0``.

    Values of ConfigMaps and Secrets are never among it. ``workloads`` says where custom resources run images.
    """
    found = [f"image {use.text}" for use in uses(manifest, workloads)]
    found += list(_ports(manifest))
    found += [f"reachable as {place}" for place in sorted(reach_of(manifest))]
    rule = _RULES.get(manifest.kind_name)
    found += list(rule(manifest.data)) if rule is not None else []
    lines = tuple(dict.fromkeys(found))
    more = len(lines) - _MAX_RULES
    return (*lines[:_MAX_RULES], f"and {more} more") if more > 0 else lines


def _ports(manifest: Manifest) -> Iterator[str]:
    holders = maps_at(pod_spec(manifest.data, manifest.kind_name), "containers")
    holders += [map_at(manifest.data, "spec")] if manifest.kind_name == "Service" else []
    for holder in holders:
        for port in maps_at(holder, "ports"):
            yield f"port {port.get('containerPort', port.get('port'))}/{port.get('protocol', 'TCP')}"


def _workload(data: Mapping[str, Any]) -> Iterator[str]:
    spec = map_at(data, "spec")
    if "replicas" in spec:
        yield f"{spec['replicas']} replicas"


def _cron(data: Mapping[str, Any]) -> Iterator[str]:
    yield f"runs at {value_at(data, 'spec', 'schedule')}"


def _role(data: Mapping[str, Any]) -> Iterator[str]:
    for rule in maps_at(data, "rules"):
        what = "resources" if rule.get("resources") else "nonResourceURLs"
        yield f"may {_words(list_at(rule, 'verbs'))} {_words(list_at(rule, what))}"


def _binding(data: Mapping[str, Any]) -> Iterator[str]:
    role = value_at(data, "roleRef")
    subjects = ", ".join(f"{subject.get('kind')} {subject.get('name')}" for subject in maps_at(data, "subjects"))
    if isinstance(role, dict):
        yield f"gives {role.get('kind')} {role.get('name')} to {subjects or 'nobody'}"


def _claim(data: Mapping[str, Any]) -> Iterator[str]:
    sizes = value_at(data, "spec", "resources", "requests")
    if isinstance(sizes, dict):
        yield f"storage {sizes.get('storage')}"


def _policy(data: Mapping[str, Any]) -> Iterator[str]:
    for name in ("ingress", "egress"):
        if name in map_at(data, "spec"):
            yield f"{name}: {len(maps_at(data, 'spec', name)) or 'no'} rules"


def _words(words: list[Any]) -> str:
    return ", ".join("everything" if word == "*" else str(word) for word in words) or "nothing"


_RULES: dict[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "ClusterRole.rbac.authorization.k8s.io": _role,
    "ClusterRoleBinding.rbac.authorization.k8s.io": _binding,
    "CronJob.batch": _cron,
    "Deployment.apps": _workload,
    "NetworkPolicy.networking.k8s.io": _policy,
    "PersistentVolumeClaim": _claim,
    "Role.rbac.authorization.k8s.io": _role,
    "RoleBinding.rbac.authorization.k8s.io": _binding,
    "StatefulSet.apps": _workload,
}
