"""Where an object can be reached from outside of its cluster. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.objects.lookup import list_at, maps_at, value_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.objects.manifest import Manifest

_ANY_HOST = "any host"


def reach_of(manifest: Manifest) -> frozenset[str]:
    """Return where it can be reached: a type of Service, or host and path of a route."""
    rule = _RULES.get(manifest.kind_name)
    spec = manifest.data.get("spec")
    return frozenset(rule(spec)) if rule is not None and isinstance(spec, dict) else frozenset()


def _service(spec: dict[Any, Any]) -> Iterator[str]:
    if spec.get("type") in ("LoadBalancer", "NodePort"):
        sources = ", ".join(str(source) for source in list_at(spec, "loadBalancerSourceRanges"))
        yield f"Service of type {spec['type']}" + (f" from {sources}" if sources else "")
    yield from (f"address {address}" for address in list_at(spec, "externalIPs"))


def _ingress(spec: dict[Any, Any]) -> Iterator[str]:
    if spec.get("defaultBackend"):
        yield _ANY_HOST
    for rule in maps_at(spec, "rules"):
        for path in [item.get("path", "/") for item in maps_at(rule, "http", "paths")] or ["/"]:
            yield f"{rule.get('host') or _ANY_HOST}{path}"


def _route(spec: dict[Any, Any]) -> Iterator[str]:
    hosts = [str(host) for host in list_at(spec, "hostnames")] or [_ANY_HOST]
    found = [value_at(match, "path") for rule in maps_at(spec, "rules") for match in maps_at(rule, "matches")]
    paths = [str(path.get("value", "/")) for path in found if isinstance(path, dict)]
    yield from (f"{host}{path}" for host in hosts for path in dict.fromkeys(paths) or ["/"])


def _gateway(spec: dict[Any, Any]) -> Iterator[str]:
    for listener in maps_at(spec, "listeners"):
        yield f"{listener.get('hostname') or _ANY_HOST}:{listener.get('port')}"


_RULES = {
    "Gateway.gateway.networking.k8s.io": _gateway,
    "GRPCRoute.gateway.networking.k8s.io": _route,
    "HTTPRoute.gateway.networking.k8s.io": _route,
    "Ingress.networking.k8s.io": _ingress,
    "Service": _service,
    "TLSRoute.gateway.networking.k8s.io": _route,
}

ROUTES = frozenset(_RULES) - {"Service"} | {
    "TCPRoute.gateway.networking.k8s.io",
    "UDPRoute.gateway.networking.k8s.io",
}
"""Kinds of which every change is one of what is reachable."""
