"""Files as an OCI artifact in the format of Flux. Pure.

https://fluxcd.io/flux/cheatsheets/oci-artifacts/: what `flux push artifact` makes, and source-controller unpacks.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import field
from typing import TYPE_CHECKING, Any

from headgate.objects.images import digest_of
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Mapping

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.cncf.flux.config.v1+json"
LAYER_TYPE = "application/vnd.cncf.flux.content.v1.tar+gzip"
_ANNOTATION = "org.opencontainers.image."
TREE = "headgate.tree"
"""Annotation with the id of the packed files: what has the same one needs no new artifact."""


@frozen_record
class OciArtifact:
    """An artifact: its manifest, and the blobs that this names."""

    manifest: bytes = field(repr=False)
    blobs: tuple[bytes, ...] = field(repr=False)

    @property
    def digest(self) -> str:
        """The manifest's digest, by which the artifact is known."""
        return digest_of(self.manifest)


def flux_artifact(
    files: Mapping[str, bytes], *, source: str, revision: str, created: str, tree: str = ""
) -> OciArtifact:
    """Return files as an artifact; the same ones always give the same bytes.

    ``source`` is the repository's address, ``revision`` is ``main@sha1:COMMIT``, ``created`` the time of that commit.
    """
    archive = _archive(files)
    layer = _compressed(archive)
    config = to_json(
        {
            "architecture": "",
            "os": "",
            "created": created,
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(archive)]},
        }
    )
    annotations = {"created": created, "revision": revision, "source": source}
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(CONFIG_TYPE, config),
        "layers": [descriptor(LAYER_TYPE, layer)],
        "annotations": {
            **{f"{_ANNOTATION}{name}": value for name, value in annotations.items()},
            **({TREE: tree} if tree else {}),
        },
    }
    return OciArtifact(manifest=to_json(manifest), blobs=(layer, config))


def _archive(files: Mapping[str, bytes]) -> bytes:
    """Return a tar of files in the order of their paths: nobody's, and of no time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, data in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _compressed(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=buffer, mode="wb", mtime=0) as compressed:
        compressed.write(data)
    return buffer.getvalue()


def descriptor(media_type: str, data: bytes) -> dict[str, Any]:
    """Return what names bytes in a manifest."""
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}


def to_json(content: Any) -> bytes:
    """Return JSON as it is stored and signed."""
    return json.dumps(content, separators=(",", ":")).encode()
