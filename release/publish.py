"""Release the image that this pipeline has tested: sign it, attest it, and give it the tags of its version.

``python release/publish.py`` in the pipeline of a tag. Nothing is built again: the tags are given to the digest.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cosign
import crane
from changelog import CHANGELOG
from failure import ReleaseError, ended
from job import Image, built_image, needed, origin_of, signer_of, version_of
from provenance import Origin, predicate
from versions import Version, tags_of

if TYPE_CHECKING:
    from collections.abc import Mapping

SBOM_PATH = "usr/share/doc/headgate/sbom.cdx.json"
_LABEL = "org.opencontainers.image."


@dataclass(frozen=True)
class Release:
    """What is released, as which version, where it comes from, and who signs."""

    image: Image
    version: Version
    origin: Origin
    signer: cosign.Signer


def publish(release: Release) -> list[str]:
    """Sign, attest and tag an image, in this order, so that no tag names one that is not signed; return its tags.

    Run again, it adds signatures and changes nothing else. Raises ReleaseError before anything is written when the
    image is not the one to release.
    """
    image = release.image
    platforms = check_image(image, release.version)
    cosign.sign(release.signer, image.reference)
    attest(release, platforms)
    check_signed(release.signer, image, platforms)
    # Asked for now and not earlier, since another release may have come meanwhile.
    tags = [*tags_of(release.version, crane.tags(image.repository)), image.commit]
    for tag in tags:
        crane.tag(image.repository, image.digest, tag)
        check_tag(image, tag)
    return tags


def check_image(image: Image, version: Version) -> dict[str, str]:
    """Return the platforms of an image, with their digests.

    Raises ReleaseError when it is not there, when its labels tell of another commit or version, or when this version
    was released as another image.
    """
    if not crane.is_there(image.reference):
        raise ReleaseError(
            f"{image.reference}, which this pipeline has tested, is not in the registry any more",
            hint="run the whole pipeline of this commit again",
        )
    if crane.is_there(f"{image.repository}:{version}"):
        released = crane.digest(f"{image.repository}:{version}")
        if released != image.digest:
            raise ReleaseError(
                f"{version} is released already, as {released}", hint="a version never changes: release the next one"
            )
    platforms = crane.platforms(image.repository, image.digest)
    for platform, digest in platforms.items():
        labels = crane.config(f"{image.repository}@{digest}")["config"].get("Labels") or {}
        for name, wanted in (("revision", image.commit), ("version", str(version))):
            found = labels.get(_LABEL + name, "")
            if found != wanted:
                raise ReleaseError(f"{image.reference} for {platform} has the {name} '{found}' and not {wanted}")
    return platforms


def attest(release: Release, platforms: Mapping[str, str]) -> None:
    """Attest where an image comes from, and for each platform what is in it, as the image itself lists it."""
    image, origin = release.image, predicate(release.origin)
    for digest in {image.digest, *platforms.values()}:
        cosign.attest(release.signer, f"{image.repository}@{digest}", cosign.PROVENANCE, origin)
    for digest in platforms.values():
        reference = f"{image.repository}@{digest}"
        sbom = json.loads(crane.content(reference, SBOM_PATH))
        cosign.attest(release.signer, reference, cosign.SBOM, sbom)


def check_signed(signer: cosign.Signer, image: Image, platforms: Mapping[str, str]) -> None:
    """Raise ReleaseError unless users will find what was signed and attested."""
    for digest in {image.digest, *platforms.values()}:
        cosign.verify(signer, f"{image.repository}@{digest}")
        cosign.verify_attestation(signer, f"{image.repository}@{digest}", cosign.PROVENANCE)
    for digest in platforms.values():
        cosign.verify_attestation(signer, f"{image.repository}@{digest}", cosign.SBOM)


def check_tag(image: Image, tag: str) -> None:
    """Raise ReleaseError unless a tag names what was tested."""
    found = crane.digest(f"{image.repository}:{tag}")
    if found != image.digest:
        raise ReleaseError(f"{image.repository}:{tag} is {found} and not {image.digest}, which was tested")


def main() -> None:
    """Release what this pipeline has tested, as the version of its tag."""
    tag = needed(os.environ, "CI_COMMIT_TAG")
    if os.environ.get("CI_COMMIT_REF_PROTECTED") != "true":
        raise ReleaseError(
            f"the tag {tag} is not protected, so that whoever may push could release",
            hint="protect the tags '*' under Settings > Repository > Protected tags, for maintainers",
        )
    version = version_of(tag, CHANGELOG.read_text(encoding="utf-8"))
    image = built_image(os.environ)
    origin = origin_of(os.environ, f"refs/tags/{tag}")
    tags = publish(Release(image, version, origin, signer_of(os.environ, origin)))
    print(f"{image.reference} is released, signed and attested, as {', '.join(tags)}")


if __name__ == "__main__":
    ended(main)
