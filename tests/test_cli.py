"""What people type: help, versions, schemas, check, commit, demo, and how bugs show."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
import yaml
from jsonschema import Draft202012Validator

from headgate import PINNED, PINNED_VALIDATOR, __version__, tools
from headgate.arguments import app
from headgate.commands.demo import examples
from headgate.engine import pool
from headgate.errors import KINDS, ArgumentError
from headgate.model import RiskFlag
from headgate.report.explanations import explanations
from headgate.schemas import FILES
from headgate.validation.rules import RULES
from support.cli import headgate
from support.manifests import COMMIT, DEPLOYMENT, DIGEST, ManifestRepository, git

ROOT = Path(__file__).parents[1]


@pytest.fixture
def web(manifests: ManifestRepository) -> ManifestRepository:
    """Return a repository with one app from a plain template, committed."""
    manifests.write({"templates/web/web.yaml": DEPLOYMENT})
    return manifests.app("web", "template: web\nenvironments: [dev]\n").commit("Begin")


def loaded_by(program: list[str], *arguments: str) -> tuple[str, set[str]]:
    """Run a command and return what it prints and the modules that it loads."""
    trace = [sys.executable, "-X", "importtime", *program[1:], *arguments]
    done = subprocess.run(trace, capture_output=True, text=True, check=True)
    return done.stdout, {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if "|" in line}


def test_version_answers_before_anything_is_loaded(headgate_program: list[str]) -> None:
    printed, loaded = loaded_by(headgate_program, "--version")
    assert printed == f"headgate {__version__} (helm {PINNED['helm']}, kustomize {PINNED['kustomize']})\n"
    assert loaded.isdisjoint({"typer", "pydantic", "yaml", "rich", "jinja2", "importlib.metadata"})


def test_nothing_asks_the_metadata_of_all_packages(headgate_program: list[str], web: ManifestRepository) -> None:
    printed, loaded = loaded_by(headgate_program, "status", "--manifests", str(web.path))
    assert "web" in printed
    assert "pydantic" in loaded
    assert "importlib.metadata" not in loaded


def test_version_command_names_tools_and_where_they_are() -> None:
    ran = headgate("version")
    assert ran.code == 0
    for name, version in PINNED.items():
        assert re.search(rf"^{name} +{re.escape(version)}$", ran.out, re.MULTILINE)
    assert re.search(r"^engine +/.*headgate-engine$", ran.out, re.MULTILINE)
    assert re.search(r"^sandbox +seccomp$", ran.out, re.MULTILINE)


def test_pinned_versions_are_those_of_go_mod() -> None:
    text = (ROOT / "image/go.mod").read_text()
    required = dict(line.split()[:2] for line in text.splitlines() if line.startswith("\t") and " v" in line)
    assert required["helm.sh/helm/v4"] == f"v{PINNED['helm']}"
    assert required["sigs.k8s.io/kustomize/kustomize/v5"] == f"v{PINNED['kustomize']}"
    judge = (ROOT / "image/validator/go.mod").read_text()
    assert f"k8s.io/kubernetes v{PINNED_VALIDATOR['kubernetes']}\n" in judge
    assert "tool (\n\thelm.sh/helm/v4/cmd/helm\n\tsigs.k8s.io/kustomize/kustomize/v5\n)" in text


@pytest.fixture
def fresh_engine() -> Iterator[None]:
    """Forget where the engine was found and end those that run, before and after."""
    tools.find_engine.cache_clear()
    pool.close_all()
    yield
    tools.find_engine.cache_clear()
    pool.close_all()


@pytest.mark.usefixtures("fresh_engine")
def test_a_missing_engine_is_an_error_that_says_how_to_get_it(
    web: ManifestRepository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    git_folder = str(Path(subprocess.check_output(["which", "git"], text=True).strip()).parent)
    monkeypatch.setenv("PATH", git_folder)
    monkeypatch.setenv("HEADGATE_TOOLS", str(tmp_path / "nothing"))
    ran = web.hydrate()
    assert ran.code == 24
    assert "headgate-engine not found" in ran.err
    assert "'make tools'" in ran.err
    version = headgate("version")
    assert version.code == 24
    assert "engine     missing" in version.out


@pytest.mark.usefixtures("fresh_engine")
def test_another_engine_than_the_pinned_one_is_refused(
    web: ManifestRepository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    greeting = {"protocol": 1, "sandbox": True, **PINNED, "helm": "3.1.0"}
    (tmp_path / tools.ENGINE).write_text(f"#!/bin/sh\necho '{json.dumps(greeting)}'\ncat >/dev/null\n")
    (tmp_path / tools.ENGINE).chmod(0o755)
    monkeypatch.setenv("HEADGATE_TOOLS", str(tmp_path))
    ran = web.hydrate()
    assert ran.code == 24
    assert "'helm': '3.1.0'" in ran.err
    assert "'make tools'" in ran.err


@pytest.mark.parametrize("name", FILES)
def test_committed_schema_is_what_the_program_prints(name: str) -> None:
    ran = headgate("schema", name)
    assert (ROOT / "schema" / f"{name}.schema.json").read_text() == ran.out
    Draft202012Validator.check_schema(json.loads(ran.out))


def test_schema_of_everything() -> None:
    assert list(json.loads(headgate("schema").out)) == list(FILES)


def test_schema_of_an_unknown_file() -> None:
    ran = headgate("schema", "ap.yaml")
    assert ran.code == 38
    assert "did you mean 'app.yaml'?" in ran.err


@pytest.mark.parametrize("path", sorted((examples() / "manifest-repo").rglob("*.yaml")), ids=lambda path: path.name)
def test_examples_fit_the_schemas(path: Path) -> None:
    if path.name in FILES:
        schema = json.loads((ROOT / "schema" / f"{path.name}.schema.json").read_text())
        Draft202012Validator(schema).validate(yaml.safe_load(path.read_text()))


def test_generated_files_are_current() -> None:
    command = [sys.executable, str(ROOT / "scripts/generate"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_check_writes_nothing_and_exits_1(web: ManifestRepository) -> None:
    ran = web.hydrate("--check")
    assert ran.code == 1
    assert "+ Deployment web/web" in ran.out
    assert not (web.path / "deploy").exists()
    assert not (web.path / "headgate.lock").exists()


def test_hydrate_writes_files_and_no_commit(web: ManifestRepository) -> None:
    assert web.hydrate().code == 0
    assert git(web.path, "log", "--format=%s") == "Begin"
    assert list(web.output()) == ["dev/web/deployment.apps-web.yaml"]
    assert web.hydrate("--check").code == 0


def test_commit_makes_one_commit_that_holds_the_output(web: ManifestRepository) -> None:
    assert web.hydrate("--commit").code == 0
    assert git(web.path, "log", "--format=%s").splitlines() == ["Hydrate web in dev", "Begin"]
    assert git(web.path, "status", "--porcelain") == ""
    assert "Headgate-App: web\nHeadgate-Environment: dev" in git(web.path, "log", "-1", "--format=%B")


def test_commit_names_the_sources_and_images_of_what_it_hydrated(web: ManifestRepository) -> None:
    image = "registry.example.com/acme/web"
    web.app("web", f"project: acme/web\nimages: {{web: {image}}}\ntemplate: web\nenvironments: [dev]\n")
    web.release("web", "dev", images={"web": image}).commit()
    assert web.hydrate("--commit").code == 0
    trailers = git(web.path, "log", "-1", "--format=%(trailers:only,unfold)").splitlines()
    assert trailers[2:] == [f"Headgate-Source: acme/web@{COMMIT}", f"Headgate-Image: {image}:1.0@{DIGEST}"]


def test_no_change_makes_no_commit(web: ManifestRepository) -> None:
    assert web.hydrate("--commit").code == 0
    ran = web.hydrate("--commit")
    assert ran.code == 0
    assert "committed" not in ran.out
    assert len(git(web.path, "log", "--format=%s").splitlines()) == 2


def test_diff_shows_fields(web: ManifestRepository) -> None:
    assert web.hydrate().code == 0
    web.write({"templates/web/web.yaml": DEPLOYMENT.replace("acme/web", "acme/web:2")})
    out = web.hydrate("--diff", "--check").out
    assert "  ~ Deployment web/web\n" in out
    assert "      spec.template.spec.containers[web].image\n" in out
    assert "      - registry.example.com/acme/web\n      + registry.example.com/acme/web:2\n" in out


def test_json_is_one_document_and_nothing_else(web: ManifestRepository) -> None:
    ran = web.hydrate("--json")
    found = json.loads(ran.out)
    assert found["version"] == 1
    (app,) = found["apps"]
    assert (app["app"], app["environment"], app["state"], app["engine"]) == ("web", "dev", "changed", "plain")
    assert app["objects"][0]["file"] == "deployment.apps-web.yaml"


def test_only_what_is_asked_for(web: ManifestRepository) -> None:
    web.app("two", "template: web\n")
    assert web.hydrate("--app", "two", "--environment", "production").code == 0
    assert list(web.output()) == ["production/two/deployment.apps-web.yaml"]


def test_a_hand_edited_output_is_put_right(web: ManifestRepository) -> None:
    assert web.hydrate().code == 0
    path = web.path / "deploy/dev/web/deployment.apps-web.yaml"
    before = path.read_text()
    path.write_text(before.replace("acme/web", "evil/web"))
    assert "1 changed" in web.hydrate().out
    assert path.read_text() == before


def test_files_of_others_in_the_output_stay(web: ManifestRepository) -> None:
    web.write({"deploy/dev/web/kustomization.yaml": "resources: []\n", "deploy/dev/other.yaml": "a: b\n"})
    assert web.hydrate().code == 0
    web.write({"templates/web/web.yaml": DEPLOYMENT.replace("name: web", "name: renamed")})
    assert web.hydrate().code == 0
    assert list(web.output()) == [
        "dev/other.yaml",
        "dev/web/deployment.apps-renamed.yaml",
        "dev/web/kustomization.yaml",
    ]


def test_a_file_in_the_way_is_not_overwritten(web: ManifestRepository) -> None:
    web.write({"deploy/dev/web/deployment.apps-web.yaml": "mine: true\n"})
    ran = web.hydrate()
    assert ran.code == 20
    assert "deploy/dev/web/deployment.apps-web.yaml: a file that Headgate did not write is in the way" in ran.err


def service_accounts(*names: str) -> str:
    return "---\n".join(f"apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}}}\n" for name in names)


def test_mass_removal_needs_a_word(web: ManifestRepository) -> None:
    web.write({"templates/web/web.yaml": service_accounts(*"abcdefgh")})
    assert web.hydrate().code == 0
    web.write({"templates/web/web.yaml": service_accounts("a")})
    ran = web.hydrate()
    assert ran.code == 20
    assert "deploy/dev/web: would remove 7 of 8 objects" in ran.err
    assert len(web.output()) == 8
    assert web.hydrate("--allow-removals").code == 0
    assert len(web.output()) == 1


def test_one_object_in_two_apps_of_one_cluster_is_refused(web: ManifestRepository) -> None:
    assert web.hydrate().code == 0
    web.app("late", "template: web\nnamespace: web\nenvironments: [dev]\n")
    ran = web.hydrate("--app", "late")
    assert ran.code == 18
    assert (
        "late in dev: templates/web/web.yaml: Deployment web/web would exist twice in cluster 'dev': web in dev"
        in ran.err
    )
    assert list(web.output()) == ["dev/web/deployment.apps-web.yaml"]


def test_plain_lines_in_a_log_and_no_control_characters(web: ManifestRepository) -> None:
    ran = web.hydrate()
    assert "\x1b" not in ran.out + ran.err


def test_demo_shows_both_hand_offs_and_the_template_change(tmp_path: Path) -> None:
    ran = headgate("demo", "--directory", str(tmp_path / "demo"))
    assert ran.code == 0, ran.err
    for title in (
        "1. Hand off version 1",
        "2. Hand off its tag v1.0.0",
        "3. Hand off version 2",
        "4. Change a template",
    ):
        assert title in ran.out
    manifests = tmp_path / "demo/manifest-repo"
    assert git(manifests, "status", "--porcelain") == ""
    assert {
        one["engine"] for one in json.loads(headgate("hydrate", "--manifests", str(manifests), "--json").out)["apps"]
    } == {
        "helm",
        "kustomize",
        "jinja2",
        "plain",
    }
    assert headgate("hydrate", "--manifests", str(manifests), "--check", "--all").code == 0


def test_demo_does_not_write_into_a_folder_with_files(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    ran = headgate("demo", "--directory", str(tmp_path))
    assert ran.code == 20
    assert [path.name for path in tmp_path.iterdir() if path.name != "manifests"] == ["mine"]


def test_demo_with_clusters_says_how_to_get_its_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_TOOLS", str(tmp_path))
    (tmp_path / "etcd").touch()
    ran = headgate("demo", "--cluster")
    assert ran.code == 24
    assert "kube-apiserver, kubectl" in ran.err
    assert "etcd" not in ran.err
    assert "make cluster-tools" in ran.err
    monkeypatch.setattr("headgate.commands.demo.find_spec", lambda _: None)
    assert "needs a checkout of Headgate" in headgate("demo", "--cluster").err


def test_usage_errors_exit_2(headgate_program: list[str]) -> None:
    for args in (["hydrate", "--no-such-option"], ["hydrate", "--check", "--commit"], ["deliver"]):
        done = subprocess.run([*headgate_program, *args], capture_output=True, text=True, check=False)
        assert done.returncode == 2, done.stderr


def commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield all commands by their names, those in groups too."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{name} ")
        else:
            yield before + name, command


def test_each_command_has_an_example_in_its_help_that_the_program_takes() -> None:
    for name, command in commands(typer.main.get_command(app)):
        assert command.epilog.startswith("Examples:\n\n"), name
        for line in command.epilog.split("\n\n")[1:]:
            program, *words = shlex.split(line)
            parts = name.split()
            assert (program, words[: len(parts)]) == ("headgate", parts)
            command.make_context(name, words[len(parts) :])
    shown = headgate("where", "--help")
    assert "headgate where sha256:7d0c1f6e2b90 --history" in shown.out


@pytest.mark.parametrize("code", ["0", "27", "unknown-field", "privileged"])
def test_what_a_code_means_is_said(code: str) -> None:
    ran = headgate("explain", code)
    assert ran.code == 0
    assert ran.out.startswith(f"{code}: ")
    assert all(len(line) <= 80 for line in ran.out.splitlines())
    assert json.loads(headgate("explain", code, "--json").out)["code"] == code


def test_each_exit_code_rule_and_flag_has_an_explanation() -> None:
    known = explanations()
    names = {*(str(kind.code) for kind in KINDS), "0", "1", "2", *RULES, *get_args(RiskFlag)}
    assert set(known) == names
    assert [name for name, found in known.items() if not found.title or not found.advice] == []
    ran = headgate("explain", "unknown-feild")
    assert ran.code == ArgumentError.code
    assert "did you mean 'unknown-field'?" in ran.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_options(shell: str, headgate_program: list[str], tmp_path: Path) -> None:
    """The script asks the program by its own variable; where the shell is here, it runs the script, too."""
    script = headgate("completion", shell).out
    assert "_HEADGATE_COMPLETE" in script
    asked = {
        "bash": {"COMP_WORDS": "headgate hist", "COMP_CWORD": "1"},
        "zsh": {"_TYPER_COMPLETE_ARGS": "headgate hist"},
        "fish": {"_TYPER_COMPLETE_ARGS": "headgate hist", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }
    env = {**os.environ, **asked[shell], "_HEADGATE_COMPLETE": f"complete_{shell}"}
    done = subprocess.run(headgate_program, capture_output=True, text=True, check=False, env=env)
    assert "history" in done.stdout
    assert "status" not in done.stdout
    if program := shutil.which(shell):
        file = tmp_path / "completion"
        file.write_text(script)
        flag = ["--no-execute"] if shell == "fish" else ["-n"]
        assert subprocess.run([program, *flag, str(file)], capture_output=True, check=False).returncode == 0
