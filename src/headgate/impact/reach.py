"""Where an object can be reached from outside of its cluster. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
        yield f"Service of type {spec['type']}"
    yield from (f"address {address}" for address in _list(spec.get("externalIPs")))


def _ingress(spec: dict[Any, Any]) -> Iterator[str]:
    if spec.get("defaultBackend"):
        yield _ANY_HOST
    for rule in _list(spec.get("rules")):
        if isinstance(rule, dict):
            http = rule.get("http")
            paths = _list(http.get("paths")) if isinstance(http, dict) else []
            for path in [item.get("path", "/") for item in paths if isinstance(item, dict)] or ["/"]:
                yield f"{rule.get('host') or _ANY_HOST}{path}"


def _route(spec: dict[Any, Any]) -> Iterator[str]:
    hosts = [str(host) for host in _list(spec.get("hostnames"))] or [_ANY_HOST]
    matches = [match for rule in _list(spec.get("rules")) if isinstance(rule, dict) for match in _matches(rule)]
    yield from (f"{host}{path}" for host in hosts for path in dict.fromkeys(matches) or ["/"])


def _matches(rule: dict[Any, Any]) -> Iterator[str]:
    found = [match.get("path") for match in _list(rule.get("matches")) if isinstance(match, dict)]
    yield from (str(path.get("value", "/")) for path in found if isinstance(path, dict))


def _gateway(spec: dict[Any, Any]) -> Iterator[str]:
    for listener in _list(spec.get("listeners")):
        if isinstance(listener, dict):
            yield f"{listener.get('hostname') or _ANY_HOST}:{listener.get('port')}"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


_RULES = {
    "Gateway.gateway.networking.k8s.io": _gateway,
    "GRPCRoute.gateway.networking.k8s.io": _route,
    "HTTPRoute.gateway.networking.k8s.io": _route,
    "Ingress.networking.k8s.io": _ingress,
    "Service": _service,
}
