"""What a person searches an image by: its repository, a tag, a digest. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from headgate.errors import ArgumentError, HeadgateError
from headgate.objects.images import canonical_repository, parse_reference
from headgate.records import frozen_record

if TYPE_CHECKING:
    from headgate.objects.images import Reference

_DIGEST = re.compile(r"(?:(?P<algorithm>sha256|sha512):)?(?P<hex>[0-9a-f]{7,128})")
_MIN_WITHOUT_ALGORITHM = 12
"""How many digits are a digest without `sha256:`: so many are shown, and hardly a repository is named so."""


@frozen_record
class ImageQuery:
    """What to search for; empty parts match everything.

    ``repository`` is canonical, or without a host the end of a path: `shop` and `acme/shop` find
    `registry.example.com/acme/shop`. ``digest`` is the beginning of one, without its algorithm.
    """

    repository: str = ""
    has_host: bool = False
    tag: str = ""
    algorithm: str = ""
    digest: str = ""

    @property
    def needle(self) -> bytes:
        """A text that every file contains, unescaped, that names such an image."""
        return (self.digest or self.repository.rpartition("/")[2]).encode()

    def matches(self, reference: Reference) -> bool:
        """Whether a reference names such an image."""
        algorithm, _, digits = reference.digest.partition(":")
        return (
            self._matches_repository(canonical_repository(reference.repository))
            and self.tag in ("", reference.tag)
            and self.algorithm in ("", algorithm)
            and digits.startswith(self.digest)
        )

    def matches_text(self, text: str) -> bool:
        """Whether an image as an object names it is such an image. What is no reference is none."""
        try:
            return self.matches(parse_reference(text))
        except HeadgateError:
            return False

    def _matches_repository(self, canonical: str) -> bool:
        if not self.repository or canonical == self.repository:
            return True
        return not self.has_host and canonical.endswith(f"/{self.repository}")


def parse_query(text: str) -> ImageQuery:
    """Read what a person searches for: ``REPOSITORY[:TAG][@DIGEST]`` or a digest. Raises ArgumentError.

    A digest may be cut off, as tables show it, but not below seven digits.
    """
    name, _, digest = text.rpartition("@")
    match = _DIGEST.fullmatch(digest)
    is_digest = match is not None and (bool(name) or match["algorithm"] or len(match["hex"]) >= _MIN_WITHOUT_ALGORITHM)
    if match is None or not is_digest:
        name, match = text, None
    algorithm, digits = (match["algorithm"] or "", match["hex"]) if match else ("", "")
    if not name and match:
        return ImageQuery(algorithm=algorithm, digest=digits)
    try:
        reference = parse_reference(name)
    except HeadgateError:
        raise ArgumentError(
            f"'{text}' names no image: expected REPOSITORY, REPOSITORY:TAG or a digest (sha256:...)",
            hint="a digest has hexadecimal digits only, seven of them at least",
        ) from None
    canonical = canonical_repository(reference.repository)
    has_host = not canonical.startswith("docker.io/") or reference.repository.partition("/")[0].count(".") > 0
    return ImageQuery(
        repository=canonical if has_host else reference.repository,
        has_host=has_host,
        tag=reference.tag,
        algorithm=algorithm,
        digest=digits,
    )
