"""Where an object can be reached from outside of its cluster. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from headgate.objects.kinds import POD_SPECS
from headgate.objects.lookup import list_at, map_at, maps_at, value_at
from headgate.objects.pods import pod_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headgate.objects.manifest import Manifest

_ANY_HOST = "any host"
_OPEN = ("LoadBalancer", "NodePort")


def reach_of(manifest: Manifest) -> frozenset[str]:
    """Return where it can be reached: a type of Service, a port of the node, or host and path of a route."""
    if manifest.kind_name in POD_SPECS:
        return frozenset(_host_ports(manifest))
    rule = _RULES.get(manifest.kind_name)
    spec = manifest.data.get("spec")
    return frozenset(rule(spec)) if rule is not None and isinstance(spec, dict) else frozenset()


def newly_reachable(old: Manifest | None, new: Manifest) -> list[str]:
    """Return the new places where an object can be reached."""
    if old is None:
        return sorted(reach_of(new))
    if new.kind_name == "Service":
        return list(_opened(old, new))
    now = reach_of(new)
    return [*(sorted(now - reach_of(old)) if now else ()), *_unguarded(old, new)]


_SOURCES = ("allowlist-source-range", "inbound-cidrs", "whitelist-source-range")
_GUARDS = {*_SOURCES, "auth-secret", "auth-signin", "auth-tls-secret", "auth-type", "auth-url"}
"""The last parts of the names of annotations that restrict access."""


def _unguarded(old: Manifest, new: Manifest) -> Iterator[str]:
    """Yield the removed guards of a route, and newly allowed sources."""
    if new.kind_name not in ROUTES:
        return
    before, after = (map_at(side.data, "metadata", "annotations") for side in (old, new))
    for name in sorted(key for key in before if isinstance(key, str) and key.rpartition("/")[2] in _GUARDS):
        if name not in after:
            yield f"without {name}"
        elif name.rpartition("/")[2] in _SOURCES:
            known, now = (re.findall(r"[^\s,]+", str(side[name])) for side in (before, after))
            yield from (f"from {source}" for source in now if source not in known)
    if [side.get(_SCHEME) for side in (before, after)] == ["internal", "internet-facing"]:
        yield "from the internet"


_SCHEME = "alb.ingress.kubernetes.io/scheme"


def _service(spec: dict[Any, Any]) -> Iterator[str]:
    if spec.get("type") in _OPEN:
        yield _typed(spec, _sources(spec))
    yield from (f"address {address}" for address in list_at(spec, "externalIPs"))


def _typed(spec: dict[Any, Any], sources: list[str]) -> str:
    return f"Service of type {spec['type']}" + (f" from {', '.join(sources)}" if sources else "")


def _sources(spec: dict[Any, Any]) -> list[str]:
    return [str(source) for source in list_at(spec, "loadBalancerSourceRanges")]


def _opened(old: Manifest, new: Manifest) -> Iterator[str]:
    """Yield the new ways to reach a Service: its type, sources, ports and addresses."""
    before, after = (map_at(side.data, "spec") for side in (old, new))
    kinds = before.get("type"), after.get("type")
    is_open = kinds[0] in _OPEN
    if kinds[1] in _OPEN and (not is_open or (kinds[1] == "LoadBalancer" and kinds[0] == "NodePort")):
        yield _typed(after, _sources(after))
    elif kinds == ("LoadBalancer", "LoadBalancer"):
        sources = _sources(before), _sources(after)
        more = [source for source in sources[1] if source not in sources[0]]
        if sources[0] and (more or not sources[1]):
            yield _typed(after, more)
        elif _is_internal(old) and not _is_internal(new):
            yield f"{_typed(after, sources[1])}, no longer internal"
    known, addresses = (list_at(side, "externalIPs") for side in (before, after))
    if (is_open and kinds[1] in _OPEN) or any(address in known for address in addresses):
        yield from (f"port {port}" for port in _ports(after, "port") if port not in _ports(before, "port"))
    yield from (f"address {address}" for address in addresses if address not in known)


_INTERNAL = {
    "cloud.google.com/load-balancer-type": "internal",
    "networking.gke.io/load-balancer-type": "internal",
    "service.beta.kubernetes.io/aws-load-balancer-internal": "true",
    "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal",
    "service.beta.kubernetes.io/azure-load-balancer-internal": "true",
    "service.beta.kubernetes.io/oci-load-balancer-internal": "true",
    "service.beta.kubernetes.io/openstack-internal-load-balancer": "true",
}
"""Annotations that keep a load balancer within the cloud's own network."""


def _is_internal(service: Manifest) -> bool:
    annotations = map_at(service.data, "metadata", "annotations")
    return any(str(annotations.get(name, "")).lower() == value for name, value in _INTERNAL.items())


def _ports(holder: dict[Any, Any], field: str) -> list[str]:
    return [f"{port[field]}/{port.get('protocol', 'TCP')}" for port in maps_at(holder, "ports") if port.get(field)]


def _host_ports(manifest: Manifest) -> Iterator[str]:
    pod = pod_spec(manifest.data, manifest.kind_name)
    for container in (*maps_at(pod, "containers"), *maps_at(pod, "initContainers")):
        yield from (f"port {port} of the node" for port in _ports(container, "hostPort"))


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


def _listener_route(spec: dict[Any, Any]) -> Iterator[str]:
    yield from (f"listeners of {parent.get('name')}" for parent in maps_at(spec, "parentRefs"))


def _gateway(spec: dict[Any, Any]) -> Iterator[str]:
    for listener in maps_at(spec, "listeners"):
        yield f"{listener.get('hostname') or _ANY_HOST}:{listener.get('port')}"


def _istio_gateway(spec: dict[Any, Any]) -> Iterator[str]:
    for server in maps_at(spec, "servers"):
        yield from (f"{host}:{value_at(server, 'port', 'number')}" for host in list_at(server, "hosts") or [_ANY_HOST])


def _openshift_route(spec: dict[Any, Any]) -> Iterator[str]:
    yield f"{spec.get('host') or _ANY_HOST}{spec.get('path', '/')}"


def _traefik_route(spec: dict[Any, Any]) -> Iterator[str]:
    yield from (str(route.get("match", _ANY_HOST)) for route in maps_at(spec, "routes"))


def _contour_proxy(spec: dict[Any, Any]) -> Iterator[str]:
    host = value_at(spec, "virtualhost", "fqdn")
    if host:
        yield f"{host}/"


_GATEWAY_API = "gateway.networking.k8s.io"
_RULES: dict[str, Callable[[dict[Any, Any]], Iterator[str]]] = {
    f"GRPCRoute.{_GATEWAY_API}": _route,
    f"Gateway.{_GATEWAY_API}": _gateway,
    "Gateway.networking.istio.io": _istio_gateway,
    "HTTPProxy.projectcontour.io": _contour_proxy,
    f"HTTPRoute.{_GATEWAY_API}": _route,
    "Ingress.networking.k8s.io": _ingress,
    "IngressRoute.traefik.io": _traefik_route,
    f"ListenerSet.{_GATEWAY_API}": _gateway,
    "Route.route.openshift.io": _openshift_route,
    "Service": _service,
    f"TCPRoute.{_GATEWAY_API}": _listener_route,
    f"TLSRoute.{_GATEWAY_API}": _route,
    f"UDPRoute.{_GATEWAY_API}": _listener_route,
}

ROUTES = frozenset(_RULES) - {"Service"}
"""Kinds of which every change is one of what is reachable."""
