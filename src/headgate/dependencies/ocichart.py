"""Charts in an OCI registry: the manifest of a tag and its archive. https://helm.sh/docs/topics/registries/"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from headgate.dependencies.chartrepo import MAX_ARCHIVE, check_digest
from headgate.dependencies.download import check_host
from headgate.errors import ConfigError, DependencyError, RegistryError
from headgate.registry.repository import open_repository

if TYPE_CHECKING:
    from headgate.dependencies.download import DownloadAccess
    from headgate.dependencies.requirements import Requirement
    from headgate.http import HttpResponse
    from headgate.registry.repository import ImageRepository

OCI = "oci://"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_TAGGED = re.compile(r"(?P<repository>.+/[^:/]+)(?::(?P<tag>[^:/]+))?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_OK, _NOT_FOUND = 200, 404


def pull(url: str, digest: str, needed: Requirement, access: DownloadAccess) -> bytes:
    """Return the archive of a chart in a registry: ``oci://HOST/PATH/NAME[:VERSION]``, by default the needed version.

    ``digest`` is the archive's, if known. An allowed registry may redirect to its own storage. Raises
    DependencyError.
    """
    address = url.removeprefix(OCI)
    check_host(f"https://{address}", access, needed.where)
    match = _TAGGED.fullmatch(address)
    if match is None:
        raise DependencyError(f"{url!r} is not an address of a chart in a registry", where=needed.where)
    try:
        with open_repository(match["repository"], access.registries) as repository:
            data = _pulled(repository, match["tag"] or needed.version, needed)
    except (RegistryError, ConfigError) as error:
        raise DependencyError(f"cannot fetch {url}: {error.what}", where=needed.where) from None
    if digest:
        check_digest(data, digest, url, needed)
    return data


def _pulled(repository: ImageRepository, tag: str, needed: Requirement) -> bytes:
    # A tag has no "+": https://helm.sh/docs/topics/registries/#oci-feature-deprecation-and-behavior-changes-with-v370
    manifest = _answered(repository.request("GET", f"manifests/{tag.replace('+', '_')}", _MANIFEST), needed)
    digest = _archive_in(manifest.body, needed)
    blob = _answered(repository.request("GET", f"blobs/{digest}", max_bytes=MAX_ARCHIVE), needed)
    check_digest(blob.body, digest, f"{OCI}{repository.host}/{repository.path}", needed)
    return blob.body


def _answered(response: HttpResponse, needed: Requirement) -> HttpResponse:
    if response.status == _NOT_FOUND:
        raise DependencyError(f"{needed.repository} has no {needed.name} {needed.version}", where=needed.where)
    if response.status != _OK:
        raise DependencyError(f"{needed.repository} answered {response.status}", where=needed.where)
    return response


def _archive_in(manifest: bytes, needed: Requirement) -> str:
    """Return the digest of the chart's archive. Raises DependencyError if the manifest is not of a chart."""
    try:
        content: Any = json.loads(manifest)
        layers = [layer for layer in content["layers"] if layer["mediaType"] == _CHART]
    except (ValueError, KeyError, TypeError, RecursionError):
        layers = []
    digest = str(layers[0].get("digest")) if len(layers) == 1 else ""
    if not _DIGEST.fullmatch(digest):
        raise DependencyError(
            f"{needed.name} {needed.version} in {needed.repository} is not a chart", where=needed.where
        )
    return digest
