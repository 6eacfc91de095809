"""Helm's hooks, which mean nothing to Flux: each is dropped, kept on request, or an error. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from headgate.errors import ManifestError, RenderError
from headgate.objects.canonical import to_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headgate.objects.manifest import Manifest

_FIXED = ("Job.batch", "Pod")
"""Kinds of immutable objects."""
_MAX_NAME = 63  # a Pod's name may be longer, but is a host name too


def without_hooks(manifests: Iterable[Manifest], hooks: str | None, app_file: str) -> list[Manifest]:
    """Return the objects for the output.

    The engine has dropped hooks that never run (tests, deletion, rollback), and with ``hooks: drop`` all hooks.
    Raises RenderError for other hooks if ``hooks`` is not set.
    """
    kept = []
    for manifest in manifests:
        if manifest.hook and hooks is None:
            raise RenderError(
                f"{manifest} is a Helm hook ({', '.join(manifest.hook)}), which runs only when Helm installs",
                where=manifest.place,
                hint=f"set 'hooks: drop' or 'hooks: keep' in {app_file} or template.yaml",
            )
        kept.append(manifest)
    return kept


def with_suffixes(manifests: Iterable[Manifest]) -> list[Manifest]:
    """Append a hash of the content to the name of each hook Job and Pod, since both are immutable.

    Digests must be set before. Raises ManifestError for an object that SOPS encrypted.
    """
    return [
        _with_suffix(manifest) if manifest.kind_name in _FIXED and manifest.hook else manifest for manifest in manifests
    ]


def _with_suffix(manifest: Manifest) -> Manifest:
    if manifest.verbatim:
        raise ManifestError(
            f"cannot add the suffix of a hook to the name of {manifest}: it is encrypted",
            where=manifest.place,
            hint="move secret data to a Secret, encrypt that with sops, and refer to it",
        )
    digest = hashlib.sha256(to_text(manifest).encode()).hexdigest()[:8]
    name = f"{manifest.name[: _MAX_NAME - 9].rstrip('-.')}-{digest}"
    data = {**manifest.data, "metadata": {**manifest.data["metadata"], "name": name}}
    return replace(manifest, name=name, data=data)
