"""Environments that pipelines push to a registry as artifacts, and what is in these."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headgate.objects.images import digest_of
from support.registry import Registry
from support.reviewing import Scene, make_scene

MANIFEST = {"Accept": "application/vnd.oci.image.manifest.v1+json"}


@contextmanager
def publishing(folder: Path, repository: str, registry: Registry) -> Iterator[Scene]:
    """Run a GitLab whose environments are pushed to a registry."""
    with make_scene(folder) as scene:
        text = scene.gitlab.show(scene.manifests, "headgate.yaml")
        output = f"output: {{oci: {{repository: '{registry.host}/{repository}'}}}}"
        for delivery in ("delivery: commit", "delivery: review"):
            text = text.replace(delivery, f"{delivery}, {output}")
        scene.push(scene.manifests, {"headgate.yaml": f"{text}\n"})
        yield scene


def unpacked(layer: bytes) -> dict[str, bytes]:
    """Return the files of a layer, as Flux unpacks it: regular files alone, by relative paths."""
    with tarfile.open(fileobj=io.BytesIO(layer), mode="r:gz") as archive:
        entries = archive.getmembers()
        assert all(entry.isreg() and not entry.name.startswith("/") and ".." not in entry.name for entry in entries)
        return {entry.name: archive.extractfile(entry).read() for entry in entries}  # type: ignore[union-attr]


def pulled(registry: Registry, repository: str, tag: str) -> tuple[dict[str, Any], dict[str, bytes], str]:
    """Return the manifest, the files and the digest of an artifact."""
    answer = registry.request("GET", repository, f"manifests/{tag}", headers=MANIFEST)
    manifest = answer.json()
    (layer,) = manifest["layers"]
    data = registry.request("GET", repository, f"blobs/{layer['digest']}").content
    assert (digest_of(data), len(data)) == (layer["digest"], layer["size"])
    return manifest, unpacked(data), digest_of(answer.content)
