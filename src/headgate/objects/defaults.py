"""Defaults that an API server fills in within lists, or that depend on other fields. Pure.

Source: defaults.go of each group of https://github.com/kubernetes/kubernetes/tree/v1.37.2/pkg/apis.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

from headgate.objects.lookup import map_at, maps_at
from headgate.objects.quantity import number_in, with_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_RBAC = "rbac.authorization.k8s.io"
_WEBHOOK: dict[str, Any] = {
    "failurePolicy": "Fail",
    "matchPolicy": "Equivalent",
    "namespaceSelector": {},
    "objectSelector": {},
    "timeoutSeconds": 10,
}

AMOUNTS = {
    "LimitRange": ("default", "defaultRequest", "max", "maxLimitRequestRatio", "min"),
    "PersistentVolume": ("capacity",),
    "ResourceQuota": ("hard",),
}
"""Maps of quantities in the spec of a kind, or in its limits; those of containers and claims aside."""


def fill_linked(data: dict[str, Any], kind_name: str) -> None:
    """Fill in what depends on other fields of an object, or stands in its lists; pods aside.

    Quantities of what has no pods get one spelling.
    """
    for place in (map_at(data, "spec"), *maps_at(data, "spec", "limits")):
        for name in AMOUNTS.get(kind_name, ()):
            if isinstance(place.get(name), dict):
                place[name] = with_numbers(place[name])
    fill = _FILLS.get(kind_name)
    if fill is not None:
        fill(data)


def _fill_service(data: dict[str, Any]) -> None:
    spec = map_at(data, "spec")
    for port in maps_at(spec, "ports"):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    if spec.get("type") in ("LoadBalancer", "NodePort"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec.get("type") == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    if spec.get("sessionAffinity") == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {"clientIP": {"timeoutSeconds": 10800}})


def _fill_network_policy(data: dict[str, Any]) -> None:
    spec = map_at(data, "spec")
    for direction in ("ingress", "egress"):
        for rule in maps_at(spec, direction):
            for port in maps_at(rule, "ports"):
                port.setdefault("protocol", "TCP")
    spec.setdefault("policyTypes", ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])


def _fill_job(data: dict[str, Any]) -> None:
    policy = "Failed" if "podFailurePolicy" in map_at(data, "spec") else "TerminatingOrFailed"
    map_at(data, "spec").setdefault("podReplacementPolicy", policy)


def _fill_stateful_set(data: dict[str, Any]) -> None:
    for template in maps_at(data, "spec", "volumeClaimTemplates"):
        template.setdefault("apiVersion", "v1")
        template.setdefault("kind", "PersistentVolumeClaim")
        map_at(template, "spec").setdefault("volumeMode", "Filesystem")


def _fill_binding(data: dict[str, Any]) -> None:
    for subject in maps_at(data, "subjects"):
        subject.setdefault("apiGroup", "" if subject.get("kind") == "ServiceAccount" else _RBAC)


def _fill_ingress_class(data: dict[str, Any]) -> None:
    parameters = map_at(data, "spec", "parameters")
    if parameters:
        parameters.setdefault("scope", "Cluster")


def _fill_webhooks(data: dict[str, Any]) -> None:
    for webhook in maps_at(data, "webhooks"):
        for key, default in _WEBHOOK.items():
            webhook.setdefault(key, default)
        for rule in maps_at(webhook, "rules"):
            rule.setdefault("scope", "*")
        service = map_at(webhook, "clientConfig", "service")
        if service:
            service.setdefault("port", 443)


def _fill_mutating_webhooks(data: dict[str, Any]) -> None:
    _fill_webhooks(data)
    for webhook in maps_at(data, "webhooks"):
        webhook.setdefault("reinvocationPolicy", "Never")


def _fill_autoscaler(data: dict[str, Any]) -> None:
    for metric in maps_at(data, "spec", "metrics"):
        for source in metric.values():
            target = map_at(source, "target")
            for name in _METRIC_AMOUNTS.intersection(target):
                target[name] = number_in(target[name])


_METRIC_AMOUNTS = {"averageValue", "value"}


def _fill_secret(data: dict[str, Any]) -> None:
    """Encode ``stringData``, which overrides ``data``."""
    texts = data.pop("stringData", None)
    if isinstance(texts, dict):
        encoded = {key: b64encode(str(text).encode("utf-8", "replace")).decode() for key, text in texts.items()}
        data["data"] = {**map_at(data, "data"), **encoded}


_FILLS: Mapping[str, Callable[[dict[str, Any]], None]] = {
    f"ClusterRoleBinding.{_RBAC}": _fill_binding,
    "HorizontalPodAutoscaler.autoscaling": _fill_autoscaler,
    "IngressClass.networking.k8s.io": _fill_ingress_class,
    "Job.batch": _fill_job,
    "MutatingWebhookConfiguration.admissionregistration.k8s.io": _fill_mutating_webhooks,
    "NetworkPolicy.networking.k8s.io": _fill_network_policy,
    f"RoleBinding.{_RBAC}": _fill_binding,
    "Secret": _fill_secret,
    "Service": _fill_service,
    "StatefulSet.apps": _fill_stateful_set,
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io": _fill_webhooks,
}


def fill_references(pod: dict[str, Any]) -> None:
    """Fill in what a pod's references to its own fields leave out: in environments, and in files of volumes."""
    for reference in _references(pod):
        if isinstance(reference.get("fieldRef"), dict):
            reference["fieldRef"].setdefault("apiVersion", "v1")
        if isinstance(reference.get("resourceFieldRef"), dict):
            reference["resourceFieldRef"].setdefault("divisor", "0")


def _references(pod: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for field in ("containers", "initContainers"):
        for container in maps_at(pod, field):
            for variable in maps_at(container, "env"):
                yield map_at(variable, "valueFrom")
    for volume in maps_at(pod, "volumes"):
        yield from maps_at(volume, "downwardAPI", "items")
        for source in maps_at(volume, "projected", "sources"):
            yield from maps_at(source, "downwardAPI", "items")
