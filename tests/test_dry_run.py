"""What is looked at before anything is written: --dry-run of every command, compare, preview without a pipeline."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest

from headgate.arguments import app
from headgate.errors import ArgumentError, ConfigError
from support.cli import headgate
from support.manifests import ManifestRepository, git
from support.stage import APP, IMAGE, OTHER_DIGEST, Stage, make_stage, replicas, write_app

SETTINGS = """
version: 1
environments:
  dev: {takes: {branch: main}, delivery: commit, kubernetes: "1.34"}
  production: {takes: [{promotion: dev}, {branch: main}], delivery: review, kubernetes: "1.34"}
"""


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    manifests = ManifestRepository.make(tmp_path / "manifests").write({"headgate.yaml": SETTINGS})
    return make_stage(tmp_path, manifests, APP)


def refs(stage: Stage) -> str:
    return git(stage.remote, "for-each-ref")


def test_a_hand_off_is_described_and_not_made(stage: Stage) -> None:
    before = refs(stage)
    ran = stage.deliver("--dry-run", "--by", "anna")
    assert ran.code == 0, ran.err
    assert refs(stage) == before
    assert ran.out.startswith("Look at this: 2 objects added\nrequested by anna\n")
    assert "Without --dry-run it lands in dev and is proposed for review in production." in " ".join(ran.out.split())
    assert "+ Deployment web/web (the app is new here)" in ran.out
    assert f"      image {IMAGE}:1.0@sha256:111" in ran.out
    assert ran.out.endswith("2 app-environments: 2 changed\nnothing was written (--dry-run)\n")
    assert stage.deliver().code == 0
    assert refs(stage) != before


def test_a_new_image_is_routine(stage: Stage) -> None:
    assert stage.deliver().code == 0
    stage.merge()
    write_app(stage, {"README.md": "more"})
    ran = stage.deliver("--dry-run", image=f"{IMAGE}:1.1@{OTHER_DIGEST}")
    assert ran.out.startswith("Routine: only images and versions change\n"), ran.out
    assert "restarts its pods (image web)" in ran.out


def test_as_json(stage: Stage) -> None:
    found = json.loads(stage.deliver("--dry-run", "--json").out)
    assert found["dry_run"] is True
    assert found["review"]["verdict"]["word"] == "look at this"
    assert [one["state"] for one in found["apps"]] == ["changed", "changed"]


def test_what_fails_has_its_exit_code(stage: Stage) -> None:
    write_app(stage, {"deploy/web.yaml": "kind: x\n"})
    before = refs(stage)
    ran = stage.deliver("--dry-run")
    assert ran.code != 0
    assert ran.code == stage.deliver("--dry-run", "--json").code
    assert "Will fail: 2 errors" in ran.out
    assert refs(stage) == before


COMMANDS = [
    ("promote", "web", "--from", "dev", "--to", "production"),
    ("roll-back", "web", "--environment", "dev", "--reason", "x"),
    ("rehydrate", "--all"),
    ("refresh",),
    ("pin", "web", "--environment", "dev", "--reason", "x"),
    ("unpin", "web", "--environment", "dev"),
    ("freeze", "dev", "--reason", "x"),
    ("thaw", "dev"),
    ("deliver-held", "web", "--environment", "dev", "--reason", "x"),
    ("discard-held", "web", "--environment", "dev", "--reason", "x"),
    ("remove", "web"),
]


@pytest.mark.long
def test_no_command_writes(stage: Stage) -> None:
    assert stage.deliver().code == 0
    write_app(stage, {"deploy/web.yaml": replicas(3)})
    assert stage.deliver(image=f"{IMAGE}:1.1@{OTHER_DIGEST}").code == 0
    before = refs(stage)
    for command in COMMANDS:
        ran = stage.run(*command, "--dry-run")
        assert refs(stage) == before, command
        assert "nothing was written" in ran.out or ran.code != 0, (command, ran.out, ran.err)
    described = {command[0] for command in COMMANDS if stage.run(*command, "--dry-run").code == 0}
    assert {"rehydrate", "pin", "freeze", "remove", "roll-back"} <= described


def test_every_command_that_writes_has_it() -> None:
    setting_up = {"init", "doctor", "adopt"}  # whose files and settings tests of their own look after
    writing = {"hydrate", "deliver", *setting_up, *(command[0] for command in COMMANDS)}
    with_option, without = set[str](), set[str]()
    for command in app.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__.replace("_", "-")
        parameters = inspect.signature(command.callback).parameters
        (with_option if "dry_run" in parameters else without).add(name)
        assert "signing_key" not in parameters or "dry_run" in parameters, name
    assert with_option == writing
    assert not writing & without


def test_hydrate_describes_and_writes_nothing(stage: Stage) -> None:
    stage.manifests.app("plain", "template: plain\nenvironments: [dev]\n")
    stage.manifests.write(
        {"templates/plain/all.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: plain}\n"}
    )
    ran = stage.manifests.hydrate("--dry-run", "--app", "plain")
    assert ran.code == 0
    assert ran.out.startswith("Look at this: 1 object added\n")
    assert not (stage.manifests.path / "deploy").exists()


def test_compare_shows_what_differs(stage: Stage) -> None:
    made = stage.manifests
    made.app("plain", "template: plain\n", {"values.production.yaml": "level: warn\n"})
    chart = "apiVersion: v2\nname: plain\nversion: 1.0.0\n"
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {level: {{ .Values.level }}, same: x}\n"
    made.write({"templates/plain/Chart.yaml": chart, "templates/plain/values.yaml": "level: info\n"})
    made.write({"templates/plain/templates/all.yaml": text})
    made.app("equal", "template: equal\n")
    made.write({"templates/equal/all.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: equal}\n"})
    assert made.hydrate("--app", "plain", "--app", "equal").code == 0
    made.commit()
    ran = headgate("compare", "dev", "production", "--manifests", str(made.path))
    assert ran.code == 0, ran.err
    assert ran.out.splitlines() == [
        "production differs from dev in 1 of 3 apps",
        "plain in production: 1 changed",
        "  ~ ConfigMap plain/plain (apps/plain/values.production.yaml)",
        "      data.level",
        "      - info",
        "      + warn",
        "Objects: 1 changed",
    ]
    found = json.loads(headgate("compare", "dev", "production", "plain", "--json", "--manifests", str(made.path)).out)
    assert found["verdict"] is None
    assert found["apps"][0]["objects"][0]["effects"] == []


def test_compare_says_what_matters_in_what_is_only_in_one(stage: Stage) -> None:
    made = stage.manifests
    made.app("plain", "template: plain\n", {"values.production.yaml": "host: a.example.com\n"})
    made.write({"templates/plain/Chart.yaml": "apiVersion: v2\nname: plain\nversion: 1.0.0\n"})
    ingress = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: plain}\n"
    made.write(
        {
            "templates/plain/templates/all.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: plain}\n---\n"
            f"{{{{ if .Values.host }}}}{ingress}spec: {{rules: [{{host: {{{{ .Values.host }}}}}}]}}\n{{{{ end }}}}"
        }
    )
    assert made.hydrate("--app", "plain").code == 0
    made.commit()
    ran = headgate("compare", "dev", "production", "plain", "--manifests", str(made.path))
    assert "  + Ingress plain/plain (apps/plain/values.production.yaml)\n      reachable as a.example.com/\n" in ran.out


def test_compare_of_an_unknown_environment_says_which_there_are(stage: Stage) -> None:
    ran = headgate("compare", "dev", "prod", "--manifests", str(stage.manifests.path))
    assert ran.code == ArgumentError.code
    assert "there is no environment 'prod', expected one of: dev, production" in ran.err


def test_preview_here_without_a_pipeline(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CI", "CI_JOB_TOKEN", "CI_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)
    git(stage.app, "remote", "add", "origin", "git@gitlab.example.com:acme/web.git")
    assert stage.deliver().code == 0
    write_app(stage, {"deploy/web.yaml": replicas(3)})
    before = refs(stage)
    image = f"{IMAGE}:1.1@{OTHER_DIGEST}"
    ran = headgate("preview", "--source", str(stage.app), "--manifests", str(stage.remote), "--image", image)
    assert ran.code == 0, ran.err
    assert refs(stage) == before
    assert "image web: 1.0 -> 1.1" in ran.out
    assert "scales from 1 to 3 (the app's config and image web)" in " ".join(ran.out.split())
    assert "of acme/web would change; nothing was written." in " ".join(ran.out.split())
    assert "Uncommitted" not in ran.out


def test_preview_here_names_uncommitted_files(stage: Stage) -> None:
    assert stage.deliver().code == 0
    (stage.app / "deploy/web.yaml").write_text(replicas(9))
    (stage.app / "deploy/new.yaml").write_text("a: b\n")
    where = ("--source", str(stage.app), "--manifests", str(stage.remote), "--project", "acme/web")
    ran = headgate("preview", *where)
    assert ran.code == 0, ran.err
    assert "Uncommitted files are not part of it: deploy/web.yaml, deploy/new.yaml." in " ".join(ran.out.split())
    assert "scales" not in ran.out


def test_preview_here_must_know_the_project(stage: Stage) -> None:
    ran = headgate("preview", "--source", str(stage.app), "--manifests", str(stage.remote))
    assert ran.code == ConfigError.code
    assert "it has no remote 'origin' in GitLab" in ran.err
    assert "pass --project GROUP/NAME" in ran.err
