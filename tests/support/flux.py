"""Manifest repositories whose Flux objects Headgate writes, and the CRDs of Flux."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from headgate import tools

SETTINGS = """\
version: 1
gitlab: {url: "https://gitlab.example.com", project: platform/manifests}
environments:
  dev: {takes: {branch: main}, delivery: commit}
  production: {takes: {tag: "v*", order: semver}, delivery: review, cluster: eu}
clusters:
  dev: {flux: {}}
  eu: {flux: {labels: {pod-security.kubernetes.io/enforce: baseline}}}
"""
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: '1'}\n"
VERSIONS = ("2.6", "2.7", "2.8")
KUSTOMIZATION = "kustomization.kustomize.toolkit.fluxcd.io"


def kustomization(cluster: str, name: str) -> str:
    """Return the path of a Kustomization that Headgate wrote."""
    return f"clusters/{cluster}/{KUSTOMIZATION}-{name}.yaml"


def read_objects(folder: Path) -> dict[str, dict[str, object]]:
    """Return the objects in a folder by the names of their files."""
    return {path.name: yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml"))}


def definitions(version: str) -> list[Path]:
    """Return the CRDs of a version of Flux, as `make flux-crds` fetched them."""
    found = sorted((tools.own_folder() / "flux-crds" / version).glob("*.yaml"))
    if not found:
        pytest.fail(f"the CRDs of Flux {version} are not here: run 'make flux-crds'")
    return found
