"""Real charts and kustomizations: deploy/ holds what bare Helm and Kustomize print, but for images and namespaces."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from support.judges import judge
from support.manifests import DIGEST, ManifestRepository

ENVIRONMENTS = ("dev", "staging", "production")

HEADGATE_YAML = """
version: 1
environments:
  dev: {takes: {branch: main}, delivery: commit, kubernetes: "1.34"}
  staging: {takes: {branch: main}, delivery: commit, kubernetes: "1.34"}
  production: {takes: {tag: "v*"}, delivery: review, kubernetes: "1.34"}
"""
BOUTIQUE_OVERLAY = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../base]
components: [../../components/network-policies, ../../components/without-loadgenerator]
"""
PODINFO_IMAGE = "ghcr.io/stefanprodan/podinfo"


@pytest.fixture(scope="module")
def repository(real: Path, tmp_path_factory: pytest.TempPathFactory) -> ManifestRepository:
    """Return one manifest repository with the three apps in three environments, hydrated."""
    made = ManifestRepository.make(tmp_path_factory.mktemp("real") / "manifests")
    made.write({"headgate.yaml": HEADGATE_YAML})
    for name, source in (
        ("podinfo", real / "podinfo/charts/podinfo"),
        ("overlays", real / "podinfo/deploy"),
        ("boutique", real / "online-boutique/kustomize"),
    ):
        shutil.copytree(source, made.path / "templates" / name)
    made.write({f"templates/boutique/overlays/{name}/kustomization.yaml": BOUTIQUE_OVERLAY for name in ENVIRONMENTS})
    image = f"project: acme/web\nimages: {{podinfo: {PODINFO_IMAGE}}}\n"
    values = "redis: {enabled: true}\nhpa: {enabled: true}\nmode: '0644'\nextraEnvs: [{name: PORT, value: '8080'}]\n"
    made.app("podinfo", f"{image}template: podinfo\nhooks: drop\n", {"values.yaml": values})
    made.app("boutique", "template: boutique\n")
    namespaces = ", ".join(f"{name}: {{namespace: {name}}}" for name in ENVIRONMENTS)
    made.app("overlays", f"{image}template: overlays\nenvironments: {{{namespaces}}}\n")
    for name in ENVIRONMENTS:
        made.release("podinfo", name, images={"podinfo": PODINFO_IMAGE})
        made.release("overlays", name, images={"podinfo": PODINFO_IMAGE})
    ran = made.hydrate()
    assert ran.code == 0, ran.err
    assert "9 app-environments: 9 changed" in ran.out
    return made


def bare(*args: str) -> list[str]:
    """Run a tool and return the documents that it prints."""
    tool, *rest = args
    done = subprocess.run([judge(tool), *rest], check=True, capture_output=True, text=True)
    return [part for part in ("\n" + done.stdout).split("\n---\n") if part.strip()]


def helm_documents(repository: ManifestRepository, environment: str) -> list[str]:
    chart, values = repository.path / "templates/podinfo", repository.path / "apps/podinfo/values.yaml"
    return bare(
        *("helm", "template", "podinfo", str(chart), "--namespace", "podinfo", "--include-crds"),
        *("--kube-version", "1.34", "--values", str(values), "--no-hooks"),
    )


def kustomize_documents(repository: ManifestRepository, app: str, environment: str) -> list[str]:
    return bare("kustomize", "build", str(repository.path / "templates" / app / "overlays" / environment))


def typed(value: Any) -> Any:
    """Return a value with the type of each scalar, since Python takes 1 for True and for 1.0."""
    if isinstance(value, dict):
        return {str(key): typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return type(value).__name__, value


def by_identity(documents: list[str], namespace: str) -> dict[tuple[str, ...], Any]:
    """Read documents with a YAML 1.1 and a YAML 1.2 reader, with the namespace and digests that Headgate adds."""
    found: dict[tuple[str, ...], Any] = {}
    for text in documents:
        readings = [yaml.safe_load(text), YAML(typ="safe", pure=True).load(text)]
        if readings[0] is None:
            continue
        for data in readings:
            if data["kind"] != "Namespace":
                data["metadata"].setdefault("namespace", namespace)
            pin(data)
        first = readings[0]
        key = (
            first["apiVersion"],
            first["kind"],
            first["metadata"].get("namespace", ""),
            first["metadata"]["name"],
        )
        assert key not in found
        found[key] = [typed(data) for data in readings]
    return found


def pin(data: Any) -> None:
    """Put the released digest where a container runs podinfo."""
    if isinstance(data, dict):
        image = data.get("image")
        if isinstance(image, str) and image.split(":")[0] == PODINFO_IMAGE:
            data["image"] = f"{PODINFO_IMAGE}:1.0@{DIGEST}"
        for item in data.values():
            pin(item)
    elif isinstance(data, list):
        for item in data:
            pin(item)


@pytest.mark.long
@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("app", ["podinfo", "overlays", "boutique"])
def test_output_equals_what_the_bare_tool_prints(repository: ManifestRepository, app: str, environment: str) -> None:
    if app == "podinfo":
        documents = helm_documents(repository, environment)
    else:
        documents = kustomize_documents(repository, app, environment)
    namespace = environment if app == "overlays" else app

    expected = by_identity(documents, namespace)
    found = by_identity(list(repository.output(f"deploy/{environment}/{app}").values()), namespace)

    assert len(expected) >= 5
    assert found == expected


def test_images_of_the_app_are_pinned(repository: ManifestRepository) -> None:
    text = "".join(repository.output("deploy/dev").values())
    assert f"image: {PODINFO_IMAGE}:1.0@{DIGEST}" in text
    assert f"image: {PODINFO_IMAGE}:6" not in text


def test_hydrating_again_changes_nothing(repository: ManifestRepository) -> None:
    before = repository.output()
    assert repository.hydrate("--all", "--check").code == 0
    assert repository.output() == before
