"""The images that an app's pipelines should hand off, and the releases that record the running ones. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from headgate.adoption.fluxobjects import marked_policies
from headgate.model import ReleasedImage
from headgate.objects.images import SHA256, Reference, canonical_repository, find_reference, uses
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headgate.adoption.choices import Choices
    from headgate.adoption.sources import CurrentApp
    from headgate.repository.tree import Tree


Resolve = Callable[[Reference], Reference]
"""Resolves an image's tag to its digest, or returns the image unchanged."""


@frozen_record
class Provenance:
    """The source in the releases of running images: this repository's project, commit and branch.

    Without the project no release is written.
    """

    project: str
    commit: str
    ref: str


def own_repositories(app: CurrentApp, tree: Tree, choices: Choices, policies: Mapping[str, str]) -> list[str]:
    """Return the repositories of an app's own images: the given ones, else those that Flux's markers name.

    ``policies`` are the repositories of image policies.
    """
    if app.app in choices.images:
        return list(choices.images[app.app])
    texts = [tree.read(path) for path in app.files if path in tree]
    marked = [policies.get(policy, "") for text in texts for policy in marked_policies(text)]
    running = {canonical_repository(reference.repository) for reference in references(app)}
    return list(dict.fromkeys(name for name in marked if name and canonical_repository(name) in running))


def references(app: CurrentApp) -> list[Reference]:
    """Return the images that an app's containers run."""
    texts = (use.text for manifest in app.manifests for use in uses(manifest, {}) if isinstance(use.text, str))
    found = (find_reference(text) for text in texts)
    return list(dict.fromkeys(reference for reference in found if reference is not None))


def running(app: CurrentApp, repository: str) -> Reference | None:
    """Return the one image of a repository that an app runs; None for none, and for several."""
    wanted = canonical_repository(repository)
    found = [reference for reference in references(app) if canonical_repository(reference.repository) == wanted]
    return found[0] if len(found) == 1 else None


def image_names(repositories: Iterable[str]) -> dict[str, str]:
    """Return names for images: the last part of each repository, with a number where two have the same."""
    names: dict[str, str] = {}
    for repository in repositories:
        name = re.sub(r"[^a-z0-9-]+", "-", repository.rpartition("/")[2].lower()).strip("-") or "image"
        names[name if name not in names else f"{name}-{len(names) + 1}"] = repository
    return names


def released_images(
    app: CurrentApp, names: Mapping[str, str], provenance: Provenance, resolve: Resolve
) -> dict[str, ReleasedImage]:
    """Return the running images as a release records them, without those that have no digest."""
    found = {}
    for name, repository in names.items():
        reference = running(app, repository)
        if reference is not None and reference.tag and not reference.digest:
            reference = resolve(reference)
        if reference is not None and reference.tag and SHA256.fullmatch(reference.digest):
            found[name] = ReleasedImage(
                project=provenance.project,
                commit=provenance.commit,
                ref=provenance.ref,
                repository=reference.repository,
                tag=reference.tag,
                digest=reference.digest,
            )
    return found
