"""Semantic versions, and which tags of the image a release moves. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# https://semver.org/#is-there-a-suggested-regular-expression-regex-to-check-a-semver-string, without build metadata,
# whose + no image's tag may have
_NUMBER = r"(?:0|[1-9]\d*)"
_SEMVER = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})"
    rf"(?:-((?:{_NUMBER}|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:{_NUMBER}|\d*[A-Za-z-][0-9A-Za-z-]*))*))?",
    re.ASCII,
)


@dataclass(frozen=True, order=True)
class Version:
    """A version without its pre-release, and that apart: ``1.2.0-rc.1`` is 1, 2, 0 and ``rc.1``."""

    major: int
    minor: int
    patch: int
    pre_release: str = ""

    def __str__(self) -> str:
        """Write it as its tag."""
        number = f"{self.major}.{self.minor}.{self.patch}"
        return f"{number}-{self.pre_release}" if self.pre_release else number


def parse_version(text: str) -> Version | None:
    """Return the version that a tag is, or none for another tag: ``v1.2.3``, ``1.2``, ``main-1a2b3c4d``."""
    found = _SEMVER.fullmatch(text)
    return Version(int(found[1]), int(found[2]), int(found[3]), found[4] or "") if found else None


def tags_of(version: Version, there: Iterable[str]) -> list[str]:
    """Return the tags that a release gets: its own, and those of its lines in which nothing newer is released.

    ``there`` are the tags that the image has. ``1.2`` is always the newest 1.2.x, ``1`` the newest 1.x.y, as GitLab
    chooses components: https://docs.gitlab.com/ci/components/#semantic-version-ranges. So a patch of an older line
    leaves ``1`` where it is, and a pre-release gets no tag but its own.
    """
    if version.pre_release:
        return [str(version)]
    released = [one for one in map(parse_version, there) if one is not None and not one.pre_release]
    newer = [one for one in released if one > version]
    tags = [str(version)]
    if not any((one.major, one.minor) == (version.major, version.minor) for one in newer):
        tags.append(f"{version.major}.{version.minor}")
    if not any(one.major == version.major for one in newer):
        tags.append(f"{version.major}")
    return tags
