"""Pushes artifacts to a registry: blobs, the manifest, its tags. All of it may be repeated.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from headgate.errors import RegistryError
from headgate.objects.images import digest_of
from headgate.registry.artifact import MANIFEST_TYPE, TREE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.http import HttpResponse
    from headgate.registry.artifact import FluxArtifact
    from headgate.registry.repository import ImageRepository

_OK, _CREATED, _ACCEPTED, _NOT_FOUND = 200, 201, 202, 404


def tagged_tree(repository: ImageRepository, tag: str) -> str:
    """Return the id of the files in the artifact that a tag names; empty where there is none of ours."""
    response = repository.request("GET", f"manifests/{tag}", MANIFEST_TYPE)
    if response.status == _NOT_FOUND:
        return ""
    _check(repository, response, _OK, f"manifests/{tag}")
    try:
        return str((json.loads(response.body).get("annotations") or {}).get(TREE, ""))
    except (ValueError, AttributeError, RecursionError):
        return ""


def push_artifact(repository: ImageRepository, artifact: FluxArtifact, tags: Sequence[str]) -> None:
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
    place = urlsplit(urljoin(f"{repository.address}/blobs/uploads/", response.headers.get("Location", "")))
    query = urlencode([*parse_qsl(place.query, keep_blank_values=True), ("digest", digest)])
    answer = repository.request(
        "PUT", urlunsplit(place._replace(query=query)), body=data, content_type="application/octet-stream"
    )
    _check(repository, answer, _CREATED, "an upload")


def _check(repository: ImageRepository, response: HttpResponse, expected: int, path: str) -> None:
    if response.status != expected:
        raise RegistryError(
            f"{repository.host} answered {response.status} for {path} of {repository.path}",
            hint="check that the registry works and takes artifacts of any media type; a later run tries again",
            status=response.status,
        )
