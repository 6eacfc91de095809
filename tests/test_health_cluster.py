"""Health read from a real API server with Flux's CRDs, by what a kubeconfig gives: a token, or a certificate."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.apiserver import ApiServer, serve_apiserver
from support.cli import Ran, headgate
from support.flux import CONFIG_MAP, definitions
from support.manifests import ManifestRepository, git

pytestmark = pytest.mark.long

SETTINGS = """\
version: 1
gitlab: {url: "https://gitlab.example.com", project: platform/manifests}
environments: {dev: {delivery: commit}}
clusters: {dev: {flux: {}, health: {kubernetes: test}}}
"""
STATUS = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/shop.dev"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with serve_apiserver(tmp_path_factory.mktemp("health")) as running:
        found = [path for path in definitions("2.8") if "kustomizations" in path.name]
        running.kubectl("apply", "--server-side", f"--filename={found[0]}")
        name = yaml.safe_load(found[0].read_text())["metadata"]["name"]
        running.kubectl("wait", "--for=condition=Established", "--timeout=600s", f"crd/{name}")
        running.kubectl("create", "namespace", "flux-system")
        yield running


@pytest.fixture
def repository(
    manifests: ManifestRepository, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ManifestRepository]:
    """Return a repository with an app, whose Kustomization is in the cluster."""
    manifests.write({"headgate.yaml": SETTINGS, "templates/plain/map.yaml": CONFIG_MAP})
    manifests.app("shop", "template: plain\n")
    assert manifests.hydrate().code == 0
    manifests.commit()
    for path in (manifests.path / "clusters/dev").glob("kustomization*"):
        server.kubectl("apply", "--server-side", f"--filename={path}")
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))
    yield manifests
    server.kubectl("delete", "kustomization", "--namespace=flux-system", "--ignore-not-found", "shop.dev")


def wait(repository: ManifestRepository) -> Ran:
    return headgate("wait", "--manifests", str(repository.path), "--timeout", "0s")


def say(
    server: ApiServer, revision: str, status: str, reason: str, message: str = "", generation: int | None = None
) -> None:
    """Let the Kustomization have the status that kustomize-controller gives it."""
    found: Any = server.get(STATUS).json()
    ready = {"type": "Ready", "status": status, "reason": reason, "message": message}
    revisions = {"lastAttemptedRevision": f"main@sha1:{revision}"}
    revisions |= {"lastAppliedRevision": f"main@sha1:{revision}"} if status == "True" else {}
    found["status"] = {
        "observedGeneration": generation or found["metadata"]["generation"],
        "conditions": [{**ready, "lastTransitionTime": "2026-11-20T12:00:00Z"}],
        **revisions,
    }
    answer = server.session.put(f"{server.url}{STATUS}/status", json=found, timeout=30)
    assert answer.ok, answer.text


def test_health_follows_the_kustomization(repository: ManifestRepository, server: ApiServer) -> None:
    head = git(repository.path, "rev-parse", "HEAD")
    assert wait(repository).code == 37
    say(server, head, "Unknown", "Progressing")
    assert wait(repository).code == 37
    say(server, head, "False", "HealthCheckFailed", "timeout waiting for: [Deployment/shop/web status: 'InProgress']")
    ran = wait(repository)
    assert ran.code == 35
    assert "HealthCheckFailed: timeout waiting for: [Deployment/shop/web status: 'InProgress']" in ran.out
    say(server, head, "False", "DependencyNotReady", "dependency 'flux-system/db.dev' is not ready")
    assert wait(repository).code == 37
    say(server, head, "True", "ReconciliationSucceeded")
    ran = wait(repository)
    assert (ran.code, ran.out) == (0, "shop in dev: healthy since 2026-11-20 12:00\n")


def test_what_flux_applied_must_be_this_yaml(repository: ManifestRepository, server: ApiServer) -> None:
    old = git(repository.path, "rev-parse", "HEAD")
    say(server, old, "True", "ReconciliationSucceeded")
    repository.write({"templates/plain/map.yaml": CONFIG_MAP.replace("'1'", "'2'")})
    assert repository.hydrate().code == 0
    repository.commit()
    assert wait(repository).code == 37
    repository.write({"README.md": "more"}).commit()
    say(server, git(repository.path, "rev-parse", "HEAD^"), "True", "ReconciliationSucceeded")
    assert wait(repository).code == 0


def test_a_status_of_an_older_generation_does_not_count(repository: ManifestRepository, server: ApiServer) -> None:
    head = git(repository.path, "rev-parse", "HEAD")
    generation = server.get(STATUS).json()["metadata"]["generation"]
    say(server, head, "True", "ReconciliationSucceeded", generation=generation + 1)
    assert wait(repository).code == 37


def test_a_kustomization_that_is_not_there_yet_is_waited_for(repository: ManifestRepository, server: ApiServer) -> None:
    server.kubectl("delete", "kustomization", "--namespace=flux-system", "shop.dev")
    assert wait(repository).code == 37


def changed(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **user: object) -> Any:
    """Use a copy of the kubeconfig whose user is another one."""
    data = json.loads(server.kubeconfig.read_text())
    data["users"][0]["user"] = user
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(data))
    monkeypatch.setenv("KUBECONFIG", f"{file}:/nowhere")
    return data


def test_authority_and_token_may_stand_in_files_or_in_the_kubeconfig(
    repository: ManifestRepository, server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(server, git(repository.path, "rev-parse", "HEAD"), "True", "ReconciliationSucceeded")
    token = json.loads(server.kubeconfig.read_text())["users"][0]["user"]["token"]
    (tmp_path / "token").write_text(f"{token}\n")
    data = changed(server, tmp_path, monkeypatch, tokenFile="token")
    authority = Path(data["clusters"][0]["cluster"].pop("certificate-authority"))
    data["clusters"][0]["cluster"]["certificate-authority-data"] = base64.b64encode(authority.read_bytes()).decode()
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(data))
    assert wait(repository).code == 0
    del data["clusters"][0]["cluster"]["certificate-authority-data"]
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(data))
    ran = wait(repository)
    assert ran.code == 36
    assert "did not answer: SSLError" in ran.out


@pytest.mark.parametrize(
    ("user", "told"),
    [
        ({"token": "wrong"}, "answered 401"),
        ({}, "neither a token nor a certificate with a key"),
        ({"exec": {"command": "aws"}}, "neither a token nor a certificate with a key"),
        ({"tokenFile": "gone"}, "it cannot be used: FileNotFoundError"),
    ],
)
def test_what_cannot_be_asked_is_unknown(
    repository: ManifestRepository,
    server: ApiServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    user: dict[str, object],
    told: str,
) -> None:
    changed(server, tmp_path, monkeypatch, **user)
    ran = wait(repository)
    assert ran.code == 36
    assert told in ran.out


def test_no_kubeconfig_is_unknown(repository: ManifestRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG")
    ran = wait(repository)
    assert (ran.code, "KUBECONFIG names no kubeconfig" in ran.out) == (36, True)


def test_a_context_that_is_not_there_is_told(repository: ManifestRepository) -> None:
    repository.write(
        {
            "headgate.yaml": SETTINGS.replace("kubernetes: test", "kubernetes: tset"),
        }
    ).commit()
    ran = wait(repository)
    assert (ran.code, "it has no context 'tset', expected one of: test" in ran.out) == (36, True)
