"""Policies that conftest judges: what it is shown, what becomes of what it finds, and what when it cannot."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from headgate.errors import ConfigError, DeniedError, ToolError
from support.manifests import HEADGATE_YAML, ManifestRepository
from support.validator import use_validator
from test_policies import FEW, MANY, POLICY, app

if TYPE_CHECKING:
    from pathlib import Path

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

needs_conftest = pytest.mark.skipif(not shutil.which("conftest"), reason="no conftest in PATH")


@pytest.fixture(autouse=True)
def validator(clean_user: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge what is hydrated here."""
    use_validator(monkeypatch)


def settle(manifests: ManifestRepository, outcome: str) -> None:
    manifests.write(
        {
            "headgate.yaml": f"{HEADGATE_YAML}policies: {{rego: {{program: conftest, outcome: {outcome}}}}}\n",
            "policies/replicas.rego": REGO,
        }
    )


def program(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Put a program before all others that is called as conftest is."""
    folder.mkdir()
    (folder / "conftest").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "conftest").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@needs_conftest
def test_what_conftest_denies_fails_that_app_alone(manifests: ManifestRepository) -> None:
    settle(manifests, "refuse")
    app(manifests, MANY)
    app(manifests, FEW, "other")
    ran = manifests.hydrate()
    assert ran.code == DeniedError.code
    assert f"dev refuses what is rendered:\n    {FOUND}" in ran.err
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo no such rule >&2; exit 2", "conftest printed no findings (exit code 2): no such rule"),
        ('echo \'[{"filename": "../x", "failures": [{"msg": "x"}]}]\'', "what it printed is not conftest's JSON"),
        ("echo '{\"a\": 1}'", "what it printed is not conftest's JSON"),
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
    assert "the policy 'replicas' is a program's, and one in policies/ is called so too" in ran.err
