"""What matters in an object that is added: images, ports, hosts, rules, roles. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.impact.reach import reach_of
from headgate.objects.images import uses
from headgate.objects.running import pod_spec

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
    pod = pod_spec(manifest.data, manifest.kind_name) or {}
    holders = [*_maps(pod.get("containers")), *([_spec(manifest.data)] if manifest.kind_name == "Service" else [])]
    for holder in holders:
        for port in _maps(holder.get("ports")):
            yield f"port {port.get('containerPort', port.get('port'))}/{port.get('protocol', 'TCP')}"


def _workload(data: Mapping[str, Any]) -> Iterator[str]:
    if "replicas" in _spec(data):
        yield f"{_spec(data)['replicas']} replicas"


def _cron(data: Mapping[str, Any]) -> Iterator[str]:
    yield f"runs at {_spec(data).get('schedule')}"


def _role(data: Mapping[str, Any]) -> Iterator[str]:
    for rule in _maps(data.get("rules")):
        what = rule.get("resources") or rule.get("nonResourceURLs")
        yield f"may {_words(rule.get('verbs'))} {_words(what)}"


def _binding(data: Mapping[str, Any]) -> Iterator[str]:
    role = data.get("roleRef")
    subjects = ", ".join(f"{subject.get('kind')} {subject.get('name')}" for subject in _maps(data.get("subjects")))
    if isinstance(role, dict):
        yield f"gives {role.get('kind')} {role.get('name')} to {subjects or 'nobody'}"


def _claim(data: Mapping[str, Any]) -> Iterator[str]:
    requests = _spec(data).get("resources", {})
    sizes = requests.get("requests") if isinstance(requests, dict) else None
    if isinstance(sizes, dict):
        yield f"storage {sizes.get('storage')}"


def _policy(data: Mapping[str, Any]) -> Iterator[str]:
    for name in ("ingress", "egress"):
        if name in _spec(data):
            yield f"{name}: {len(_maps(_spec(data)[name])) or 'no'} rules"


def _spec(data: Mapping[str, Any]) -> dict[Any, Any]:
    spec = data.get("spec")
    return spec if isinstance(spec, dict) else {}


def _words(value: Any) -> str:
    words = [str(word) for word in value] if isinstance(value, list) else []
    return ", ".join("everything" if word == "*" else word for word in words) or "nothing"


def _maps(value: Any) -> list[dict[Any, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


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
