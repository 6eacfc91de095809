"""Charts of an OCI registry: the manifest of a tag, and the archive that it names. https://helm.sh/docs/topics/registries/"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headgate.download import Access
    from headgate.requirements import Requirement

OCI = "oci://"


def pull(url: str, digest: str, needed: Requirement, access: Access) -> bytes:
    raise NotImplementedError
