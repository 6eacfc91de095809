"""Manifest repositories whose Flux objects Headgate writes, and the CRDs of Flux."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
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
    """Return the CRDs of a version of Flux, as `make flux-crds` made them."""
    found = sorted((tools.own_folder() / "flux-crds" / version).glob("*.yaml"))
    if not found:
        pytest.fail(f"the CRDs of Flux {version} are not here: run 'make flux-crds'")
    return found


@dataclass(frozen=True)
class NotificationController:
    """Posts commit statuses as the ``gitlab`` provider of Flux's notification-controller does, 2.6 to 2.8.

    Name, state and description are made as it makes them; what a commit has already is not posted again.
    """

    url: str
    project: str
    token: str
    uid: str = "1a2b3c4d-0000-4000-8000-000000000000"

    def post(self, commit: str, kustomization: str, reason: str, severity: str = "info") -> None:
        """Post what kustomize-controller says of a Kustomization, by its event's reason and severity."""
        if reason == "Progressing":
            return
        words = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|[a-z]+", reason)
        body = {
            "name": f"Kustomization/{kustomization}/{self.uid.partition('-')[0]}".lower(),
            "state": {"info": "success", "error": "failed"}[severity],
            "description": " ".join(words).lower(),
        }
        api = f"{self.url}/api/v4/projects/{self.project.replace('/', '%2F')}"
        headers = {"PRIVATE-TOKEN": self.token}
        path = f"{api}/repository/commits/{commit}/statuses"
        known = requests.get(path, params={"name": body["name"]}, headers=headers, timeout=30).json()
        facts = (body["state"], body["description"])
        if known and (known[0]["status"], known[0]["description"]) == facts:
            return
        answer = requests.post(f"{api}/statuses/{commit}", json=body, headers=headers, timeout=30)
        assert answer.status_code == 201, (answer.status_code, dict(answer.headers), answer.text)
