"""OCI artifacts: what is in them, when they are pushed, and the Flux objects that read them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.config import load
from headgate.errors import ConfigError, RegistryError
from headgate.health.kubernetes import KubernetesReports
from headgate.registry.artifact import CONFIG_TYPE, LAYER_TYPE, flux_artifact
from headgate.repository.tree import MemoryBlob, Tree
from support.flux import CONFIG_MAP, SETTINGS, kustomization, read_objects
from support.gitlab.gitside import git, refs
from support.gitlab.mergeside import merge
from support.manifests import ManifestRepository
from support.publishing import publishing, pulled, unpacked
from support.registry import ROBOT, Registry, htpasswd, serve_registry
from support.reviewing import Scene

FILES = {
    "web/deployment.yaml": b"kind: Deployment\n",
    "web/.headgate.json": b"{}",
    f"{'a' * 150}/{'b' * 150}.yaml": b"x",
}
FACTS = {
    "source": "https://gitlab.example.com/a/b.git",
    "revision": f"main@sha1:{'1' * 40}",
    "created": "2026-11-20T12:00:00Z",
}


# What is in an artifact


def test_the_same_files_give_the_same_bytes() -> None:
    first, again = flux_artifact(FILES, **FACTS), flux_artifact(dict(reversed(FILES.items())), **FACTS)
    assert first == again
    assert unpacked(first.blobs[0]) == FILES
    other = flux_artifact(FILES, **{**FACTS, "revision": f"main@sha1:{'2' * 40}"})
    assert other.blobs[0] == first.blobs[0]
    assert other.digest != first.digest


def test_it_has_the_form_that_flux_knows() -> None:
    artifact = flux_artifact(FILES, **FACTS)
    manifest = json.loads(artifact.manifest)
    assert manifest["config"]["mediaType"] == CONFIG_TYPE == "application/vnd.cncf.flux.config.v1+json"
    assert [layer["mediaType"] for layer in manifest["layers"]] == [LAYER_TYPE]
    assert LAYER_TYPE == "application/vnd.cncf.flux.content.v1.tar+gzip"
    assert manifest["annotations"] == {f"org.opencontainers.image.{name}": value for name, value in FACTS.items()}


# Pushing


def folder_of(scene: Scene, folder: str, prefix: str = "") -> dict[str, bytes]:
    """Return the files of a folder on the default branch."""
    names = git(scene.manifests, "ls-tree", "-r", "--name-only", "main", f"{folder}/").splitlines()
    cut = len(folder) + 1
    blobs = {name: git(scene.manifests, "rev-parse", f"main:{name}") for name in names}
    return {f"{prefix}{name[cut:]}": blob.encode() for name, blob in blobs.items()}


def blobs(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return git's ids of contents."""
    return {name: MemoryBlob(data).oid.encode() for name, data in files.items()}


@pytest.mark.long
def test_an_environment_is_an_artifact(tmp_path: Path, registry: Registry) -> None:
    with publishing(tmp_path, "platform/{environment}", registry) as scene:
        ended = scene.hand_off()
        assert ended.code == 0, ended.out
        head = refs(scene.manifests)["refs/heads/main"]
        manifest, files, digest = pulled(registry, "platform/dev", "latest")
        assert blobs(files) == folder_of(scene, "deploy/dev/web", "web/")
        assert pulled(registry, "platform/dev", head)[2] == digest
        assert f"pushed {registry.host}/platform/dev:{head[:12]}@{digest}" in ended.out
        annotations = manifest["annotations"]
        assert annotations["org.opencontainers.image.revision"] == f"main@sha1:{head}"
        assert annotations["org.opencontainers.image.source"] == f"{scene.gitlab.url}/platform/manifests.git"
        assert "pushed" not in scene.schedule().out
        assert merge(scene.gitlab, scene.the_request(), scene.person)
        ended = scene.pushed()
        assert ended.out.count("/platform/production:") == 1
        assert "/platform/dev:" not in ended.out
        assert blobs(pulled(registry, "platform/production", "latest")[1]) == folder_of(
            scene, "deploy/production/web", "web/"
        )


@pytest.mark.long
def test_an_app_is_an_artifact_of_its_own(tmp_path: Path, registry: Registry) -> None:
    with publishing(tmp_path, "platform/{environment}/{app}", registry) as scene:
        scene.hand_off()
        _, files, first = pulled(registry, "platform/dev/web", "latest")
        assert blobs(files) == folder_of(scene, "deploy/dev/web")
        scene.new_version({"deploy/web.yaml": scene.gitlab.show(scene.app, "deploy/web.yaml").replace("2", "3")})
        _, files, second = pulled(registry, "platform/dev/web", "latest")
        assert second != first
        assert blobs(files) == folder_of(scene, "deploy/dev/web")


@pytest.mark.long
def test_a_run_completes_what_another_left_out(tmp_path: Path, registry: Registry) -> None:
    """An older artifact under the tag, as of a run that was slow or killed, gives way to the newest."""
    with publishing(tmp_path, "platform/{environment}", registry) as scene:
        scene.hand_off()
        accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
        old = registry.request("GET", "platform/dev", "manifests/latest", headers=accept)
        scene.new_version({"deploy/web.yaml": scene.gitlab.show(scene.app, "deploy/web.yaml").replace("2", "3")})
        wanted = pulled(registry, "platform/dev", "latest")[1]
        kind = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
        registry.request("PUT", "platform/dev", "manifests/latest", data=old.content, headers=kind)
        assert scene.schedule().code == 0
        assert pulled(registry, "platform/dev", "latest")[1] == wanted


@pytest.mark.long
def test_a_login_is_used(tmp_path: Path) -> None:
    auth, headers = htpasswd(tmp_path / "registry")
    with (
        serve_registry(tmp_path / "registry", auth, headers) as registry,
        publishing(tmp_path, "platform/{environment}", registry) as scene,
    ):
        ended = scene.hand_off()
        assert ended.code == RegistryError.code
        assert "DOCKER_AUTH_CONFIG that may push there" in ended.out
        assert folder_of(scene, "deploy/dev/web") != {}  # it has landed
        login = base64.b64encode(":".join(ROBOT).encode()).decode()
        scene.variables["DOCKER_AUTH_CONFIG"] = json.dumps({"auths": {registry.host: {"auth": login}}})
        ended = scene.schedule()
        assert ended.code == 0
        assert ROBOT[1] not in ended.out
        assert pulled(registry, "platform/dev", "latest")[1] != {}


# Flux objects


def with_oci(repository: str) -> str:
    return SETTINGS.replace(
        "delivery: commit", f"delivery: commit, output: {{oci: {{repository: '{repository}'}}}}"
    ).replace("dev: {flux: {}}", "dev: {flux: {registry_secret: registry}}")


@pytest.mark.parametrize(
    ("repository", "source", "path"),
    [
        ("registry.example.com/deploy/{environment}", "headgate.dev", "./shop"),
        ("registry.example.com/deploy/{environment}/{app}", "shop.dev", "./"),
    ],
)
def test_flux_reads_the_artifact(manifests: ManifestRepository, repository: str, source: str, path: str) -> None:
    manifests.write({"headgate.yaml": with_oci(repository), "templates/plain/map.yaml": CONFIG_MAP})
    manifests.app("shop", "template: plain\n")
    assert manifests.hydrate().code == 0
    found = read_objects(manifests.path / "clusters/dev")
    assert sorted(found) == [
        f"{kustomization('dev', 'shop.dev').rpartition('/')[2]}",
        "namespace-shop.yaml",
        f"ocirepository.source.toolkit.fluxcd.io-{source}.yaml",
    ]
    reads: Any = yaml.safe_load((manifests.path / kustomization("dev", "shop.dev")).read_text())
    assert reads["spec"]["sourceRef"] == {"kind": "OCIRepository", "name": source}
    assert reads["spec"]["path"] == path
    assert found[f"ocirepository.source.toolkit.fluxcd.io-{source}.yaml"]["spec"] == {
        "interval": "10m",
        "ref": {"tag": "latest"},
        "secretRef": {"name": "registry"},
        "url": "oci://" + repository.replace("{environment}", "dev").replace("{app}", "shop"),
    }
    others = read_objects(manifests.path / "clusters/eu")  # production is still read from git
    assert "gitrepository.source.toolkit.fluxcd.io-headgate.yaml" in others


def test_health_is_that_of_the_commit_in_the_artifact() -> None:
    status = {
        "observedGeneration": 1,
        "lastAppliedRevision": f"latest@sha256:{'a' * 64}",
        "lastAppliedOriginRevision": FACTS["revision"],
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-20T12:00:00Z"}],
    }
    known = {("eu", "flux-system", "web.dev"): {"metadata": {"generation": 1}, "status": status}}
    found = KubernetesReports(Path("kubeconfig"), known).reports("eu", "flux-system", "web.dev")
    assert {(report.commit, report.state) for report in found} == {("1" * 40, "healthy")}


def test_two_environments_need_two_places() -> None:
    head = "version: 1\nenvironments:\n"
    lines = "".join(
        f"  {name}: {{delivery: commit, output: {{oci: {{repository: registry.example.com/deploy}}}}}}\n"
        for name in ("dev", "production")
    )
    with pytest.raises(ConfigError, match="dev and production push artifacts to the same repository and tag"):
        load(Tree({"headgate.yaml": MemoryBlob(f"{head}{lines}".encode())}))
