"""The final YAML that is judged before it is written, and the landed YAML that it replaces."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headgate.errors import HeadgateError
from headgate.hydration import final_yaml
from headgate.hydration.record import read_record
from headgate.records import frozen_record
from headgate.repository.tree import MAX_FILE, blob_id, prefetch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from headgate.configuration import Configuration, Owner
    from headgate.engine.budget import Budget
    from headgate.hydration.assemble import Hydrated
    from headgate.objects.manifest import Manifest
    from headgate.objects.packed import PackedManifests
    from headgate.repository.tree import Tree


PORTION = 500
"""The number of app-environments that are judged and compared at once; no objects of others are decoded meanwhile."""


@frozen_record
class Candidate:
    """Final YAML of an app in an environment: its objects, and their files by name.

    ``own_config``: the app itself wrote it.
    """

    manifests: PackedManifests
    files: Mapping[str, bytes]
    kubernetes: str
    budget: Budget
    own_config: bool

    @property
    def without_files(self) -> Candidate:
        """The part that is still needed after it was judged and compared."""
        return replace(self, files={})


def candidate_of(hydrated: Hydrated) -> Candidate:
    """Return the candidate of a fresh render."""
    render = hydrated.planned.render
    return Candidate(
        manifests=hydrated.manifests,
        files=hydrated.files,
        kubernetes=render.kubernetes,
        budget=render.budget,
        own_config=hydrated.planned.own_config,
    )


@frozen_record
class JudgingContext:
    """Everything that judging reads: the landed files (``tree``), and the candidates that replace them."""

    tree: Tree
    configuration: Configuration
    rendered: Mapping[Owner, Candidate]
    today: date

    def folder(self, owner: Owner) -> str:
        """Return the folder of an app's final YAML."""
        return self.configuration.output_folder(*owner)


def changed_files(context: JudgingContext, owner: Owner) -> list[str]:
    """Return the landed files of an app with another text: only their objects are updated."""
    folder, files = context.folder(owner), context.rendered[owner].files
    paths = [(f"{folder}/{name}", text) for name, text in files.items()]
    return [path for path, text in paths if path in context.tree and context.tree.blob(path).oid != blob_id(text)]


def landed_files(context: JudgingContext, owner: Owner) -> list[str]:
    """Return the landed files of an app's final YAML."""
    folder = context.folder(owner)
    try:
        names = read_record(context.tree, folder).files
    except HeadgateError:
        return []
    return [path for name in names if (path := f"{folder}/{name}") in context.tree]


def removed_files(context: JudgingContext, owner: Owner) -> list[str]:
    """Return the files of an app that are removed."""
    folder, files = context.folder(owner), context.rendered[owner].files
    return [path for path in landed_files(context, owner) if path.removeprefix(f"{folder}/") not in files]


def read_files(tree: Tree, wanted: Mapping[Owner, Sequence[str]]) -> dict[Owner, list[Manifest]]:
    """Read files of final YAML, many at once; nothing for a folder that somebody made unreadable by hand."""
    small = {owner: [path for path in paths if tree.blob(path).size <= MAX_FILE] for owner, paths in wanted.items()}
    prefetch(tree, [path for paths in small.values() for path in paths])
    texts = {path: _text(tree, path) for paths in small.values() for path in paths}
    final_yaml.read_ahead(texts.items())
    return {owner: _objects(paths, texts) for owner, paths in small.items()}


def _text(tree: Tree, path: str) -> bytes:
    return tree.read(path).decode("utf-8", "replace").encode()


def _objects(paths: Sequence[str], texts: Mapping[str, bytes]) -> list[Manifest]:
    try:
        return [manifest for path in paths for manifest in final_yaml.objects_of(path, texts[path])]
    except HeadgateError:
        return []
