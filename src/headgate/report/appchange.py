"""The differences between two trees of a manifest repository, app by app: releases, objects, risks. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.config import parse_record
from headgate.errors import ConfigError, HeadgateError
from headgate.hydration import output
from headgate.intents.rehydrate import owner_of
from headgate.model import Release
from headgate.objects.encrypted import is_encrypted
from headgate.releases.history import release_of
from headgate.releases.release import RELEASE
from headgate.report.risk import find_risks
from headgate.repository.tree import differing, prefetch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headgate.config import Configuration
    from headgate.hydration.output import ObjectChange
    from headgate.objects.manifest import Manifest
    from headgate.releases.last_change import Owner
    from headgate.repository.tree import Changes, Tree


@dataclass(frozen=True)
class ObjectEffect:
    """A changed object. The values of a ``secret`` one (a Secret, or encrypted) must not be shown."""

    change: ObjectChange
    secret: bool = False
    risks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AppChange:
    """The changes of one app in one environment: release, objects, engine version (``upgrade``)."""

    app: str
    environment: str
    before: Release | None = None
    after: Release | None = None
    objects: tuple[ObjectEffect, ...] = ()
    upgrade: str = ""


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
    return [_app_change(old, new, configuration, owner, owners[owner], read) for owner in ranked]


def owners_of(paths: Iterable[str], configuration: Configuration) -> dict[Owner, list[str]]:
    """Return the apps and environments that own these paths, each with its release folders among them."""
    folders_by_owner: dict[Owner, list[str]] = {}
    owner_by_folder: dict[str, Owner] = {}
    for path in paths:
        release = release_of(path)
        if release is not None:
            folders = folders_by_owner.setdefault((release[1], release[2]), [])
            folders += [release[0]] if release[0] not in folders else []
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
    old: Tree, new: Tree, configuration: Configuration, owner: Owner, releases: list[str], paths: Iterable[str]
) -> AppChange:
    folder = configuration.output_folder(*owner)
    own: Changes = {
        path: new.read(path) if path in new else None for path in paths if path.rpartition("/")[0] == folder
    }
    workloads = configuration.settings.workloads
    return AppChange(
        app=owner[0],
        environment=owner[1],
        before=_release(old, [f"{name}/{RELEASE}" for name in releases]),
        after=_release(new, [f"{name}/{RELEASE}" for name in releases]),
        objects=tuple(_effect(*pair, workloads) for pair in output.object_pairs(old, folder, own, {})),
        upgrade=_upgrade(old, new, folder) if own else "",
    )


def _upgrade(old: Tree, new: Tree, folder: str) -> str:
    try:
        return output.upgrade(output.read_record(old, folder), output.read_record(new, folder).engine)
    except ConfigError:  # somebody broke the record
        return ""


def _effect(file: str, old: Manifest | None, new: Manifest | None, workloads: Mapping[str, str]) -> ObjectEffect:
    secret = any(side.kind == "Secret" or is_encrypted(side.data) for side in (old, new) if side is not None)
    return ObjectEffect(output.object_change(file, old, new), secret, tuple(find_risks(old, new, workloads)))


def _release(tree: Tree, files: list[str]) -> Release | None:
    for file in files:
        if file in tree:
            try:
                return parse_record(tree.read(file), file, Release)
            except HeadgateError:
                continue
    return None
