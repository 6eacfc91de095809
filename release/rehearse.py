"""Rehearse a release with the image that this pipeline has built: everything but writing where others read.

``make rehearsal`` in the pipeline of a merge request. The image is copied to a registry that runs here for as long,
and is signed there with a key that is thrown away.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import crane
from changelog import CHANGELOG
from cosign import Signer, make_key
from failure import ended
from headgate import __version__
from job import Image, built_image, next_version, origin_of
from publish import Release, publish
from support.registry import serve_registry


def main() -> None:
    """Release into a registry of one's own, and say what would have been released."""
    version, notes = next_version(CHANGELOG.read_text(encoding="utf-8"))
    built = built_image(os.environ)
    with tempfile.TemporaryDirectory() as scratch, serve_registry(Path(scratch) / "registry") as registry:
        image = Image(f"{registry.host}/headgate", built.digest, built.commit)
        crane.copy(built.reference, f"{image.repository}:{image.commit}")
        private, public = make_key(Path(scratch))
        signer = Signer(private=private, public=public)
        tags = publish(Release(image, version, origin_of(os.environ, f"refs/tags/{__version__}"), signer))
    print(
        f"{built.reference} would be released, signed and attested, as {', '.join(tags)}, with these notes:\n\n{notes}"
    )


if __name__ == "__main__":
    ended(main)
