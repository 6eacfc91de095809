"""What reviewers see of real apps: a new image is routine and nothing else, another value is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from headgate.config import load
from headgate.report.appchange import AppChange, app_changes
from headgate.report.changereport import ChangeReport, risk_facts
from headgate.report.screen import change_lines
from headgate.report.verdict import verdict_of
from headgate.repository.tree import Tree
from support.manifests import ManifestRepository
from support.trees import tree_of

PODINFO = "ghcr.io/stefanprodan/podinfo"
PART = {"project": "acme/web", "ref": "refs/heads/main"}
SETTINGS = """
version: 1
environments:
  production: {takes: {branch: main}, delivery: review, kubernetes: "1.34"}
"""
OVERLAY = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../base]
"""


def boutique_images(real: Path) -> dict[str, str]:
    """Return the repositories of Online Boutique's own images, by a name."""
    found = {}
    for file in sorted((real / "online-boutique/kustomize/base").glob("*.yaml")):
        for data in yaml.safe_load_all(file.read_text()):
            if data and data["kind"] == "Deployment":
                for container in data["spec"]["template"]["spec"]["containers"]:
                    name = container["image"].split("@")[0].rpartition(":")[0]
                    if "microservices-demo" in name:
                        found[name.rpartition("/")[2]] = name
    return found


def release(images: dict[str, str], tag: str) -> str:
    number = tag[-1]
    parts = {
        name: {**PART, "commit": number * 40, "repository": where, "tag": tag, "digest": f"sha256:{number * 64}"}
        for name, where in images.items()
    }
    return yaml.safe_dump({"version": 1, "images": parts})


def read(repository: ManifestRepository) -> Tree:
    files = [path for path in repository.path.rglob("*") if path.is_file() and ".git" not in path.parts]
    return tree_of({path.relative_to(repository.path).as_posix(): path.read_bytes() for path in files})


@pytest.fixture(scope="module")
def apps(real: Path) -> dict[str, dict[str, str]]:
    images = boutique_images(real)
    assert len(images) > 5
    return {"podinfo": {"podinfo": PODINFO}, "boutique": images}


@pytest.fixture(scope="module")
def repository(
    real: Path, apps: dict[str, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> ManifestRepository:
    made = ManifestRepository.make(tmp_path_factory.mktemp("review") / "manifests")
    shutil.copytree(real / "podinfo/charts/podinfo", made.path / "templates/podinfo")
    shutil.copytree(real / "online-boutique/kustomize", made.path / "templates/boutique")
    made.write({"headgate.yaml": SETTINGS, "templates/boutique/overlays/production/kustomization.yaml": OVERLAY})
    for app, images in apps.items():
        hooks = "hooks: drop\n" if app == "podinfo" else ""
        made.app(app, f"project: acme/web\nimages: {images}\ntemplate: {app}\n{hooks}")
        made.write({f"apps/{app}/releases/production/release.yaml": release(images, "v1.0.1")})
    return made


def changed(repository: ManifestRepository, files: dict[str, str]) -> list[AppChange]:
    """Return what files change, and put them back."""
    assert repository.hydrate().code == 0
    before, kept = read(repository), {}
    for name in files:
        path = repository.path / name
        kept[name] = path.read_text() if path.exists() else ""
    repository.write(dict(files))
    assert repository.hydrate().code == 0
    after = read(repository)
    repository.write(dict(kept))
    return app_changes(before, after, load(after))


def test_new_images_of_real_apps_are_routine(repository: ManifestRepository, apps: dict[str, dict[str, str]]) -> None:
    files = {f"apps/{app}/releases/production/release.yaml": release(images, "v1.0.2") for app, images in apps.items()}
    found = changed(repository, files)
    assert {change.app for change in found} == set(apps)
    assert str(verdict_of(found)) == "Routine: only images and versions change"
    assert risk_facts(found) == []
    effects = [effect for change in found for effect in change.objects]
    assert len(effects) > len(apps["boutique"]) - 1
    assert all(effect.causes.certain and not effect.causes.possible for effect in effects)
    assert {cause.kind for effect in effects for cause in effect.causes.certain} == {"image"}
    assert {found.kind for effect in effects for found in effect.change.effects} == {"restarts"}
    text = "\n".join(line for line, _ in change_lines(ChangeReport(changes=found)))
    assert text.startswith("Routine: only images and versions change\n")
    assert "podinfo in production: image podinfo: v1.0.1 -> v1.0.2" in text


def test_another_value_of_a_real_chart_is_not_routine(repository: ManifestRepository) -> None:
    found = changed(repository, {"apps/podinfo/values.yaml": "replicaCount: 3\nservice: {type: LoadBalancer}\n"})
    verdict = str(verdict_of(found))
    assert verdict.startswith("Look at this: 1 object newly reachable from outside, ")
    assert {str(effect.causes) for change in found for effect in change.objects} == {"apps/podinfo/values.yaml"}
