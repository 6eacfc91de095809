"""Charts of a real OCI registry, pushed by Helm, brought along by a hand-off."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from headgate.dependencies.download import DownloadAccess
from headgate.dependencies.ocichart import pull
from headgate.dependencies.requirements import Requirement, digests
from headgate.dependencies.resolve import Resolver
from headgate.errors import DependencyError, HeadgateError, Location
from headgate.model import Settings
from headgate.registry.credentials import Credential
from headgate.registry.credentials import RegistryAccess as Registries
from support.brought import config_of, deliver, delivered, hydrated_again, locked, released, stage_with
from support.charts import REDIS, chart_yaml, helm, objects, write
from support.manifests import ManifestRepository
from support.registry import ROBOT, Registry, htpasswd, push_blob, push_image, push_manifest, serve_registry
from support.tokens import serve_guarded
from support.trees import tree_of
from support.web import Asked, Reply, serve

PLAIN = "--plain-http"


def packed(folder: Path, version: str = "1.2.3") -> Path:
    """Return redis as an archive."""
    source = write(folder / f"source-{version}" / "redis", {**REDIS, "Chart.yaml": chart_yaml("redis", version)})
    helm(folder, "package", str(source), "--destination", str(folder))
    return folder / f"redis-{version}.tgz"


def push(folder: Path, host: str, version: str = "1.2.3") -> Path:
    """Push redis to a registry that wants no login; return the archive."""
    archive = packed(folder, version)
    helm(folder, "push", str(archive), f"oci://{host}/acme/charts", PLAIN)
    return archive


def needing(host: str, version: str = "^1.2.0") -> str:
    """Return the Chart.yaml of an app that needs redis."""
    needs: list[dict[str, Any]] = [{"name": "redis", "version": version, "repository": f"oci://{host}/acme/charts"}]
    return chart_yaml("web", "0.1.0", needs)


def requirement(host: str, version: str = "1.2.3") -> Requirement:
    """Return redis at a version."""
    repository = f"oci://{host}/acme/charts"
    return Requirement(
        name="redis", version=version, repository=repository, folder="", where=Location("deploy/Chart.lock")
    )


def pulled(host: str, access: DownloadAccess, version: str = "1.2.3", digest: str = "") -> bytes:
    """Pull redis."""
    return pull(f"oci://{host}/acme/charts/redis:{version}", digest, requirement(host, version), access)


@pytest.mark.long
def test_charts_of_a_registry_are_brought_along_and_give_what_helm_gives(
    tmp_path: Path, manifests: ManifestRepository
) -> None:
    with serve_registry(tmp_path / "registry") as registry:
        archive = push(tmp_path, registry.host)
        stage = stage_with(tmp_path, manifests, registry.host)
        locked(stage, needing(registry.host), {"values.yaml": "redis: {size: 5}\n"}, PLAIN)
        built = tmp_path / "built"
        shutil.copytree(stage.app / "deploy", built)
        helm(built, "dependency", "build", str(built), PLAIN)
        expected = objects(helm(built, "template", "web", str(built), "--namespace", "web", "--kube-version", "1.34"))
        ran = deliver(stage)
        assert ran.code == 0, ran.err
    assert delivered(stage) == expected
    assert expected[0]["data"] == {"size": "5"}
    assert hydrated_again(stage, tmp_path).code == 0
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    url = f"oci://{registry.host}/acme/charts"
    facts = {"name": "redis", "version": "1.2.3", "digest": f"sha256:{digest}", "folder": "charts/redis"}
    assert released(stage) == [{"url": url, **facts}]
    assert "charts/redis/templates/redis.yaml" in config_of(stage)


def test_a_version_with_a_plus(tmp_path: Path, registry: Registry) -> None:
    archive = push(tmp_path, registry.host, "1.2.3+build.7")
    access = DownloadAccess(frozenset({registry.host}))
    assert pulled(registry.host, access, "1.2.3+build.7") == archive.read_bytes()


def test_a_registry_that_is_not_allowed(tmp_path: Path, manifests: ManifestRepository, registry: Registry) -> None:
    push(tmp_path, registry.host)
    stage = stage_with(tmp_path, manifests)
    locked(stage, needing(registry.host), {}, PLAIN)
    ran = deliver(stage)
    assert ran.code == DependencyError.code
    assert f"deploy/Chart.lock in {stage.origin}: host {registry.host} is not allowed" in ran.err


def test_what_is_not_in_the_registry(tmp_path: Path, registry: Registry) -> None:
    push(tmp_path, registry.host)
    push_image(registry, "acme/charts/redis", "9.9.9")
    access = DownloadAccess(frozenset({registry.host}))
    with pytest.raises(DependencyError, match=r"has no redis 4\.0\.0"):
        pulled(registry.host, access, "4.0.0")
    with pytest.raises(DependencyError, match=r"redis 9\.9\.9 in .* is not a chart"):
        pulled(registry.host, access, "9.9.9")
    with pytest.raises(DependencyError, match="expected sha256:0000"):
        pulled(registry.host, access, digest="sha256:" + "0" * 64)


def test_a_registry_with_a_password(tmp_path: Path) -> None:
    auth, headers = htpasswd(tmp_path / "password")
    with serve_registry(tmp_path / "registry", auth, headers) as registry:
        archive = packed(tmp_path)
        helm(tmp_path, "registry", "login", registry.host, "-u", ROBOT[0], "-p", ROBOT[1], PLAIN)
        helm(tmp_path, "push", str(archive), f"oci://{registry.host}/acme/charts", PLAIN)
        hosts = frozenset({registry.host})
        with pytest.raises(DependencyError, match="denied acme/charts/redis"):
            pulled(registry.host, DownloadAccess(hosts))
        logins = Registries((login(registry.host),))
        assert pulled(registry.host, DownloadAccess(hosts, registries=logins)) == archive.read_bytes()


def login(host: str) -> Credential:
    return Credential(name="the robot", host=host, user=ROBOT[0], secret=ROBOT[1])


def test_a_registry_with_tokens(tmp_path: Path) -> None:
    with serve_guarded(tmp_path / "registry", {ROBOT: "acme/"}) as guarded:
        host = guarded.registry.host
        archive = packed(tmp_path).read_bytes()
        push_chart(guarded.registry, archive)
        realms = {host: frozenset({guarded.tokens.host})}
        logins = Registries((login(host),), realms)
        assert pulled(host, DownloadAccess(frozenset({host}), registries=logins)) == archive


def push_chart(registry: Registry, archive: bytes) -> None:
    """Push a chart as Helm does, where Helm cannot log in."""
    repository = "acme/charts/redis"
    config, layer = (push_blob(registry, repository, data) for data in (b"{}", archive))
    kind = "application/vnd.cncf.helm."
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": f"{kind}config.v1+json", "digest": config, "size": 2},
        "layers": [{"mediaType": f"{kind}chart.content.v1.tar+gzip", "digest": layer, "size": len(archive)}],
    }
    push_manifest(registry, repository, "1.2.3", manifest)


@pytest.mark.parametrize("body", [b"another archive", bytes(11 * 1024 * 1024)])
def test_an_archive_that_is_not_what_the_manifest_says(body: bytes) -> None:
    kind = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
    manifest = {"layers": [{"mediaType": kind, "digest": "sha256:" + "1" * 64, "size": 1}]}

    def answer(asked: Asked) -> Reply:
        return Reply(200, json.dumps(manifest).encode() if "/manifests/" in asked.path else body)

    with serve(answer) as site, pytest.raises(DependencyError, match=r"it has been changed|sends more than 10240 KiB"):
        pulled(site.host, DownloadAccess(frozenset({site.host})))


def test_an_index_that_leads_to_a_registry(tmp_path: Path, registry: Registry) -> None:
    archive = push(tmp_path, registry.host)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    entry = {"version": "1.2.3", "urls": [f"oci://{registry.host}/acme/charts/redis:1.2.3"], "digest": digest}
    with serve(lambda _: Reply(200, json.dumps({"entries": {"redis": [entry]}}).encode())) as site:
        needs = [{"name": "redis", "version": "1.2.3", "repository": f"http://{site.host}"}]
        lock = json.dumps({"dependencies": needs, "digest": min(digests(needs, needs))})
        files = tree_of({"Chart.yaml": chart_yaml("web", "0.1.0", needs), "Chart.lock": lock})

        def resolve(*hosts: str) -> list[str]:
            dev = {"dev": {"delivery": "commit"}}
            settings = Settings.model_validate(
                {"version": 1, "environments": dev, "dependencies": {"hosts": list(hosts)}}
            )
            return Resolver().resolve(files, settings, ["dev"], "deploy", "web").files.paths()

        assert "charts/redis/templates/redis.yaml" in resolve(site.host, registry.host)
        with pytest.raises(HeadgateError, match=f"host {registry.host} is not allowed"):
            resolve(site.host)
