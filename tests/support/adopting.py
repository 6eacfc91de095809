"""Running manifest repositories of other layouts, and ``headgate adopt`` on them."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.cli import Ran, headgate
from support.judges import judge
from support.manifests import ManifestRepository, git, make_empty

BRANCH = "adopt-headgate"
DIGEST = "sha256:" + "5" * 64

DEPLOYMENT = """\
# the shop
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
  namespace: shop
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: shop}}}}
  template:
    metadata: {{labels: {{app: shop}}}}
    spec:
      containers:
        - name: shop
          image: {image}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: shop}
spec: {selector: {app: shop}, ports: [{port: 80}]}
"""
IMAGE = "registry.example.com/acme/shop:1.4.2"


def deployment(image: str = IMAGE, replicas: int = 1) -> str:
    """Return the shop's Deployment."""
    return DEPLOYMENT.format(image=image, replicas=replicas)


@dataclass(frozen=True)
class Running:
    """A checkout of a running manifest repository."""

    path: Path

    def write(self, files: dict[str, str]) -> Running:
        """Write files and commit them; texts are dedented."""
        ManifestRepository(self.path).write(dict(files))
        return self.commit()

    def copy(self, source: Path, name: str) -> Running:
        """Copy a folder and commit it."""
        shutil.copytree(source, self.path / name)
        return self.commit()

    def commit(self) -> Running:
        ManifestRepository(self.path).commit("Run")
        return self

    def adopt(self, *args: str) -> Ran:
        return headgate("adopt", str(self.path), *args)

    def proof(self, *args: str) -> dict[str, Any]:
        """Adopt, and return the proof."""
        ran = self.adopt("--json", *args)
        assert ran.out, ran.err
        found: dict[str, Any] = json.loads(ran.out)
        return found

    def is_written(self) -> bool:
        return bool(git(self.path, "branch", "--list", BRANCH))

    def show(self, path: str) -> str:
        """Return a file of the commit that was made."""
        return git(self.path, "show", f"{BRANCH}:{path}")

    def files(self, folder: str) -> list[str]:
        """Return the files of the commit that was made, below a folder, by their paths from there."""
        listed = git(self.path, "ls-tree", "-r", "--name-only", BRANCH, f"{folder}/").splitlines()
        return [path.removeprefix(f"{folder}/") for path in listed]


def make_running(folder: Path) -> Running:
    """Make an empty one."""
    path = folder / "running"
    path.mkdir()
    make_empty(path)
    return Running(path)


def stands(running: Running, folder: Path) -> None:
    """Assert that what was written is a manifest repository in which nothing is left to be hydrated."""
    git(running.path, "clone", "--quiet", "--branch", BRANCH, str(running.path), str(folder))
    ran = headgate("hydrate", "--manifests", str(folder), "--check", "--all")
    assert (ran.code, ran.err) == (0, ""), ran.out


def equal(proof: dict[str, Any]) -> dict[tuple[str, str], int]:
    """Assert that nothing differs, and return how many objects each app has in each environment."""
    assert [found["differences"] for found in proof["apps"] if found["differences"]] == []
    assert proof["errors"] == []
    assert proof["is_equal"]
    return {(found["app"], found["environment"]): found["objects"] for found in proof["apps"]}


def differing(proof: dict[str, Any]) -> list[tuple[str, str, str, list[dict[str, Any]]]]:
    """Return each object that differs: environment, action, name, fields."""
    return [
        (found["environment"], each["action"], f"{each['kind']} {each['name']}", each["fields"])
        for found in proof["apps"]
        for each in found["differences"]
    ]


def rendered(folder: Path, environment: str, app: str, *command: str) -> Path:
    """Write what a program prints as today's YAML of an app, and return the folder of all."""
    tool, *args = command
    done = subprocess.run([judge(tool), *args], check=True, capture_output=True, text=True)
    target = folder / environment / f"{app}.yaml"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(done.stdout)
    return folder


def flux_kustomization(name: str, path: str, **spec: Any) -> str:
    data = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": "flux-system"},
        "spec": {"path": f"./{path}", "interval": "10m", "prune": True, **spec},
    }
    return yaml.safe_dump(data)


MARKED = """\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: shop, namespace: flux-system}
spec: {image: registry.example.com/acme/shop, interval: 5m}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: shop, namespace: flux-system}
spec: {imageRepositoryRef: {name: shop}, policy: {semver: {range: 1.x}}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {name: images, namespace: flux-system}
spec: {interval: 30m, sourceRef: {kind: GitRepository, name: flux-system}}
"""


def marked(running: Running, image: str) -> Running:
    marker = '# {"$imagepolicy": "flux-system:shop"}'
    texts = {name: deployment(f"{image} {marker}") for name in ("dev", "production")}
    files = {f"{name}/shop/deployment.yaml": text for name, text in texts.items()}
    return running.write({**files, "automation/images.yaml": MARKED})
