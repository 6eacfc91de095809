"""Whether an image was built from a commit: by its tag, or by its revision label. Pure."""

from __future__ import annotations

import re

# Whole words of hexadecimal digits; git describe puts a ``g`` before them.
_WORDS = re.compile(r"(?<![0-9A-Za-z])g?([0-9a-f]{7,64})(?![0-9A-Za-z])")


def names_commit(tag: str, commit: str) -> bool:
    """Whether a tag contains a commit id, or its first 7 or more digits, as a separate word.

    ``main-1a2b3c4d`` and ``1.2.0-3-g1a2b3c4`` do. CI_COMMIT_SHORT_SHA of GitLab has 8 digits, git's may have 7.
    """
    return any(commit.startswith(digits) for digits in _WORDS.findall(tag))


def names_tag(tag: str, pipeline_tag: str, pattern: str = "") -> bool:
    """Whether an image's tag is a pipeline's git tag, possibly without ``v`` or inserted into the pattern.

    ``pattern`` is the ``tag`` of the image in app.yaml: with ``web-*``, ``web-1.2.0`` matches the tag ``v1.2.0``.
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
    """Return why neither tag nor revision shows that an image was built from a commit; empty if one does.

    ``commit`` is the full id, ``pipeline_tag`` the git tag of the pipeline, ``revision`` the image's label
    (`headgate.registry.digests.revision`).
    """
    if names_commit(tag, commit) or names_tag(tag, pipeline_tag, pattern) or revision == commit:
        return ""
    named = f"its tag '{tag}' does not contain {commit[:8]}" if tag else "it has no tag"
    of_tag = f" and is not the tag {pipeline_tag}" if tag and pipeline_tag else ""
    stated = f"is {revision[:80]!r}" if revision else "is not set"
    return f"{named}{of_tag}, and its label org.opencontainers.image.revision {stated}"
