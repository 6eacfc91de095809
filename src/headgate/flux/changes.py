"""The changes of Flux objects that go with changes of final YAML, in the same commit. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.errors import HeadgateError
from headgate.flux.files import ClusterFiles, writes_flux_objects

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headgate.config import Configuration
    from headgate.repository.tree import Changes, Tree

Owner = tuple[str, str]
"""App and environment."""


def with_yaml(
    tree: Tree, configuration: Configuration, hydrated: Mapping[Owner, Changes]
) -> dict[Owner, Changes | HeadgateError]:
    """Return what changes below ``clusters/`` with hydrated app-environments, or why it cannot be written.

    ``hydrated`` are the changes of their final YAML, which may be none; ``tree`` is as before all of them.
    """
    if not writes_flux_objects(configuration.settings):
        return {}
    files = ClusterFiles(tree.with_changes(_joined(hydrated.values())), configuration)
    return {owner: found for owner in hydrated if (found := _changes(files, configuration, owner))}


def _changes(files: ClusterFiles, configuration: Configuration, owner: Owner) -> Changes | HeadgateError:
    try:
        return files.changes(configuration.apps[owner[0]], owner[1])
    except HeadgateError as error:
        return error


def with_removals(tree: Tree, configuration: Configuration, done: Mapping[Owner, Changes]) -> dict[Owner, Changes]:
    """Return what goes below ``clusters/`` with app-environments whose final YAML a run takes away.

    ``done`` are the changes of all that the run concerns, ``tree`` is as before it.
    """
    if not writes_flux_objects(configuration.settings):
        return {}
    files = ClusterFiles(tree.with_changes(_joined(done.values())), configuration)
    return {owner: found for owner in done if (found := files.removal(*owner))}


def _joined(changes: Iterable[Changes]) -> Changes:
    found: Changes = {}
    for some in changes:
        found |= some
    return found
