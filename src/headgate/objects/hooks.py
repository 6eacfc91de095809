"""Helm's hooks: they have no meaning for Flux, so each kind of hook is dropped, kept on request, or an error. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from headgate.errors import RenderError
from headgate.objects.canonical import to_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headgate.objects.manifest import Manifest

# https://helm.sh/docs/topics/charts_hooks/
_NEVER = {
    "test",
    "test-success",
    "test-failure",
    "pre-delete",
    "post-delete",
    "pre-rollback",
    "post-rollback",
}
_MAX_JOB_NAME = 63


def without_hooks(found: Iterable[Manifest], hooks: str | None, app_file: str) -> list[Manifest]:
    """Return the objects that belong in the output.

    Tests and the hooks of deletion and rollback never do. Those of installation and upgrade need
    ``hooks: drop`` or ``hooks: keep``; a Job that is kept gets a suffix made of its content, since a Job
    cannot be changed. Raises RenderError when nothing was said.
    """
    kept = []
    for manifest in found:
        events = _events(manifest)
        if not events:
            kept.append(manifest)
        elif events <= _NEVER:
            continue
        elif hooks is None:
            raise RenderError(
                f"{manifest} is a Helm hook ({', '.join(sorted(events - _NEVER))}), which runs only when Helm installs",
                where=manifest.place,
                hint=f"say what becomes of it in {app_file} or template.yaml: hooks: drop, or hooks: keep",
            )
        elif hooks == "keep":
            kept.append(_with_suffix(manifest) if manifest.kind_name == "Job.batch" else manifest)
    return kept


def _events(manifest: Manifest) -> set[str]:
    metadata: dict[str, Any] = manifest.data.get("metadata", {})
    annotations = metadata.get("annotations")
    hook = annotations.get("helm.sh/hook") if isinstance(annotations, dict) else None
    return {event.strip() for event in hook.split(",")} if isinstance(hook, str) else set()


def _with_suffix(manifest: Manifest) -> Manifest:
    digest = hashlib.sha256(to_text(manifest).encode()).hexdigest()[:8]
    name = f"{manifest.name[: _MAX_JOB_NAME - 9].rstrip('-.')}-{digest}"
    data = {**manifest.data, "metadata": {**manifest.data["metadata"], "name": name}}
    return replace(manifest, name=name, data=data)
