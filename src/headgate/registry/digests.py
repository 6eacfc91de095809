"""Images in their registry: the digest of a tag, and the commit that an image states.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from headgate.errors import ConfigError, RegistryError
from headgate.objects.images import SHA256, digest_error, digest_of
from headgate.objects.lookup import map_at, maps_at, value_at
from headgate.registry.errors import missing, unexpected
from headgate.registry.repository import open_repository

if TYPE_CHECKING:
    from headgate.http import HttpResponse
    from headgate.objects.images import Reference
    from headgate.registry.credentials import RegistryAccess
    from headgate.registry.repository import ImageRepository

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
_REVISION = "org.opencontainers.image.revision"
_MAX_PLATFORMS = 50
_OK, _NOT_FOUND = 200, 404


def resolve(reference: Reference, access: RegistryAccess) -> Reference:
    """Return an image with its digest from the registry, for several platforms that of the index.

    If the reference has a digest, it must exist and the tag must point to it. Raises ConfigError for a reference
    without tag and digest, RegistryError if the image is missing, overwritten or denied, or the registry does not
    answer.
    """
    if not reference.tag and not reference.digest:
        raise ConfigError(
            f"image {reference.repository} has neither tag nor digest",
            hint="name it as REPOSITORY:TAG, with a unique tag for each build",
        )
    if reference.digest and not SHA256.fullmatch(reference.digest):
        raise digest_error(reference.digest, str(reference))
    by_digest = [replace(reference, tag="")] if reference.digest else []
    by_tag = [replace(reference, digest="")] if reference.tag else []
    with open_repository(reference.repository, access) as repository:
        resolved = [_resolve(repository, spelling) for spelling in (*by_digest, *by_tag)]
    if resolved[0] != resolved[-1]:
        raise RegistryError(
            f"tag {reference.repository}:{reference.tag} points to {resolved[-1]}, not to {resolved[0]}",
            hint="the tag was overwritten, or the digest is of a single platform of the image: hand off the digest "
            "that the push printed, and never reuse tags",
        )
    return replace(reference, digest=resolved[0])


def _resolve(repository: ImageRepository, reference: Reference) -> str:
    """Return digest and media type of a manifest by tag or digest; read its bytes only if necessary."""
    name = reference.digest or reference.tag
    response = repository.request("HEAD", f"manifests/{name}", _ACCEPT)
    if response.status == _NOT_FOUND:
        raise missing(reference)
    digest, media_type = response.headers.get("Docker-Content-Digest", ""), _media_type(response)
    _refuse_schema_1(media_type, reference)
    if response.status == _OK and SHA256.fullmatch(digest) and media_type in (*INDEXES, *MANIFESTS):
        if SHA256.fullmatch(name) and name != digest:
            raise _contradiction(repository, name, digest)
        return digest
    return _manifest(repository, reference, name)[0]


def revision(image: Reference, access: RegistryAccess) -> str | None:
    """Return the commit that an image states in its label ``org.opencontainers.image.revision``, if any.

    An annotation of the manifest or index takes precedence over the label, which an image inherits from its base. All
    platforms of an index without annotation must agree. Raises RegistryError.
    """
    with open_repository(image.repository, access) as repository:
        return _revision(repository, image, image.digest, is_within=False)


def _revision(repository: ImageRepository, reference: Reference, digest: str, *, is_within: bool) -> str | None:
    _, media_type, manifest = _manifest(repository, reference, digest)
    if stated := _text(manifest, "annotations", _REVISION):
        return stated
    if media_type not in INDEXES:
        content = _blob(repository, reference, _digest_of(manifest.get("config"), reference))
        return _text(content, "config", "Labels", _REVISION)
    entries = [entry for entry in maps_at(manifest, "manifests") if not _is_attestation(entry)]
    if is_within or len(entries) > _MAX_PLATFORMS:
        return None
    revisions = {_revision(repository, reference, _digest_of(entry, reference), is_within=True) for entry in entries}
    return revisions.pop() if len(revisions) == 1 else None


def _manifest(repository: ImageRepository, reference: Reference, name: str) -> tuple[str, str, dict[str, Any]]:
    """Return digest (of its bytes), media type and content of a manifest."""
    response = repository.request("GET", f"manifests/{name}", _ACCEPT)
    _check_status(response, repository, reference)
    digest = digest_of(response.body)
    for claimed in (response.headers.get("Docker-Content-Digest", ""), name):
        if SHA256.fullmatch(claimed) and claimed != digest:
            raise _contradiction(repository, claimed, digest)
    content = _json(response.body, reference)
    media_type = _media_type(response)
    _refuse_schema_1(media_type, reference)
    if media_type not in (*INDEXES, *MANIFESTS):
        media_type = str(content.get("mediaType"))
    if content.get("schemaVersion") == 1:
        _refuse_schema_1(_SCHEMA_1, reference)
    if media_type not in (*INDEXES, *MANIFESTS):
        raise RegistryError(f"{reference} is not an image but {media_type[:100]!r}")
    return digest, media_type, content


def _blob(repository: ImageRepository, reference: Reference, digest: str) -> dict[str, Any]:
    response = repository.request("GET", f"blobs/{digest}")
    _check_status(response, repository, reference)
    if digest_of(response.body) != digest:
        raise _contradiction(repository, digest, digest_of(response.body))
    return _json(response.body, reference)


def _check_status(response: HttpResponse, repository: ImageRepository, reference: Reference) -> None:
    if response.status == _NOT_FOUND:
        raise missing(reference)
    if response.status != _OK:
        raise unexpected(repository.host, reference, response.status)


_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1"


def _refuse_schema_1(media_type: str, reference: Reference) -> None:
    if media_type.startswith(_SCHEMA_1):
        raise RegistryError(
            f"{reference} is an image of Docker's schema 1, which has no stable digest",
            hint="build and push it with a current tool; container runtimes no longer run such images",
        )


def _contradiction(repository: ImageRepository, claimed: str, digest: str) -> RegistryError:
    return RegistryError(
        f"{repository.host} contradicts itself: it serves {repository.path} {claimed} with the content of {digest}",
        hint="the registry, or a cache or proxy before it, is broken: tell its administrator",
    )


def _media_type(response: HttpResponse) -> str:
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _json(data: bytes, reference: Reference) -> dict[str, Any]:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise RegistryError(f"{reference} is not an image: its manifest or configuration is not a JSON object")
    return content


def _digest_of(descriptor: Any, reference: Reference) -> str:
    digest = value_at(descriptor, "digest")
    if not isinstance(digest, str) or not SHA256.fullmatch(digest):
        raise RegistryError(f"{reference} refers to the digest {str(digest)[:80]!r}, expected sha256:...")
    return digest


def _is_attestation(entry: dict[str, Any]) -> bool:
    """Whether an entry of an index is an attestation of a build, not an image.

    https://docs.docker.com/build/metadata/attestations/attestation-storage/
    """
    platform = map_at(entry, "platform")
    if (platform.get("os"), platform.get("architecture")) == ("unknown", "unknown"):
        return True
    return _text(entry, "annotations", "vnd.docker.reference.type") == "attestation-manifest"


def _text(data: Any, *path: str) -> str | None:
    value = value_at(data, *path)
    return value if isinstance(value, str) and value else None
