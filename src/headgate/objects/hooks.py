"""Helm's hooks: they have no meaning for Flux, so each kind of hook is dropped, kept on request, or an error. Pure."""

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
"""Kinds whose objects cannot be changed in the cluster."""
_MAX_NAME = 63  # a Pod's may be longer, but is a host name too


def without_hooks(manifests: Iterable[Manifest], hooks: str | None, app_file: str) -> list[Manifest]:
    """Return the objects that belong in the output.

    The engine has dropped the hooks that never run (of tests, deletion and rollback), and with ``hooks: drop`` all.
    Raises RenderError for others when nothing was said.
    """
    kept = []
    for manifest in manifests:
        if manifest.hook and hooks is None:
            raise RenderError(
                f"{manifest} is a Helm hook ({', '.join(manifest.hook)}), which runs only when Helm installs",
                where=manifest.place,
                hint=f"say what becomes of it in {app_file} or template.yaml: hooks: drop, or hooks: keep",
            )
        kept.append(manifest)
    return kept


def with_suffixes(manifests: Iterable[Manifest]) -> list[Manifest]:
    """Add to the name of each hook Job and Pod a suffix made of its content, since neither can be changed.

    The content is what will run, so digests are set before. Raises ManifestError for what SOPS encrypted.
    """
    return [
        _with_suffix(manifest) if manifest.kind_name in _FIXED and manifest.hook else manifest for manifest in manifests
    ]


def _with_suffix(manifest: Manifest) -> Manifest:
    if manifest.verbatim:
        raise ManifestError(
            f"{manifest} is a hook and encrypted, so its name cannot get the suffix that a changed one needs",
            where=manifest.place,
            hint="put what is secret into a Secret, encrypt that with sops, and refer to it",
        )
    digest = hashlib.sha256(to_text(manifest).encode()).hexdigest()[:8]
    name = f"{manifest.name[: _MAX_NAME - 9].rstrip('-.')}-{digest}"
    data = {**manifest.data, "metadata": {**manifest.data["metadata"], "name": name}}
    return replace(manifest, name=name, data=data)
