"""Edits turn the old value into the new one, whatever both are, and say what differs as people would."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.objects.edits import NOTHING, Edit, Reorder, find_edits, identity, shown_path
from headgate.objects.listkeys import list_keys
from support.applying import apply_edits
from support.trees import data_of

scalars = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", "a", "b", "1", "500m"]))
names = st.sampled_from(["name", "env", "ports", "containers", "a.b/c", "protocol", "containerPort"])
item = st.fixed_dictionaries(
    {"name": st.sampled_from("abcd")},
    optional={"image": scalars, "ports": st.lists(st.fixed_dictionaries({"containerPort": st.integers(1, 3)}))},
)
values = st.recursive(
    st.one_of(scalars, st.lists(item, max_size=5), st.lists(scalars, max_size=6)),
    lambda inner: st.one_of(st.dictionaries(names, inner, max_size=4), st.lists(inner, max_size=4)),
    max_leaves=12,
)
port = st.fixed_dictionaries(
    {"containerPort": st.integers(1, 4)}, optional={"protocol": st.sampled_from(["TCP", "UDP"])}
)
container = st.fixed_dictionaries(
    {"name": st.sampled_from("abc")}, optional={"ports": st.lists(port, max_size=4), "env": st.lists(item, max_size=4)}
)
pods = st.fixed_dictionaries({"spec": st.fixed_dictionaries({"containers": st.lists(container, max_size=4)})})


def check(old: Any, new: Any, kind: str) -> None:
    edits = list(find_edits(old, new, kind))
    assert identity(apply_edits(old, edits)) == identity(new)
    assert bool(edits) == (identity(old) != identity(new))


@settings(max_examples=150)
@given(values, values)
def test_applying_the_edits_to_the_old_value_gives_the_new_one(old: Any, new: Any) -> None:
    check(old, new, "")


@pytest.mark.long
@settings(max_examples=150)
@given(pods, pods)
def test_applying_the_edits_of_a_pod_gives_the_new_pod(old: Any, new: Any) -> None:
    check(old, new, "Pod")


def paths(old: str, new: str, kind: str) -> list[str]:
    return [shown_path(edit.path) for edit in find_edits(data_of(old), data_of(new), kind)]


POD = "{spec: {containers: [{name: web, %s}]}}"


@pytest.mark.parametrize(
    ("kind", "old", "new", "expected"),
    [
        ("Pod", POD % "image: a", POD % "image: b", ["spec.containers[web].image"]),
        (
            "Pod",
            POD % "ports: [{containerPort: 53, protocol: UDP}, {containerPort: 53}]",
            POD % "ports: [{containerPort: 53, name: x}, {containerPort: 53, protocol: UDP, name: y}]",
            [f"spec.containers[web].ports{rest}" for rest in ("[53/UDP].name", "[53].name", "")],
        ),
        (
            "Pod",
            POD % "volumeMounts: [{name: x, mountPath: /a}, {name: x, mountPath: /b}]",
            POD % "volumeMounts: [{name: x, mountPath: /a}, {name: x, mountPath: /b, readOnly: true}]",
            ["spec.containers[web].volumeMounts[/b].readOnly"],
        ),
        (
            "Service",
            "{spec: {ports: [{port: 80, name: a}]}}",
            "{spec: {ports: [{port: 443, name: t}, {port: 80, name: b}]}}",
            ["spec.ports[80].name", "spec.ports[443]"],
        ),
        ("ConfigMap", "{l: [x, y, z]}", "{l: [x, z]}", ["l[1]"]),
        ("ConfigMap", "{l: [x, z]}", "{l: [n, x, z]}", ["l[0]"]),
    ],
)
def test_paths(kind: str, old: str, new: str, expected: list[str]) -> None:
    assert paths(old, new, kind) == expected


def test_a_container_put_first_is_one_addition_and_a_swapped_order_a_change() -> None:
    old, new = (data_of(POD % f"env: {env}") for env in ("[{name: A}, {name: B}]", "[{name: B}, {name: A}]"))
    (edit,) = find_edits(old, new, "Pod")
    assert isinstance(edit, Reorder)
    first = data_of("{spec: {containers: [{name: proxy}, {name: web, env: [{name: A}, {name: B}]}]}}")
    (added,) = find_edits(old, first, "Pod")
    assert isinstance(added, Edit)
    assert (added.old, added.new) == (NOTHING, {"name": "proxy"})


def test_the_keys_of_lists_are_those_of_the_kind() -> None:
    pod = ("spec", "template", "spec")
    assert list_keys("Deployment.apps", (*pod, "containers", "ports")) == ("containerPort", "protocol")
    assert list_keys("CronJob.batch", ("spec", "jobTemplate", *pod, "volumes")) == ("name",)
    assert list_keys("Deployment.apps", (*pod, "tolerations")) == ()
    assert list_keys("Deployment.example.com", (*pod, "containers")) == ()
