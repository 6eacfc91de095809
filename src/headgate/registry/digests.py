"""Images at their registry: which digest a tag has, and which commit an image says that it was built from.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from headgate.errors import ConfigError, RegistryError
from headgate.registry.errors import missing, unexpected
from headgate.registry.repository import open_repository

if TYPE_CHECKING:
    from headgate.objects.images import Reference
    from headgate.registry.credentials import RegistryAccess
    from headgate.registry.http import RegistryResponse
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
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REVISION = "org.opencontainers.image.revision"
_MOST_PLATFORMS = 50
_OK, _NOT_FOUND = 200, 404


@dataclass(frozen=True)
class ResolvedImage:
    """An image that is there. ``reference`` has its digest: of an index, the whole index's."""

    reference: Reference
    media_type: str

    @property
    def is_index(self) -> bool:
        """Whether it is an image for several platforms."""
        return self.media_type in INDEXES


def resolve(reference: Reference, access: RegistryAccess) -> ResolvedImage:
    """Ask the registry for an image's digest.

    A digest that the reference has already must be there, and its tag must point to it. Raises ConfigError for a
    reference with neither tag nor digest, RegistryError when the image is not there, was overwritten, is denied, or
    the registry does not answer.
    """
    if not reference.tag and not reference.digest:
        raise ConfigError(
            f"the image {reference.repository} has neither tag nor digest",
            hint="name it as REPOSITORY:TAG, with a tag of its own for each build",
        )
    if reference.digest and not _DIGEST.fullmatch(reference.digest):
        raise ConfigError(f"the image {reference} has a digest that is not sha256")
    by_digest = [replace(reference, tag="")] if reference.digest else []
    by_tag = [replace(reference, digest="")] if reference.tag else []
    with open_repository(reference.repository, access) as repository:
        resolved = [_find(repository, spelling) for spelling in (*by_digest, *by_tag)]
    if resolved[0][0] != resolved[-1][0]:
        raise RegistryError(
            f"the tag {reference.repository}:{reference.tag} points to {resolved[-1][0]}, and not to {resolved[0][0]}",
            hint="the tag was overwritten since, or the digest is of one platform of the image: hand off the digest "
            "that the push printed, under a tag that is never used again",
        )
    digest, media_type = resolved[0]
    return ResolvedImage(replace(reference, digest=digest), media_type)


def _find(repository: ImageRepository, reference: Reference) -> tuple[str, str]:
    """Return digest and media type of a manifest, by its tag or digest. Its bytes are read only where they must be."""
    name = reference.digest or reference.tag
    answer = repository.ask("HEAD", f"manifests/{name}", _ACCEPT)
    if answer.status == _NOT_FOUND:
        raise missing(reference)
    digest, media_type = answer.headers.get("Docker-Content-Digest", ""), _media_type(answer)
    _refuse_schema_1(media_type, reference)
    if answer.status == _OK and _DIGEST.fullmatch(digest) and media_type in (*INDEXES, *MANIFESTS):
        if _DIGEST.fullmatch(name) and name != digest:
            raise _contradiction(repository, name, digest)
        return digest, media_type
    digest, media_type, _ = _manifest(repository, reference, name)
    return digest, media_type


def revision(resolved: ResolvedImage, access: RegistryAccess) -> str | None:
    """Return the commit that an image says it was built from: its label ``org.opencontainers.image.revision``.

    An annotation of the manifest or index goes before the label, which an image inherits from what it is built
    upon. Of an index without annotation every platform must say the same; else, and where nothing is said: None.
    Raises RegistryError.
    """
    with open_repository(resolved.reference.repository, access) as repository:
        return _revision(repository, resolved.reference, resolved.reference.digest, is_within=False)


def _revision(repository: ImageRepository, reference: Reference, digest: str, *, is_within: bool) -> str | None:
    _, media_type, manifest = _manifest(repository, reference, digest)
    if stated := _text(manifest.get("annotations"), _REVISION):
        return stated
    if media_type not in INDEXES:
        config = _blob(repository, reference, _digest_of(manifest.get("config"), reference)).get("config")
        return _text(config.get("Labels") if isinstance(config, dict) else None, _REVISION)
    entries = [entry for entry in _dicts(manifest.get("manifests")) if not _is_attestation(entry)]
    if is_within or len(entries) > _MOST_PLATFORMS:
        return None
    revisions = {_revision(repository, reference, _digest_of(entry, reference), is_within=True) for entry in entries}
    return revisions.pop() if len(revisions) == 1 else None


def _manifest(repository: ImageRepository, reference: Reference, name: str) -> tuple[str, str, dict[str, Any]]:
    """Return digest, media type and content of a manifest. The digest is that of its bytes."""
    answer = repository.ask("GET", f"manifests/{name}", _ACCEPT)
    _check_status(answer, repository, reference)
    digest = _sha256(answer.body)
    for claimed in (answer.headers.get("Docker-Content-Digest", ""), name):
        if _DIGEST.fullmatch(claimed) and claimed != digest:
            raise _contradiction(repository, claimed, digest)
    content = _json(answer.body, reference)
    media_type = _media_type(answer)
    _refuse_schema_1(media_type, reference)
    if media_type not in (*INDEXES, *MANIFESTS):
        media_type = str(content.get("mediaType"))
    if content.get("schemaVersion") == 1:
        _refuse_schema_1(_SCHEMA_1, reference)
    if media_type not in (*INDEXES, *MANIFESTS):
        raise RegistryError(f"{reference} is not an image, but {media_type[:100]!r}")
    return digest, media_type, content


def _blob(repository: ImageRepository, reference: Reference, digest: str) -> dict[str, Any]:
    answer = repository.ask("GET", f"blobs/{digest}")
    _check_status(answer, repository, reference)
    if _sha256(answer.body) != digest:
        raise _contradiction(repository, digest, _sha256(answer.body))
    return _json(answer.body, reference)


def _check_status(answer: RegistryResponse, repository: ImageRepository, reference: Reference) -> None:
    if answer.status == _NOT_FOUND:
        raise missing(reference)
    if answer.status != _OK:
        raise unexpected(repository.host, reference, answer.status)


_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1"


def _refuse_schema_1(media_type: str, reference: Reference) -> None:
    if media_type.startswith(_SCHEMA_1):
        raise RegistryError(
            f"{reference} is an image of Docker's schema 1, which has no digest that stays",
            hint="build and push it with a tool of this decade; container runtimes do not run it any more",
        )


def _contradiction(repository: ImageRepository, claimed: str, digest: str) -> RegistryError:
    return RegistryError(
        f"{repository.host} contradicts itself: it serves {repository.path} {claimed} with the content of {digest}",
        hint="the registry or something on the way to it (a cache, a proxy) is broken: tell who runs it",
    )


def _media_type(answer: RegistryResponse) -> str:
    return answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _json(data: bytes, reference: Reference) -> dict[str, Any]:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise RegistryError(f"{reference} is not an image: its manifest or configuration is not a JSON object")
    return content


def _digest_of(descriptor: Any, reference: Reference) -> str:
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise RegistryError(f"{reference} names a content by {str(digest)[:80]!r}, expected sha256:...")
    return digest


def _is_attestation(entry: dict[str, Any]) -> bool:
    """Whether an entry of an index is no image, but tells how one was built.

    https://docs.docker.com/build/metadata/attestations/attestation-storage/
    """
    platform = entry.get("platform")
    if isinstance(platform, dict) and (platform.get("os"), platform.get("architecture")) == ("unknown", "unknown"):
        return True
    return _text(entry.get("annotations"), "vnd.docker.reference.type") == "attestation-manifest"


def _text(texts: Any, key: str) -> str | None:
    value = texts.get(key) if isinstance(texts, dict) else None
    return value if isinstance(value, str) and value else None


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
