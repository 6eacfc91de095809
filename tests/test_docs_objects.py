"""The pages' Kubernetes objects before an API server with the CRDs of those who read them: it takes each whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate import tools
from support.apiserver import ApiServer, serve_apiserver
from support.flux import VERSIONS, definitions
from support.pages import PAGES, blocks

pytestmark = pytest.mark.long

NOT_APPLIED: Mapping[str, str] = {
    "PromotionStrategy": "the Go module proxy does not have GitOps Promoter, so its CRD cannot be pinned as others are",
}
"""Kinds of others' objects whose CRD tests do not have, and why."""

OBJECTS = {
    f"{block.name}-{found['kind']}": found
    for page in PAGES
    for block in blocks(page, "yaml")
    for found in yaml.safe_load_all(block.text)
    if "apiVersion" in found
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Run an API server with the CRDs of the newest Flux and of Argo CD."""
    application = tools.own_folder() / "argocd-crds/application.yaml"
    assert application.is_file(), "the CRD of Argo CD is not here: run 'make flux-crds'"
    files: list[Path] = [*definitions(VERSIONS[-1]), application]
    with serve_apiserver(tmp_path_factory.mktemp("objects")) as server:
        server.kubectl("apply", "--server-side", *(f"--filename={file}" for file in files))
        names = [f"crd/{yaml.safe_load(file.read_text())['metadata']['name']}" for file in files]
        server.kubectl("wait", "--for=condition=Established", "--timeout=600s", *names)
        for name in {found["metadata"].get("namespace") for found in OBJECTS.values()} - {None}:
            server.kubectl("create", "namespace", name)
        yield server


def apply(cluster: ApiServer, found: Mapping[str, Any]) -> dict[str, Any]:
    """Apply an object by a dry run of the server, and return what it would keep."""
    options = ("--server-side", "--dry-run=server", "--validate=strict", "--output=json", "--filename=-")
    kept: dict[str, Any] = json.loads(cluster.kubectl("apply", *options, stdin=json.dumps(found)))
    return kept


def holds(kept: Any, given: Any) -> bool:
    """Whether everything that was given is in what is kept."""
    if isinstance(given, dict):
        return isinstance(kept, dict) and all(key in kept and holds(kept[key], given[key]) for key in given)
    if isinstance(given, list):
        return len(kept) == len(given) and all(map(holds, kept, given))
    return bool(kept == given)


@pytest.mark.parametrize("name", [name for name, found in OBJECTS.items() if found["kind"] not in NOT_APPLIED])
def test_a_server_takes_what_the_pages_show(cluster: ApiServer, name: str) -> None:
    given = OBJECTS[name]
    assert holds(apply(cluster, given), given)
    with pytest.raises(AssertionError, match="sourc"):
        apply(cluster, {**given, "spec": {**given["spec"], "sourc": {}}})


def test_what_is_not_applied_is_still_shown() -> None:
    assert NOT_APPLIED.keys() < {found["kind"] for found in OBJECTS.values()}
