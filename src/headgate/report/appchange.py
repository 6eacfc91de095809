"""The differences between two trees of a manifest repository, app by app: releases, objects, risks. Pure."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from headgate.config import parse_record
from headgate.errors import ConfigError, HeadgateError
from headgate.hydration import output
from headgate.hydration.object_changes import compared_objects, read_ahead
from headgate.hydration.record import OutputRecord, read_record
from headgate.impact.highlights import highlights
from headgate.impact.routine import is_routine
from headgate.intents.rehydrate import owner_of
from headgate.model import Release
from headgate.records import frozen_record
from headgate.releases.history import parse_release_path
from headgate.releases.release import RELEASE
from headgate.report.causes import UNKNOWN, AppInputs, causes_of, changed_inputs
from headgate.repository.tree import differing, prefetch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headgate.configuration import Configuration, Owner
    from headgate.hydration.object_changes import ComparedObject, ObjectChange
    from headgate.objects.manifest import Manifest
    from headgate.report.causes import Cause, Causes
    from headgate.repository.tree import Changes, Tree


@frozen_record
class ObjectEffect:
    """A changed object: why, and what that does.

    ``is_routine``: only images and versions differ. ``highlights`` are what matters in an added one. ``old`` and
    ``new`` are the object itself.
    """

    change: ObjectChange
    is_routine: bool = False
    causes: Causes = UNKNOWN
    highlights: tuple[str, ...] = ()
    old: Manifest | None = field(default=None, compare=False, repr=False)
    new: Manifest | None = field(default=None, compare=False, repr=False)


@frozen_record
class AppChange:
    """The changes of one app in one environment: release, objects, the inputs that differ.

    ``upgrade`` names another version of the engine.
    """

    app: str
    environment: str
    before: Release | None = None
    after: Release | None = None
    objects: tuple[ObjectEffect, ...] = ()
    upgrade: str = ""
    inputs: tuple[Cause, ...] = ()


_TOGETHER = 100
"""Apps whose objects are in memory at the same time."""


def app_changes(old: Tree, new: Tree, configuration: Configuration) -> list[AppChange]:
    """Return the differences between two trees, by environment and app.

    ``configuration`` maps output folders to apps. app.yaml is not read, so that removed apps are reported too.
    """
    paths = differing(old, new)
    owners = owners_of(paths, configuration)
    folders = [configuration.output_folder(*owner) for owner in owners]
    wanted = {*folders, *(folder for releases in owners.values() for folder in releases)}
    read = [path for path in paths if path.rpartition("/")[0] in wanted]
    prefetch(old, [path for path in read if path in old])
    prefetch(new, [path for path in read if path in new])
    order = list(configuration.settings.environments)
    ranked = sorted(owners, key=lambda owner: (order.index(owner[1]) if owner[1] in order else -1, owner[0]))
    by_folder: dict[str, Changes] = {folder: {} for folder in folders}
    for path in read:
        if (folder := path.rpartition("/")[0]) in by_folder:
            by_folder[folder][path] = new.read(path) if path in new else None
    found = []
    for begin in range(0, len(ranked), _TOGETHER):
        some = [(owner, configuration.output_folder(*owner)) for owner in ranked[begin : begin + _TOGETHER]]
        read_ahead(old, {path: data for _, folder in some for path, data in by_folder[folder].items()})
        found += [
            _app_change(old, new, configuration, owner, owners[owner], by_folder[folder]) for owner, folder in some
        ]
    return found


def owners_of(paths: Iterable[str], configuration: Configuration) -> dict[Owner, list[str]]:
    """Return the apps and environments that own these paths, each with its release folders among them."""
    folders_by_owner: dict[Owner, list[str]] = {}
    owner_by_folder: dict[str, Owner] = {}
    for path in paths:
        release = parse_release_path(path)
        if release is not None:
            folders = folders_by_owner.setdefault(release.owner, [])
            folders += [release.folder] if release.folder not in folders else []
            continue
        folder = path.rpartition("/")[0]
        if folder not in owner_by_folder:
            owner_by_folder[folder] = owner_of(configuration, folder)
        if owner_by_folder[folder][0]:
            folders_by_owner.setdefault(owner_by_folder[folder], [])
    return {
        owner: folders for owner, folders in folders_by_owner.items() if owner[1] in configuration.settings.environments
    }


def _app_change(
    old: Tree, new: Tree, configuration: Configuration, owner: Owner, releases: list[str], own: Changes
) -> AppChange:
    folder = configuration.output_folder(*owner)
    before = _release(old, [f"{name}/{RELEASE}" for name in releases])
    after = _release(new, [f"{name}/{RELEASE}" for name in releases])
    records = _records(old, new, folder) if own else (OutputRecord(), OutputRecord())
    inputs = AppInputs(
        changed=changed_inputs(*records, edited=_is_edited(old, folder, records[0])),
        images=repositories(before, after),
        workloads=configuration.settings.workloads,
    )
    versions = _versions(before, after)
    return AppChange(
        app=owner[0],
        environment=owner[1],
        before=before,
        after=after,
        objects=tuple(
            _effect(compared, inputs, versions)
            for compared in compared_objects(old, folder, own, workloads=inputs.workloads)
        ),
        upgrade=output.upgrade(records[0], records[1].engine),
        inputs=tuple(inputs.changed),
    )


def repositories(before: Release | None, after: Release | None) -> dict[str, str]:
    """Return the repositories of an app's images by their names."""
    return {name: image.repository for side in (before, after) if side for name, image in side.images.items()}


def _versions(before: Release | None, after: Release | None) -> frozenset[tuple[str, str]]:
    """Return the tags of the images that both releases have, before and after."""
    old, new = (side.images if side else {} for side in (before, after))
    return frozenset((old[name].tag, new[name].tag) for name in old.keys() & new.keys())


def _records(old: Tree, new: Tree, folder: str) -> tuple[OutputRecord, OutputRecord]:
    try:
        return read_record(old, folder), read_record(new, folder)
    except ConfigError:  # somebody broke the record
        return OutputRecord(), OutputRecord()


def _is_edited(tree: Tree, folder: str, record: OutputRecord) -> bool:
    return bool(record.files) and record.output != output.output_id(tree, folder, record.files)


def _effect(compared: ComparedObject, inputs: AppInputs, versions: frozenset[tuple[str, str]]) -> ObjectEffect:
    change, old, new = compared.change, compared.old, compared.new
    return ObjectEffect(
        change=change,
        is_routine=old is not None
        and new is not None
        and is_routine(old.kind_name, change.edits, versions, inputs.workloads),
        causes=causes_of(old, new, inputs),
        highlights=highlights(new, inputs.workloads) if new is not None and old is None else (),
        old=old,
        new=new,
    )


def _release(tree: Tree, files: list[str]) -> Release | None:
    for file in files:
        if file in tree:
            try:
                return parse_record(tree.read(file), file, Release)
            except HeadgateError:
                continue
    return None
