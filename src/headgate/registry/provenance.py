"""Whether an image is the one of a commit: by its tag, or by the revision that it carries. Pure."""

from __future__ import annotations

import re

# Words of hexadecimal digits that nothing else of a word touches; ``g`` before it is git describe's.
_WORDS = re.compile(r"(?<![0-9A-Za-z])g?([0-9a-f]{7,64})(?![0-9A-Za-z])")


def names_commit(tag: str, commit: str) -> bool:
    """Whether a tag holds a commit's id: all of it or its beginning, from 7 digits on, as a word of its own.

    ``main-1a2b3c4d`` and ``1.2.0-3-g1a2b3c4`` do. GitLab's CI_COMMIT_SHORT_SHA has 8 digits, git's own may have 7.
    """
    return any(commit.startswith(digits) for digits in _WORDS.findall(tag))


def names_tag(tag: str, pipeline_tag: str, pattern: str = "") -> bool:
    """Whether an image's tag is a pipeline's git tag, also without its ``v`` or in the place of the pattern's ``*``.

    ``pattern`` is the ``tag`` of the image in app.yaml: with ``web-*``, ``web-1.2.0`` is the tag ``v1.2.0``.
    """
    if not pipeline_tag:
        return False
    names = {pipeline_tag, re.sub(r"^v(?=[0-9])", "", pipeline_tag)}
    if pattern.count("*") == 1 and not set(pattern) & set("?["):
        names |= {pattern.replace("*", name) for name in names}
    return tag in names


def provenance_problem(
    tag: str, commit: str, pipeline_tag: str = "", pattern: str = "", revision: str | None = None
) -> str:
    """Say why nothing shows that an image was built from a commit; an empty string when something does.

    ``commit`` is the id in full, ``pipeline_tag`` the git tag that the pipeline ran for, ``revision`` what the image
    says of itself (`headgate.registry.digests.revision`).
    """
    if names_commit(tag, commit) or names_tag(tag, pipeline_tag, pattern) or revision == commit:
        return ""
    named = f"its tag '{tag}' does not hold {commit[:8]}" if tag else "it has no tag"
    of_tag = f" and is not the tag {pipeline_tag}" if tag and pipeline_tag else ""
    stated = f"is {revision[:80]!r}" if revision else "is not set"
    return f"{named}{of_tag}, and its label org.opencontainers.image.revision {stated}"
