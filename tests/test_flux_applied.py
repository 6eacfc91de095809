"""The Flux objects before a Kubernetes API server with Flux's own CRDs: each version takes every object whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.apiserver import ApiServer, serve_apiserver
from support.flux import CONFIG_MAP, SETTINGS, VERSIONS, definitions, kustomization
from support.manifests import ManifestRepository

pytestmark = pytest.mark.long

EVERYTHING = (
    "{url: 'https://git.example.com/m.git', branch: live, secret: null, service_account: 'apply-{app}', sops: keys, "
    "interval: 1h, fetch_interval: 1m, timeout: 1m30s, receiver: hook, statuses: bot, "
    "labels: {pod-security.kubernetes.io/enforce: baseline}}"
)

FROM_REGISTRY = "cluster: eu, output: {oci: {repository: registry.example.com/manifests}}"


@pytest.fixture(scope="module", params=VERSIONS)
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Run an API server with the CRDs of a version of Flux, and the namespaces of these tests."""
    with serve_apiserver(tmp_path_factory.mktemp("flux")) as server:
        found = definitions(request.param)
        assert {path.name.partition(".")[0] for path in found} == {"kustomize", "notification", "source"}
        server.kubectl("apply", "--server-side", *(f"--filename={path}" for path in found))
        names = [f"crd/{yaml.safe_load(path.read_text())['metadata']['name']}" for path in found]
        server.kubectl("wait", "--for=condition=Established", "--timeout=600s", *names)
        server.kubectl("create", "namespace", "flux-system")
        yield server


def written(manifests: ManifestRepository) -> list[Path]:
    """Return the files of Flux objects with every setting and with none."""
    settings = SETTINGS.replace("dev: {flux: {}}", f"dev: {{flux: {EVERYTHING}}}").replace("cluster: eu", FROM_REGISTRY)
    manifests.write(
        {"headgate.yaml": settings.replace("eu: {flux: {", "eu: {flux: {registry_secret: login, cosign: keys, ")}
    )
    manifests.write({"templates/plain/map.yaml": CONFIG_MAP})
    manifests.app("shop", "template: plain\n").app("cart", "template: plain\ndepends_on: [shop]\n")
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    return sorted((manifests.path / "clusters").rglob("*.yaml"))


def test_flux_takes_every_object_and_loses_nothing(cluster: ApiServer, manifests: ManifestRepository) -> None:
    kinds = set()
    for path in written(manifests):
        given: Any = yaml.safe_load(path.read_text())
        kinds.add(given["kind"])
        options = ("--server-side", "--dry-run=server", "--validate=strict", "--output=json")
        kept = json.loads(cluster.kubectl("apply", *options, f"--filename={path}"))
        assert kept.get("spec", {}) | given.get("spec", {}) == kept.get("spec", {}), path
        assert kept["metadata"]["labels"] | given["metadata"]["labels"] == kept["metadata"]["labels"]
    assert kinds == {*("Alert", "GitRepository", "Kustomization", "Namespace", "OCIRepository", "Provider", "Receiver")}


def test_what_flux_does_not_know_is_refused(cluster: ApiServer, manifests: ManifestRepository) -> None:
    path = next(path for path in written(manifests) if str(path).endswith(kustomization("dev", "cart.dev")))
    for old, new in (("interval: 1h", "interval: 1 hour"), ("prune: true", "prune: true\n  purge: true")):
        path.write_text(path.read_text().replace(old, new))
        with pytest.raises(AssertionError, match=r"interval|purge"):
            cluster.kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", f"--filename={path}")
