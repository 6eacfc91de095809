"""Pushes artifacts to a registry: blobs, the manifest, its tags. All of it may be repeated.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from headgate.errors import RegistryError
from headgate.objects.images import digest_of
from headgate.registry.artifact import MANIFEST_TYPE, TREE
from headgate.registry.signature import is_signed, signature_tag, signed_text, with_signature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    from headgate.http import HttpResponse
    from headgate.registry.artifact import OciArtifact
    from headgate.registry.repository import ImageRepository

_OK, _CREATED, _ACCEPTED, _NOT_FOUND = 200, 201, 202, 404


def tagged_artifact(repository: ImageRepository, tag: str) -> tuple[str, str]:
    """Return the id of the files in the artifact that a tag names, and its digest; empty where that is not ours."""
    data = _manifest(repository, tag)
    try:
        return str((json.loads(data).get("annotations") or {}).get(TREE, "")), digest_of(data)
    except (ValueError, AttributeError, RecursionError):
        return "", ""


def sign(repository: ImageRepository, digest: str, key: EllipticCurvePrivateKey) -> bool:
    """Sign an artifact, unless the key has signed it; other keys' signatures stay. Returns whether it signed.

    Raises RegistryError.
    """
    tag, text = signature_tag(digest), signed_text(f"{repository.host}/{repository.path}", digest)
    try:
        layers = [layer for layer in json.loads(_manifest(repository, tag))["layers"] if isinstance(layer, dict)]
    except (ValueError, KeyError, TypeError, RecursionError):
        layers = []
    if is_signed(layers, text, key.public_key()):
        return False
    push_artifact(repository, with_signature(layers, text, key), (tag,))
    return True


def _manifest(repository: ImageRepository, tag: str) -> bytes:
    """Return the manifest that a tag names; nothing where there is none."""
    response = repository.request("GET", f"manifests/{tag}", MANIFEST_TYPE)
    if response.status == _NOT_FOUND:
        return b""
    _check(repository, response, _OK, f"manifests/{tag}")
    return bytes(response.body)


def push_artifact(repository: ImageRepository, artifact: OciArtifact, tags: Sequence[str]) -> None:
    """Push an artifact under tags, in their order, after all that it names. Raises RegistryError."""
    for blob in artifact.blobs:
        _push_blob(repository, blob)
    for tag in tags:
        response = repository.request("PUT", f"manifests/{tag}", body=artifact.manifest, content_type=MANIFEST_TYPE)
        _check(repository, response, _CREATED, f"manifests/{tag}")


def _push_blob(repository: ImageRepository, data: bytes) -> None:
    digest = digest_of(data)
    if repository.request("HEAD", f"blobs/{digest}").status == _OK:
        return
    response = repository.request("POST", "blobs/uploads/")
    _check(repository, response, _ACCEPTED, "blobs/uploads/")
    uploads = f"{repository.address}/blobs/uploads/"
    place = response.location(uploads) or uploads
    address = f"{place}{'&' if '?' in place else '?'}{urlencode({'digest': digest})}"
    answer = repository.request("PUT", address, body=data, content_type="application/octet-stream")
    _check(repository, answer, _CREATED, "an upload")


def _check(repository: ImageRepository, response: HttpResponse, expected: int, path: str) -> None:
    if response.status != expected:
        raise RegistryError(
            f"{repository.host} answered {response.status} for {path} of {repository.path}",
            hint="check that the registry works and takes artifacts of any media type; a later run tries again",
            status=response.status,
        )
