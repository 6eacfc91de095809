"""The changes of Flux objects that go with changes of final YAML, in the same commit. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.clusters import environments_on
from headgate.errors import HeadgateError
from headgate.flux.files import ClusterFiles, writes_flux_objects

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from headgate.configuration import Configuration, Owner
    from headgate.repository.tree import Changes, Tree


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


def with_removals(
    tree: Tree, configuration: Configuration, done: Mapping[Owner, Changes], covered: Collection[Owner]
) -> dict[Owner, Changes]:
    """Return what goes below ``clusters/`` with app-environments whose final YAML a run takes away.

    ``done`` are the changes of the run, ``tree`` is as before it. Where it ``covered`` all app-environments, whatever
    nothing needs any more goes with those of its cluster that are reviewed, if any are.
    """
    if not writes_flux_objects(configuration.settings):
        return {}
    files = ClusterFiles(tree.with_changes(_joined(done.values())), configuration)
    found = {owner: gone for owner in done if (gone := files.removal(*owner))}
    if len(covered) >= len(configuration.apps.names) and _is_everything(configuration, covered):
        for path in files.leftovers():
            owner = next(iter(_strictest(configuration, path.split("/")[1], done)), None)
            if owner is not None:
                found[owner] = {**found.get(owner, {}), path: None}
    return found


def _is_everything(configuration: Configuration, covered: Collection[Owner]) -> bool:
    known = set(covered)
    return all((record.name, environment) in known for record, environment in configuration.pairs())


def _strictest(configuration: Configuration, cluster: str, done: Iterable[Owner]) -> list[Owner]:
    """Return the app-environments of a run that are on a cluster, those that are reviewed first."""
    settings, apps = configuration.settings, configuration.apps
    names = set(environments_on(settings, cluster))
    here = [(app, environment) for app, environment in done if environment in names and app in apps]
    return sorted(here, key=lambda owner: apps[owner[0]].delivery(settings, owner[1]) != "review")


def _joined(changes: Iterable[Changes]) -> Changes:
    found: Changes = {}
    for some in changes:
        found |= some
    return found
