"""What is said of a change's effect, next to what a real API server does: it rejects it, or sees no change at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from headgate.impact.effects import find_effects
from headgate.objects import running
from headgate.objects.diff import object_fields
from headgate.objects.running import RunningChange
from support.apiserver import ApiServer, serve_apiserver
from support.trees import one_object
from test_running import ALIKE, OTHER

if TYPE_CHECKING:
    import requests

pytestmark = pytest.mark.long

NAMES = {
    "Deployment": "/apis/apps/v1/namespaces/default/deployments",
    "StatefulSet": "/apis/apps/v1/namespaces/default/statefulsets",
    "DaemonSet": "/apis/apps/v1/namespaces/default/daemonsets",
    "Job": "/apis/batch/v1/namespaces/default/jobs",
    "CronJob": "/apis/batch/v1/namespaces/default/cronjobs",
    "PersistentVolumeClaim": "/api/v1/namespaces/default/persistentvolumeclaims",
    "ConfigMap": "/api/v1/namespaces/default/configmaps",
    "Secret": "/api/v1/namespaces/default/secrets",
    "Service": "/api/v1/namespaces/default/services",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
    "PriorityClass": "/apis/scheduling.k8s.io/v1/priorityclasses",
    "IngressClass": "/apis/networking.k8s.io/v1/ingressclasses",
}
UNPROCESSABLE = 422

MINIMAL = list(yaml.safe_load_all((Path(__file__).parent / "verdicts/minimal.yaml").read_text()))
OWN_BUSINESS = {
    *("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "nodePort", "status"),
    *("Job.spec.selector", "Job.spec.template.metadata"),
    "CronJob.spec.jobTemplate.metadata",  # empty
    "CSIDriver.spec.preventPodSchedulingIfMissing",  # not in all versions
}
"""What a server chooses for each object, by name or path, and what is not worth a default."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with serve_apiserver(tmp_path_factory.mktemp("apiserver")) as cluster:
        yield cluster


def made(kind: str, name: str, rest: dict[str, Any]) -> dict[str, Any]:
    prefix = (
        NAMES[kind].partition("/namespaces/")[0] if "/namespaces/" in NAMES[kind] else NAMES[kind].rpartition("/")[0]
    )
    api = prefix.removeprefix("/apis/").removeprefix("/api/")
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **rest}


def pods(container: dict[str, Any], **spec: Any) -> dict[str, Any]:
    labels = {"app": "x"}
    pod = {"containers": [{"name": "web", "image": "a:1", **container}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {"spec": {"selector": {"matchLabels": labels}, "template": template, **spec}}


def job(image: str, **spec: Any) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "web", "image": image}]}
    return {"template": {"spec": pod}, **spec}


def claim(storage_class: str) -> dict[str, Any]:
    resources = {"requests": {"storage": "1Gi"}}
    return {"spec": {"accessModes": ["ReadWriteOnce"], "resources": resources, "storageClassName": storage_class}}


def role(name: str) -> dict[str, Any]:
    return {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}}


def applied(server: ApiServer, data: dict[str, Any]) -> requests.Response:
    """Apply an object as Flux does, on the server's side."""
    return server.session.patch(
        f"{server.url}{NAMES[data['kind']]}/{data['metadata']['name']}",
        params={"fieldManager": "test", "force": "true"},
        data=yaml.safe_dump(data).encode(),
        headers={"Content-Type": "application/apply-patch+yaml"},
        timeout=60,
    )


PORTS = [{"port": 80}]
CHANGES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "selector": ("Deployment", pods({}), {"spec": {**pods({})["spec"], "selector": {"matchLabels": {"app": "other"}}}}),
    "image": ("Deployment", pods({}), pods({"image": "a:2"})),
    "daemon set": ("DaemonSet", pods({}), pods({"image": "a:2"})),
    "service name": ("StatefulSet", pods({}, serviceName="a"), pods({}, serviceName="b")),
    "pod management": (
        "StatefulSet",
        pods({}, podManagementPolicy="Parallel"),
        pods({}, podManagementPolicy="OrderedReady"),
    ),
    "stateful image": ("StatefulSet", pods({}), pods({"image": "a:2"})),
    "stateful history": ("StatefulSet", pods({}), pods({}, revisionHistoryLimit=3)),
    "job image": ("Job", {"spec": job("a:1")}, {"spec": job("a:2")}),
    "job parallelism": ("Job", {"spec": job("a:1")}, {"spec": job("a:1", parallelism=2)}),
    "cron job image": (
        "CronJob",
        {"spec": {"schedule": "0 0 * * *", "jobTemplate": {"spec": job("a:1")}}},
        {"spec": {"schedule": "0 0 * * *", "jobTemplate": {"spec": job("a:2")}}},
    ),
    "storage class of a claim": ("PersistentVolumeClaim", claim("a"), claim("b")),
    "immutable map": ("ConfigMap", {"immutable": True, "data": {"a": "1"}}, {"immutable": True, "data": {"a": "2"}}),
    "mutable map": ("ConfigMap", {"data": {"a": "1"}}, {"data": {"a": "2"}}),
    "map becomes mutable": ("ConfigMap", {"immutable": True}, {"immutable": False}),
    "secret type": ("Secret", {"type": "Opaque"}, {"type": "example.com/x"}),
    "cluster ip": (
        "Service",
        {"spec": {"ports": PORTS, "clusterIP": "10.96.0.77"}},
        {"spec": {"ports": PORTS, "clusterIP": "10.96.0.78"}},
    ),
    "service type": ("Service", {"spec": {"ports": PORTS}}, {"spec": {"ports": PORTS, "type": "NodePort"}}),
    "role": ("RoleBinding", role("a"), role("b")),
    "storage": (
        "StorageClass",
        {"provisioner": "example.com/a", "parameters": {"a": "1"}},
        {"provisioner": "example.com/a", "parameters": {"a": "2"}},
    ),
    "expansion": (
        "StorageClass",
        {"provisioner": "example.com/a", "allowVolumeExpansion": False},
        {"provisioner": "example.com/a", "allowVolumeExpansion": True},
    ),
    "priority": ("PriorityClass", {"value": 1}, {"value": 2}),
    "controller": (
        "IngressClass",
        {"spec": {"controller": "example.com/a"}},
        {"spec": {"controller": "example.com/b"}},
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_rejected(server: ApiServer, name: str) -> None:
    kind, old, new = CHANGES[name]
    sides = [made(kind, name.replace(" ", "-"), rest) for rest in (old, new)]
    first = applied(server, sides[0])
    assert first.ok, first.text
    second = applied(server, sides[1])
    assert second.ok or second.status_code == UNPROCESSABLE, second.text
    kinds = [effect.kind for effect in find_effects(*(one_object(yaml.safe_dump(side)) for side in sides))]
    assert ("rejected" in kinds) == (not second.ok), second.text


def compared(server: ApiServer, sides: list[dict[str, Any]]) -> tuple[bool, bool]:
    """Return whether a server sees no change in what runs, and whether that is what is said."""
    answers = [applied(server, side) for side in sides]
    assert all(answer.ok for answer in answers), [answer.text for answer in answers]
    first, second = (answer.json()["metadata"]["generation"] for answer in answers)
    fields = list(object_fields(RunningChange(*(one_object(yaml.safe_dump(side)) for side in sides))))
    assert fields
    return first == second, all(field.runs_alike for field in fields)


@pytest.mark.parametrize("name", [*(f"alike {name}" for name in ALIKE), *(f"other {name}" for name in OTHER)])
def test_what_runs_alike(server: ApiServer, name: str) -> None:
    word, _, case = name.partition(" ")
    texts = (ALIKE if word == "alike" else OTHER)[case]
    containers = [yaml.safe_load(f"{{{text}}}") for text in texts]
    is_alike, is_said = compared(server, [made("Deployment", name.replace(" ", "-"), pods(one)) for one in containers])
    assert is_said == is_alike


VOLUMES: list[dict[str, Any]] = [
    {"secret": {"secretName": "a"}},
    {"configMap": {"name": "a"}},
    {"projected": {"sources": [{"configMap": {"name": "a"}}]}},
    {"downwardAPI": {"items": []}},
]
MODES = [
    ({"volumes": [{"name": "v", **volume}]}, {"volumes": [{"name": "v", key: {**volume[key], "defaultMode": 420}}]})
    for volume in VOLUMES
    for key in volume
]
IN_PODS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    *(({}, {name: value}) for name, value in running._POD.items()),
    *(({}, {name: False}) for name in ("hostIPC", "hostNetwork", "hostPID")),
    ({"serviceAccountName": "a"}, {"serviceAccountName": "a", "serviceAccount": "a"}),
    ({}, {"enableServiceLinks": True}),
    ({}, {"enableServiceLinks": False}),
    *MODES,
    (
        {"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}]},
        {"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1024Mi"}}]},
    ),
]


@pytest.mark.parametrize("place", range(len(IN_PODS)))
def test_what_runs_alike_in_pods(server: ApiServer, place: int) -> None:
    sides = [made("Deployment", f"pod-{place}", pods({})) for _ in IN_PODS[place]]
    for side, extra in zip(sides, IN_PODS[place], strict=True):
        side["spec"]["template"]["spec"] |= extra
    is_alike, is_said = compared(server, sides)
    assert is_said == is_alike


IN_CONTAINERS = [(name, value) for name, value in running._CONTAINER.items()]


@pytest.mark.parametrize(("field", "value"), IN_CONTAINERS)
def test_what_runs_alike_in_containers(server: ApiServer, field: str, value: Any) -> None:
    sides = [made("Deployment", f"container-{field.lower()}", pods(extra)) for extra in ({}, {field: value})]
    is_alike, is_said = compared(server, sides)
    assert is_said == is_alike


IN_SPECS = [
    (kind.partition(".")[0], field)
    for kind, defaults in running._SPECS.items()
    for field in defaults
    if kind.partition(".")[0] in ("CronJob", "DaemonSet", "Deployment", "Job", "StatefulSet")
]


@pytest.mark.parametrize(("kind", "field"), IN_SPECS)
def test_what_runs_alike_in_workloads(server: ApiServer, kind: str, field: str) -> None:
    value = next(defaults[field] for name, defaults in running._SPECS.items() if name.partition(".")[0] == kind)
    whole = {
        "CronJob": {"spec": {"schedule": "0 0 * * *", "jobTemplate": {"spec": job("a:1")}}},
        "Job": {"spec": job("a:1")},
        "StatefulSet": pods({}, serviceName="a"),
    }.get(kind, pods({}))
    sides = [
        made(kind, f"spec-{field.lower()}", {"spec": {**whole["spec"], **extra}}) for extra in ({}, {field: value})
    ]
    is_alike, is_said = compared(server, sides)
    assert is_said == is_alike


def filled_in(text: Any, stored: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield the fields that a server filled in, outermost first, with their values."""
    if isinstance(text, dict) and isinstance(stored, dict):
        for name, value in stored.items():
            dotted = ".".join(str(step) for step in (*path, name) if isinstance(step, str))
            if name in OWN_BUSINESS or dotted in OWN_BUSINESS:
                continue
            if name in text:
                yield from filled_in(text[name], value, (*path, name))
            else:
                yield (*path, name), value
    elif isinstance(text, list) and isinstance(stored, list):
        for number, (item, value) in enumerate(zip(text, stored, strict=True)):
            yield from filled_in(item, value, (*path, number))


@pytest.mark.parametrize("data", MINIMAL, ids=lambda data: f"{data['kind']} {data['metadata']['name']}")
def test_what_a_server_fills_in_runs_alike_when_it_is_written(server: ApiServer, data: dict[str, Any]) -> None:
    stored = json.loads(
        server.kubectl("create", "--dry-run=server", "--output=json", "--filename=-", stdin=yaml.safe_dump(data))
    )
    body = {name: value for name, value in stored.items() if name != "metadata"}
    found = list(filled_in({**data, "metadata": {}}, body, (data["kind"],)))
    other = {}
    for (_, *path, name), value in found:
        written = deepcopy(data)
        place: Any = written
        for step in path:
            place = place[step]
        place[name] = value
        effects = find_effects(one_object(yaml.safe_dump(data)), one_object(yaml.safe_dump(written)))
        if [effect.kind for effect in effects] != ["nothing"]:
            other[".".join(map(str, (*path, name)))] = value
    assert other == {}
