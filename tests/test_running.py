"""What runs alike is no change that runs; what runs otherwise is one, however small."""

from __future__ import annotations

import pytest

from headgate.objects.diff import Field, object_fields
from headgate.objects.generated import paired_by_stem, without_hashes
from headgate.objects.quantity import parse_quantity
from headgate.objects.running import RunningChange, running_form
from support.trees import one_object


def deployment(container: str, spec: str = "", kind: str = "Deployment", api: str = "apps/v1") -> str:
    return (
        f"apiVersion: {api}\nkind: {kind}\nmetadata: {{name: web}}\n"
        f"spec: {{{spec}template: {{spec: {{containers: [{{name: web, {container}}}]}}}}}}\n"
    )


def differing(old: str, new: str) -> list[Field]:
    return list(object_fields(RunningChange(one_object(old), one_object(new))))


ALIKE = {
    "quantity": ("resources: {limits: {cpu: 500m}}", "resources: {limits: {cpu: 0.5}}"),
    "binary quantity": ("resources: {requests: {memory: 1Gi}}", "resources: {requests: {memory: 1024Mi}}"),
    "protocol": ("ports: [{containerPort: 80}]", "ports: [{containerPort: 80, protocol: TCP}]"),
    "pull policy": ("image: 'a:1'", "image: 'a:1', imagePullPolicy: IfNotPresent"),
    "pull policy of latest": ("image: a", "image: a, imagePullPolicy: Always"),
    "null": ("image: a", "image: a, command: null"),
    "probe": ("livenessProbe: {httpGet: {port: 1}}", "livenessProbe: {httpGet: {port: 1, path: /}, periodSeconds: 10}"),
    "empty lists and maps": ("image: a", "image: a, args: [], env: [], resources: {limits: {}}"),
    "empty value": ("env: [{name: A}]", "env: [{name: A, value: ''}]"),
}
OTHER = {
    "requests as high as the limits": (  # which the server fills into pods, and not into what they are made from
        "resources: {limits: {cpu: 1}}",
        "resources: {limits: {cpu: 1}, requests: {cpu: 1000m}}",
    ),
    "quantity": ("resources: {limits: {cpu: 500m}}", "resources: {limits: {cpu: 0.51}}"),
    "env order": ("env: [{name: A}, {name: B}]", "env: [{name: B}, {name: A}]"),
    "protocol": ("ports: [{containerPort: 80}]", "ports: [{containerPort: 80, protocol: UDP}]"),
    "pull policy": ("image: 'a:1'", "image: 'a:1', imagePullPolicy: Always"),
    "quantity elsewhere": ("args: ['500m']", "args: ['0.5']"),
    "probe": ("livenessProbe: {httpGet: {port: 1}}", "livenessProbe: {httpGet: {port: 1}, periodSeconds: 11}"),
}


@pytest.mark.parametrize("name", ALIKE)
def test_only_written_differently(name: str) -> None:
    found = differing(*(deployment(text) for text in ALIKE[name]))
    assert found
    assert all(field.runs_alike for field in found)


@pytest.mark.parametrize("name", OTHER)
def test_runs_otherwise(name: str) -> None:
    found = differing(*(deployment(text) for text in OTHER[name]))
    assert found
    assert not any(field.runs_alike for field in found)


def secret(rest: str) -> str:
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: x}}\n{rest}"


@pytest.mark.parametrize(
    ("old", "new", "alike"),
    [
        ("data: {a: Yg==}", "stringData: {a: b}", True),
        ("data: {a: Yw==}\nstringData: {a: b}", "data: {a: Yg==}", True),
        ("data: {a: Yg==}", "stringData: {a: c}", False),
        ("stringData: {a: b}", "stringData: {a: c, d: e}", False),
    ],
)
def test_a_secret_written_as_text_runs_as_the_same_one_encoded(old: str, new: str, alike: bool) -> None:
    found = differing(secret(old), secret(new))
    assert found
    assert [field.runs_alike for field in found] == [alike] * len(found)


@pytest.mark.parametrize(("amount", "alike"), [("'0.5'", True), ("'0.6'", False)])
def test_amounts_of_an_autoscaler(amount: str, alike: bool) -> None:
    target = "spec: {maxReplicas: 3, metrics: [{type: Pods, pods: {target: {averageValue: %s}}}]}"
    kind = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: x}\n"
    (field,) = differing(kind + target % "500m", kind + target % amount)
    assert field.runs_alike == alike


def test_defaults_of_a_workload_written_out() -> None:
    spec = "replicas: 1, strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%}}, "
    assert all(field.runs_alike for field in differing(deployment("image: a"), deployment("image: a", spec)))
    (field,) = differing(deployment("image: a"), deployment("image: a", "strategy: {type: Recreate}, "))
    assert not field.runs_alike


def test_kinds_of_others_are_compared_as_they_are_written() -> None:
    made = [
        deployment(f"resources: {{limits: {{cpu: {cpu}}}}}", "", "Rollout", "argoproj.io/v1") for cpu in ("1", "1.0")
    ]
    assert not any(field.runs_alike for field in differing(*made))


def test_the_object_itself_is_not_changed() -> None:
    found = one_object(deployment("resources: {limits: {cpu: 500m}}"))
    running_form(found)
    assert found.data["spec"]["template"]["spec"]["containers"] == [
        {"name": "web", "resources": {"limits": {"cpu": "500m"}}}
    ]


@pytest.mark.parametrize(
    ("text", "number"),
    [("500m", 0.5), (0.5, 0.5), ("1Ki", 1024), ("1k", 1000), ("1e3", 1000), ("1E", 1e18), (".5", 0.5), ("-2", -2)],
)
def test_quantities(text: object, number: float) -> None:
    assert parse_quantity(text) == number


@pytest.mark.parametrize("text", ["", "m", "1 Gi", "1mi", "ui", True, None, "1KI", "0x1", "\u0661"])
def test_no_quantities(text: object) -> None:
    assert parse_quantity(text) is None


def config_map(name: str, kind: str = "ConfigMap") -> str:
    return f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}}}\n"


def test_generated_names_are_one_object() -> None:
    old, new = (one_object(config_map(f"web-{tail}")) for tail in ("7g2h9kdf5m", "5m9k2h7gdf"))
    assert list(paired_by_stem([("old", old, None), ("new", None, new)])) == [("new", old, new)]


@pytest.mark.parametrize(
    ("removed", "added"),
    [
        (["web-7g2h9kdf5m"], ["api-5m9k2h7gdf"]),
        (["web-abcdefghij"], ["web-jihgfedcba"]),
        (["web-7g2h9kdf5m", "web-5m9k2h7gdf"], ["web-2222222222"]),
    ],
)
def test_other_names_are_objects_of_their_own(removed: list[str], added: list[str]) -> None:
    pairs = [(name, one_object(config_map(name)), None) for name in removed]
    pairs += [(name, None, one_object(config_map(name))) for name in added]  # type: ignore[misc]
    assert list(paired_by_stem(pairs)) == pairs


def test_hashes_in_texts() -> None:
    assert without_hashes("web-7g2h9kdf5m") == without_hashes("web-5m9k2h7gdf") == "web-*"
    assert without_hashes("web-7g2h9kdf5mx") == "web-7g2h9kdf5mx"
