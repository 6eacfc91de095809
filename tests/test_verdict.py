"""The verdict: routine is images and versions alone; everything else says why it is not."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from headgate.config import load
from headgate.errors import ConfigError
from headgate.hydration.outcome import Outcome
from headgate.notice import Notice
from headgate.report.appchange import AppChange, app_changes
from headgate.report.changereport import risk_facts
from headgate.report.verdict import Finding, findings_of, verdict_of
from support.trees import repository

APP = "project: acme/web\nimages: {web: registry.example.com/acme/web}\ntemplate: web\n"
PART = {"project": "acme/web", "project_id": 12, "ref": "refs/heads/main"}
REPOSITORY = "registry.example.com/acme/web"


def release(tag: str) -> str:
    image = {**PART, "commit": "a" * 40, "repository": REPOSITORY, "tag": tag, "digest": "sha256:" + "1" * 64}
    return yaml.safe_dump({"version": 1, "images": {"web": image}})


def deployment(tag: str, **more: Any) -> str:
    container = {"name": "web", "image": f"{REPOSITORY}:{tag}@sha256:{'1' * 64}", **more}
    metadata = {"name": "web", "labels": {"app.kubernetes.io/version": tag}}
    spec = {"template": {"metadata": {"annotations": {"release": f"web-{tag}"}}, "spec": {"containers": [container]}}}
    return yaml.safe_dump({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})


def manifest(kind: str, api: str = "v1", **more: Any) -> str:
    return yaml.safe_dump({"apiVersion": api, "kind": kind, "metadata": {"name": "x"}, **more})


FLUX = "kustomize.toolkit.fluxcd.io"


def ingress(service: str) -> str:
    path = {"path": "/", "backend": {"service": {"name": service}}}
    return manifest("Ingress", "networking.k8s.io/v1", spec={"rules": [{"host": "a", "http": {"paths": [path]}}]})


def changes(old: dict[str, str], new: dict[str, str], *tags: str) -> list[AppChange]:
    sides = []
    for files, tag in zip((old, new), tags or ("1.0.0", "1.1.0"), strict=True):
        found = {f"deploy/production/web/{name}": text for name, text in files.items()}
        sides.append(repository({"web": APP}, **{"apps/web/releases/production/release.yaml": release(tag)}, **found))
    return app_changes(sides[0], sides[1], load(sides[1]))


def verdict(old: dict[str, str], new: dict[str, str], *tags: str) -> str:
    return str(verdict_of(changes(old, new, *tags)))


def test_images_and_versions_alone_are_routine() -> None:
    found = verdict({"d": deployment("1.0.0")}, {"d": deployment("1.1.0")})
    assert found == "Routine: only images and versions change"


def test_a_record_alone_is_routine() -> None:
    assert verdict({}, {}) == "Routine: no object changes"


def test_another_spelling_is_routine() -> None:
    found = verdict({"d": deployment("1.0.0")}, {"d": deployment("1.0.0", resources={})})
    assert found == "Routine: nothing runs differently"


def test_nothing_is_nothing() -> None:
    assert str(verdict_of([])) == "Nothing: no final YAML changes"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (deployment("1.0.0"), deployment("1.1.0", tty=True), "1 object changes in more than images and versions"),
        (deployment("1.1.0"), deployment("1.0.0"), "1 risk"),
        (deployment("1.0.0"), deployment("1.0.0").replace("acme/web:", "acme/other:"), "more than images"),
        (deployment("1.0.0"), deployment("1.0.0", securityContext={"privileged": True}), "1 risk"),
        (manifest("Service", spec={}), manifest("Service", spec={"type": "NodePort"}), "1 object newly reachable"),
        (manifest("Service", spec={"type": {}}), manifest("Service", spec={"type": "NodePort"}), "newly reachable"),
        (manifest("PersistentVolumeClaim"), None, "1 object removed that may hold data"),
        (manifest("Service"), None, "1 object removed"),
        (
            manifest("Service").replace("name: x", f"name: x\n  annotations: {{{FLUX}/prune: disabled}}"),
            None,
            "1 object left in the cluster, no longer managed",
        ),
        (ingress("web"), ingress("admin"), "1 risk, 1 object changes in more"),
        (None, manifest("ServiceAccount"), "1 object added"),
        (manifest("ConfigMap", data={"v": "1.0.0"}), manifest("ConfigMap", data={"v": "1.1.0"}), "more than images"),
    ],
)
def test_look_at_this(old: str | None, new: str | None, words: str) -> None:
    found = verdict({"x": old} if old else {}, {"x": new} if new else {})
    assert found.startswith("Look at this: ")
    assert words in found


def job(image: str) -> str:
    spec = {"template": {"spec": {"containers": [{"name": "x", "image": image}]}}}
    return manifest("Job", "batch/v1", spec=spec)


def test_what_the_cluster_rejects_will_fail() -> None:
    assert verdict({"j": job("a")}, {"j": job("b")}) == "Will fail: 1 object will be rejected by the cluster"


def test_findings_count() -> None:
    found = changes({"d": deployment("1.0.0")}, {"d": deployment("1.1.0")})
    warning = Finding(app="web", environment="production", text="odd")
    error = Finding(app="web", environment="production", text="wrong", is_error=True)
    assert str(verdict_of(found, [warning])) == "Look at this: 1 warning"
    assert str(verdict_of(found, [warning, error])) == "Will fail: 1 error"


def test_findings_are_those_of_outcomes() -> None:
    outcomes = [
        Outcome(app="web", environment="dev", folder="", state="changed", warnings=(Notice("odd"), Notice("odd"))),
        Outcome(app="api", environment="dev", folder="", state="failed", error=ConfigError("wrong")),
        Outcome(app="old", environment="dev", folder="", state="held", warnings=(Notice("nobody reads this"),)),
    ]
    assert [(finding.app, finding.text, finding.is_error) for finding in findings_of(outcomes)] == [
        ("api", "wrong", True),
        ("web", "odd", False),
    ]


def test_a_short_version_stands_in_texts_by_chance() -> None:
    old, new = deployment("1"), deployment("2")
    assert verdict({"d": old}, {"d": new}, "1", "2").endswith("in more than images and versions")


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (ingress("web"), ingress("admin"), "changes what is reachable from outside"),
        (
            manifest("Service", spec={"type": "LoadBalancer"}),
            manifest("Service", spec={}),
            "is of type ClusterIP, no longer LoadBalancer",
        ),
    ],
)
def test_a_risk_that_no_effect_says_is_shown(old: str, new: str, text: str) -> None:
    (fact,) = risk_facts(changes({"x": old}, {"x": new}))
    assert (fact.names, fact.text) == (("x",), text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (manifest("Service", spec={}), manifest("Service", spec={"type": "LoadBalancer"})),
        (manifest("Service"), None),
        (deployment("1.0.0"), deployment("1.0.0").replace("spec:\n", "spec:\n  replicas: 0\n", 1)),
    ],
)
def test_a_risk_that_an_effect_says_is_shown_once(old: str, new: str | None) -> None:
    found = changes({"x": old}, {"x": new} if new else {})
    assert found[0].objects[0].change.risks
    assert risk_facts(found) == []
