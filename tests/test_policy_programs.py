"""Policies that conftest and Kyverno judge: what they see, what becomes of what they find, and if they cannot."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from headgate.errors import ConfigError, DeniedError, ToolError
from support.manifests import HEADGATE_YAML, ManifestRepository
from test_policies import FEW, MANY, POLICY, app

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("validator")

REGO = """\
package main

deny contains message if {
  input.kind == "Deployment"
  input.spec.replicas > 3
  message := sprintf("%s has %d replicas", [input.metadata.name, input.spec.replicas])
}

warn contains "uses the latest image" if {
  input.kind == "Deployment"
  endswith(input.spec.template.spec.containers[_].image, ":latest")
}
"""
FOUND = "Deployment web/web: web has 4 replicas [policy/rego]"

KYVERNO = """\
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: few-replicas}
spec:
  validationFailureAction: ACTION
  background: false
  rules:
    - name: at-most-three
      match: {any: [{resources: {kinds: [Deployment]}}]}
      validate: {message: at most 3 replicas, pattern: {spec: {replicas: "<=3"}}}
"""
FOUND_BY_KYVERNO = "Deployment web/web: few-replicas: validation error: at most 3 replicas."

needs_kyverno = pytest.mark.skipif(not shutil.which("kyverno"), reason="no kyverno in PATH")
needs_conftest = pytest.mark.skipif(not shutil.which("conftest"), reason="no conftest in PATH")


def settle(manifests: ManifestRepository, outcome: str, program: str = "conftest") -> None:
    manifests.write(
        {
            "headgate.yaml": f"{HEADGATE_YAML}policies: {{rego: {{program: {program}, outcome: {outcome}}}}}\n",
            "policies/replicas.rego": REGO,
        }
    )


def settle_kyverno(manifests: ManifestRepository, action: str = "Enforce", more: str = "") -> None:
    manifests.write(
        {
            "headgate.yaml": f"{HEADGATE_YAML}policies: {{kyverno: {{program: kyverno, outcome: refuse}}{more}}}\n",
            "policies/replicas.yaml": KYVERNO.replace("ACTION", action),
        }
    )


def program(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, name: str = "conftest") -> None:
    """Put a program before all others that is called as conftest is, or as Kyverno's is."""
    folder.mkdir()
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@needs_conftest
def test_what_conftest_denies_fails_that_app_alone(manifests: ManifestRepository) -> None:
    settle(manifests, "refuse")
    app(manifests, MANY)
    app(manifests, FEW, "other")
    ran = manifests.hydrate()
    assert ran.code == DeniedError.code
    assert f"dev refuses the rendered objects:\n    {FOUND}" in ran.err
    assert (manifests.path / "deploy/dev/other").is_dir()
    assert not (manifests.path / "deploy/dev/web").exists()


@needs_conftest
def test_what_conftest_warns_of_never_fails_and_is_shown_once(manifests: ManifestRepository) -> None:
    settle(manifests, "refuse")
    app(manifests, FEW.replace("acme/web:1", "acme/web:latest"))
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert "Deployment web/web: uses the latest image [policy/rego]" in ran.out
    manifests.write({"templates/web/all.yaml": FEW.replace("acme/web:1", "acme/web:latest").replace(": 2", ": 3")})
    again = manifests.hydrate()
    assert "1 changed" in again.out
    assert "[policy/rego]" not in again.out


@needs_conftest
def test_a_waiver_lets_it_pass(manifests: ManifestRepository) -> None:
    settle(manifests, "refuse")
    waiver = "validation: {waivers: [{rule: policy/rego, app: web, reason: a test of load, until: 2999-01-01}]}\n"
    manifests.write({"headgate.yaml": (manifests.path / "headgate.yaml").read_text() + waiver})
    app(manifests, MANY)
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert "waived until 2999-01-01 (a test of load)" in ran.out


@needs_kyverno
def test_what_kyverno_enforces_fails_that_app_alone_in_that_environment(manifests: ManifestRepository) -> None:
    settle_kyverno(manifests)
    manifests.write({"templates/web/web.yaml.j2": FEW.replace("replicas: 2", "replicas: {{ values.replicas }}")})
    manifests.write(
        {"environments/dev/values.yaml": "replicas: 4\n", "environments/production/values.yaml": "replicas: 2\n"}
    )
    manifests.app("web", "template: web\nenvironments: [dev, production]\n")
    ran = manifests.hydrate()
    assert ran.code == DeniedError.code
    assert f"dev refuses the rendered objects:\n    {FOUND_BY_KYVERNO}" in ran.err
    assert (manifests.path / "deploy/production/web").is_dir()
    assert not (manifests.path / "deploy/dev/web").exists()


@needs_kyverno
def test_what_kyverno_audits_never_fails(manifests: ManifestRepository) -> None:
    settle_kyverno(manifests, "Audit")
    app(manifests, MANY)
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert f"{FOUND_BY_KYVERNO}" in ran.out


@needs_kyverno
def test_kyverno_judges_objects_of_every_kind(manifests: ManifestRepository) -> None:
    settle_kyverno(manifests)
    labelled = KYVERNO.replace("ACTION", "Enforce").replace("kinds: [Deployment]", 'kinds: ["*"]')
    labelled = labelled.replace('spec: {replicas: "<=3"}', 'metadata: {labels: {team: "?*"}}')
    manifests.write({"policies/replicas.yaml": labelled})
    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: web}\nrules: []\n"
    other = "apiVersion: example.com/v1\nkind: Other\nmetadata: {name: web, namespace: web}\n"
    app(manifests, f"{FEW}\n---\n{role}---\n{other}")
    ran = manifests.hydrate()
    assert ran.code == DeniedError.code
    for name in ("Deployment web/web", "ClusterRole web", "Other web/web"):
        assert f"{name}: few-replicas: validation error: at most 3 replicas." in ran.err


@needs_kyverno
def test_a_policy_of_kubernetes_is_not_kyvernos_to_judge(manifests: ManifestRepository) -> None:
    settle_kyverno(manifests, more=", replicas: {outcome: warn}")
    manifests.write(
        {"policies/replicas.yaml": f"{KYVERNO.replace('ACTION', 'Enforce').replace('3', '9')}---\n{POLICY}"}
    )
    app(manifests, MANY)
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert ran.out.count("at most 3 replicas") == 1


@needs_kyverno
def test_a_policy_that_kyverno_cannot_read_fails_all(manifests: ManifestRepository) -> None:
    settle_kyverno(manifests)
    manifests.write({"policies/wrong.yaml": KYVERNO.replace("validate:", "validates:").replace("few", "wrong")})
    app(manifests, FEW)
    ran = manifests.hydrate()
    assert ran.code == ToolError.code
    assert "policies/wrong.yaml:1: Kyverno reads no rule of this policy" in ran.err


def report(**changed: str) -> str:
    """Return a report of Kyverno's with one result."""
    resource = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "web", "name": "web"}
    result = {"source": "kyverno", "policy": "few-replicas", "rule": "at-most-three", "result": "fail"}
    result |= {"message": "at most 3 replicas", **changed}
    return json.dumps({"kind": "ClusterReport", "results": [{**result, "resources": [resource]}]})


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (report(), DeniedError.code, "Deployment web/web: few-replicas: at most 3 replicas [policy/kyverno]"),
        (f"{report()}\n---\n{json.dumps({'results': []})}", DeniedError.code, "few-replicas"),
        (report(result="warn"), 0, ""),
        (report(result="pass"), 0, ""),
        (f"Invalid Policies:\n1. x\n{report()}", ToolError.code, "kyverno printed no findings (exit code 0)"),
        (report().replace('"web"', '"other"'), ToolError.code, "about other objects"),
        ("", 0, ""),
    ],
)
def test_reports_of_kyverno_are_read(
    manifests: ManifestRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, code: int, said: str
) -> None:
    (tmp_path / "report").write_text(text)
    reads = "echo 'Applying 1 policy rule(s) to 1 resource(s)...'"
    program(
        tmp_path / "bin",
        monkeypatch,
        f'case "$*" in *--policy-report*) cat {tmp_path}/report;; *) {reads};; esac',
        "kyverno",
    )
    settle_kyverno(manifests)
    app(manifests, MANY)
    ran = manifests.hydrate()
    assert ran.code == code
    assert said in ran.err
    assert (manifests.path / "deploy/dev/web").exists() == (code == 0)


def test_where_kyverno_has_no_policy_it_fails_all(manifests: ManifestRepository) -> None:
    settle(manifests, "refuse", "kyverno")
    app(manifests, FEW)
    ran = manifests.hydrate()
    assert ran.code == ToolError.code
    assert "headgate.yaml: policies.rego.program: no Kyverno policy in policies/" in ran.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo no such rule >&2; exit 2", "conftest printed no findings (exit code 2): no such rule"),
        ('echo \'[{"filename": "../x", "failures": [{"msg": "x"}]}]\'', "conftest printed no valid JSON"),
        ("echo '{\"a\": 1}'", "conftest printed no valid JSON"),
    ],
)
def test_what_cannot_judge_fails_all_that_it_would_judge(
    manifests: ManifestRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    program(tmp_path / "bin", monkeypatch, text)
    settle(manifests, "warn")
    app(manifests, FEW)
    ran = manifests.hydrate()
    assert ran.code == ToolError.code
    assert said in ran.err
    assert "headgate.yaml: policies.rego.program" in ran.err
    assert not (manifests.path / "deploy/dev/web").exists()


@pytest.mark.parametrize("value", ["hunter2", "aHVudGVyMg=="])
@pytest.mark.parametrize("field", ["stringData: {a: hunter2}", "data: {a: aHVudGVyMg==}"])
def test_what_a_program_quotes_of_a_secret_is_not_shown(
    manifests: ManifestRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, field: str
) -> None:
    found = [{"filename": "objects/dev/web/secret-s@web.yaml", "failures": [{"msg": f"{value} is weak"}]}]
    program(tmp_path / "bin", monkeypatch, f"echo '{json.dumps(found)}'")
    settle(manifests, "refuse")
    app(manifests, f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n{field}\n", more="allow: {kinds: [Secret]}\n")
    ran = manifests.hydrate()
    assert ran.code == DeniedError.code
    assert "Secret web/s: (a secret) is weak [policy/rego]" in ran.err
    assert value not in ran.out + ran.err


def test_it_must_be_there(manifests: ManifestRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    settle(manifests, "warn")
    app(manifests, FEW)
    ran = manifests.hydrate()
    assert ran.code == ToolError.code
    assert "cannot run conftest" in ran.err


def test_off_is_not_asked(manifests: ManifestRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", monkeypatch, "exit 1")
    settle(manifests, "off")
    app(manifests, FEW)
    assert manifests.hydrate().code == 0


def test_it_gets_the_final_yaml_and_no_environment(
    manifests: ManifestRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    program(tmp_path / "bin", monkeypatch, f"(env; find . -type f | sort; cat objects/*/*/*) >>{seen}; echo '[]'")
    monkeypatch.setenv("HEADGATE_TOKEN", "glpat-secret")
    settle(manifests, "warn")
    app(manifests, FEW)
    assert manifests.hydrate().code == 0
    text = seen.read_text()
    assert "glpat-secret" not in text
    assert "./objects/dev/web/deployment.apps-web@web.yaml\n./policies/replicas.rego\n" in text
    assert (manifests.path / "deploy/dev/web/deployment.apps-web.yaml").read_text() in text


def test_a_name_is_a_programs_or_a_policys(manifests: ManifestRepository) -> None:
    manifests.write(
        {
            "headgate.yaml": f"{HEADGATE_YAML}policies: {{replicas: {{program: conftest}}}}\n",
            "policies/replicas.yaml": POLICY,
        }
    )
    app(manifests, FEW)
    ran = manifests.hydrate()
    assert ran.code == ConfigError.code
    assert "the policy 'replicas' comes from a program, and one in policies/ has the same name" in ran.err
