"""Whether a change is only of images and versions, as every hand-off makes it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.objects.edits import Edit, field_names
from headgate.objects.images import canonical_repository, find_reference

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from headgate.objects.edits import AnyEdit

_LABELS = {"app.kubernetes.io/version", "helm.sh/chart", "tags.datadoghq.com/version"}
_IMAGES = ("image", "reference")
_MIN_LENGTH = 3
"""A version shorter than this (``1``) is in too many texts by chance."""


def is_routine(
    kind_name: str,
    edits: Iterable[AnyEdit],
    versions: Collection[tuple[str, str]],
    workloads: Mapping[str, str],
) -> bool:
    """Return whether an object differs only in images and versions: image references, the labels for versions, and
    texts in which the old version of an image became the new one.

    ``edits`` are what runs differently (`RunningChange`), ``workloads`` says where custom resources run images
    (`images.uses`).
    """
    if kind_name in ("ConfigMap", "Secret"):
        return False
    image_path = tuple(workloads.get(kind_name, "").split("."))
    return all(
        isinstance(edit, Edit)
        and isinstance(edit.old, str)
        and isinstance(edit.new, str)
        and _is_version(edit.old, edit.new, field_names(edit.path), image_path, versions)
        for edit in edits
        if edit.path != ("metadata", "name")
    )


def _is_version(
    old: str, new: str, names: tuple[str, ...], image_path: tuple[str, ...], versions: Collection[tuple[str, str]]
) -> bool:
    if names[-1] in _IMAGES or names == image_path:
        return _same_repository(old, new)
    if names[-1] in _LABELS and names[-2:-1] == ("labels",):
        return True
    return any(len(before) >= _MIN_LENGTH and old.replace(before, after) == new for before, after in versions)


def _same_repository(old: str, new: str) -> bool:
    before, after = find_reference(old), find_reference(new)
    if before is None or after is None:
        return False
    return canonical_repository(before.repository) == canonical_repository(after.repository)
