"""What ``headgate init`` writes runs as it is: all that a first deployment needs is there, and nobody objects to it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from headgate.scaffolding import SETUPS
from support.cli import Ran, headgate
from support.manifests import git, make_empty
from support.validator import use_validator

IMAGE = f"registry.example.com/acme/shop:1@sha256:{'1' * 64}"


def begin(folder: Path, setup: str = "direct", *args: str) -> Path:
    """Write a manifest repository and commit it."""
    server = ("--server", "https://gitlab.example.com", "--project", "acme/manifests")
    ran = headgate("init", str(folder), *server, "--setup", setup, "--app-project", "acme/shop", *args)
    assert ran.code == 0, ran.err
    make_empty(folder)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Begin")
    return folder


def deliver(folder: Path, *args: str) -> Ran:
    """Hand a first version off."""
    who = ("--project", "acme/shop", "--commit", "1" * 40, "--image", IMAGE)
    return headgate("deliver", "--manifests", str(folder), *who, *args)


def objects(folder: Path) -> dict[str, Any]:
    """Return the app's objects in dev, by their kinds."""
    names = git(folder, "ls-tree", "-r", "--name-only", "main", "--", "deploy/dev/shop").split()
    texts = [git(folder, "show", f"main:{name}") for name in names if name.endswith(".yaml")]
    found = [yaml.safe_load(text) for text in texts]
    return {entry["kind"]: entry for entry in found if "kind" in entry}


def test_the_first_version_has_all_that_it_needs_to_run(tmp_path: Path) -> None:
    folder = begin(tmp_path / "manifests")
    assert deliver(folder).code == 0
    found = objects(folder)
    assert sorted(found) == ["Deployment", "Namespace", "Service"]
    assert found["Namespace"]["metadata"]["name"] == "shop"
    assert found["Namespace"]["metadata"]["annotations"] == {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
    pod = found["Deployment"]["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["securityContext"]["runAsNonRoot"] is True
    (container,) = pod["containers"]
    assert container["readinessProbe"]["tcpSocket"] == {"port": "http"}
    assert container["livenessProbe"]["tcpSocket"] == {"port": "http"}
    assert container["resources"] == {"limits": {"memory": "256Mi"}, "requests": {"cpu": "50m", "memory": "64Mi"}}
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


@pytest.mark.parametrize("args", [(), ("--flux",)])
def test_nobody_objects_to_it(tmp_path: Path, args: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    use_validator(monkeypatch)
    folder = begin(tmp_path / "manifests", "direct", *args)
    ran = deliver(folder, "--dry-run", "--json")
    assert ran.code == 0, ran.err
    shown = json.loads(ran.out)
    assert shown["review"]["findings"] == []
    assert [(entry["app"], entry["environment"], entry["warnings"]) for entry in shown["apps"]] == [("shop", "dev", [])]
    file = folder / "templates/web/templates/deployment.yaml"
    file.write_text(file.read_text().replace("automountServiceAccountToken", "automountToken"))
    git(folder, "commit", "--quiet", "--all", "--message", "Misspell")
    assert "automountToken" in str(json.loads(deliver(folder, "--dry-run", "--json").out)["review"]["findings"])


def test_what_is_set_in_values_is_taken(tmp_path: Path) -> None:
    folder = begin(tmp_path / "manifests")
    values = 'probe: /healthz\npullSecret: ""\nnamespace: false\nhost: shop.example.com\nenv: {MODE: "on"}\n'
    (folder / "apps/shop/values.yaml").write_text(values)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Values")
    assert deliver(folder).code == 0
    found = objects(folder)
    assert sorted(found) == ["Deployment", "Ingress", "Service"]
    pod = found["Deployment"]["spec"]["template"]["spec"]
    assert "imagePullSecrets" not in pod
    assert pod["containers"][0]["readinessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}


def test_the_namespace_is_of_whoever_writes_the_flux_objects(tmp_path: Path) -> None:
    folder = begin(tmp_path / "manifests", "direct", "--flux")
    assert deliver(folder).code == 0
    assert "Namespace" not in objects(folder)
    assert git(folder, "grep", "-l", "kind: Namespace", "main", "--", "clusters/dev")


@pytest.mark.parametrize("setup", SETUPS)
def test_the_repository_says_what_is_in_it(tmp_path: Path, setup: str) -> None:
    folder = begin(tmp_path / "manifests", setup)
    text = (folder / "README.md").read_text()
    assert text.startswith("# acme/manifests\n")
    assert f"headgate doctor --setup {setup}" in text
    assert not re.search("__[A-Z]+__", text)
    assert (folder / "CODEOWNERS").is_file()


def test_editors_find_the_schemas(tmp_path: Path) -> None:
    folder = begin(tmp_path / "manifests")
    assert headgate("app", "add", "cart", "--app-project", "acme/cart", "--manifests", str(folder)).code == 0
    for name in ("headgate.yaml", "apps/shop/app.yaml", "apps/cart/app.yaml"):
        file = folder / name
        text = file.read_text()
        found = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
        assert found, text
        schema = (file.parent / found[1]).resolve()
        assert schema.read_text() == headgate("schema", file.name).out
        Draft202012Validator(json.loads(schema.read_text())).validate(yaml.safe_load(text))


def test_a_readme_that_is_there_stays(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "README.md").write_text("ours\n")
    begin(folder)
    assert (folder / "README.md").read_text() == "ours\n"
