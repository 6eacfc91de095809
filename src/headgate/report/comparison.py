"""What differs between two environments, app by app, in the form of a change from one to the other. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headgate.errors import HeadgateError
from headgate.hydration.object_changes import object_change, object_pairs
from headgate.hydration.record import read_record
from headgate.impact.highlights import highlights
from headgate.releases.release import read_release
from headgate.report.appchange import AppChange, ObjectEffect, repositories
from headgate.report.causes import AppInputs, Causes, causes_of, changed_inputs
from headgate.report.versions import version_steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headgate.configuration import AppRecord, Configuration
    from headgate.model import Release
    from headgate.objects.manifest import Manifest
    from headgate.repository.tree import Changes, Tree


def differences(
    tree: Tree, configuration: Configuration, apps: Iterable[AppRecord], left: str, right: str
) -> list[AppChange]:
    """Return how each app's final YAML in ``right`` differs from that in ``left``; nothing of apps that are equal.

    An object of the app's own namespace is the same object in both, though the namespaces differ. Where an app has no
    YAML in one of them, all of it is added or removed.
    """
    found = [_difference(tree, configuration, app, left, right) for app in apps]
    return [change for change in found if change.objects or any(version_steps(change))]


def _difference(tree: Tree, configuration: Configuration, app: AppRecord, left: str, right: str) -> AppChange:
    folders = [configuration.output_folder(app.name, environment) for environment in (left, right)]
    records = [read_record(tree, folder) for folder in folders]
    before, after = (_release(tree, app, environment) for environment in (left, right))
    namespaces = app.namespace(left), app.namespace(right)
    same = _same_files(tree, folders) if namespaces[0] == namespaces[1] else set()
    what: Changes = {f"{folders[0]}/{name}": None for name in records[0].files if name not in same}
    what |= {f"{folders[0]}/{name}": tree.read(f"{folders[1]}/{name}") for name in records[1].files if name not in same}
    inputs = changed_inputs(*records) if all(record.files for record in records) else ()
    causes = AppInputs(changed=inputs, images=repositories(before, after), workloads=configuration.settings.workloads)
    objects = []
    for file, old, new in object_pairs(tree, folders[0], what):
        moved = _moved(old, namespaces)
        effect = _effect(file, moved, new, configuration.settings.workloads)
        if effect.change.action != "changed" or effect.change.fields:
            objects.append(replace(effect, causes=causes_of(moved, new, causes)))
    return AppChange(
        app=app.name,
        environment=right,
        before=before,
        after=after,
        objects=tuple(objects),
        inputs=inputs,
    )


def _same_files(tree: Tree, folders: list[str]) -> set[str]:
    """Return the names of the files that are equal in both folders, so that nobody needs to read them."""
    files = [{(path.removeprefix(folder), tree.oid(path)) for path in tree.paths(folder)} for folder in folders]
    return {name.removeprefix("/") for name, _ in files[0] & files[1]}


def _release(tree: Tree, app: AppRecord, environment: str) -> Release | None:
    try:
        return read_release(tree, app, environment)
    except HeadgateError:
        return None


def _moved(manifest: Manifest | None, namespaces: tuple[str, str]) -> Manifest | None:
    """Return an object as it is in the other environment's namespace."""
    if manifest is None or manifest.namespace != namespaces[0] or manifest.verbatim:
        return manifest
    metadata = {**manifest.data["metadata"], "namespace": namespaces[1]}
    return replace(manifest, namespace=namespaces[1], data={**manifest.data, "metadata": metadata})


def _effect(file: str, old: Manifest | None, new: Manifest | None, workloads: Mapping[str, str]) -> ObjectEffect:
    change = replace(object_change(file, old, new, {}), risks=(), effects=())  # nothing is applied
    matters = highlights(new, workloads) if new is not None and old is None else ()
    return ObjectEffect(change=change, causes=Causes(), highlights=matters, old=old, new=new)
