"""What differs between two trees of a manifest repository, app by app: releases, objects, dangers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.config import parse_record
from headgate.errors import ConfigError, HeadgateError
from headgate.hydration import output
from headgate.intents.rehydrate import owner_of
from headgate.model import Release
from headgate.objects.encrypted import is_encrypted
from headgate.releases.history import parse_release_path
from headgate.releases.release import RELEASE
from headgate.report.risk import dangers
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
    """One object that differs. Of a ``secret`` one (a Secret, or encrypted) no value may be shown."""

    change: ObjectChange
    secret: bool = False
    dangers: tuple[str, ...] = ()


@dataclass(frozen=True)
class AppChange:
    """What differs for one app in one environment: its release before and after, its objects, its engine's version."""

    app: str
    environment: str
    before: Release | None = None
    after: Release | None = None
    objects: tuple[ObjectEffect, ...] = ()
    upgrade: str = ""


def app_changes(old: Tree, new: Tree, configuration: Configuration) -> list[AppChange]:
    """Return what differs between two trees, by environment and app.

    ``configuration`` says where the final YAML of which app is; app.yaml itself is not read, so that apps that
    are gone are told too.
    """
    paths = differing(old, new)
    owners = owners_of(paths, configuration)
    folders = [configuration.output_folder(*owner) for owner in owners]
    wanted = {*folders, *(folder for found in owners.values() for folder in found)}
    read = [path for path in paths if path.rpartition("/")[0] in wanted]
    prefetch(old, [path for path in read if path in old])
    prefetch(new, [path for path in read if path in new])
    order = list(configuration.settings.environments)
    ranked = sorted(owners, key=lambda owner: (order.index(owner[1]) if owner[1] in order else -1, owner[0]))
    return [_app_change(old, new, configuration, owner, owners[owner], read) for owner in ranked]


def owners_of(paths: Iterable[str], configuration: Configuration) -> dict[Owner, list[str]]:
    """Return whose releases or final YAML these paths are, each with the folders of its releases among them."""
    found: dict[Owner, list[str]] = {}
    known: dict[str, Owner] = {}
    for path in paths:
        release = parse_release_path(path)
        if release is not None:
            folders = found.setdefault(release.owner, [])
            folders += [release.folder] if release.folder not in folders else []
            continue
        folder = path.rpartition("/")[0]
        if folder not in known:
            known[folder] = owner_of(configuration, folder)
        if known[folder][0]:
            found.setdefault(known[folder], [])
    return {owner: folders for owner, folders in found.items() if owner[1] in configuration.settings.environments}


def _app_change(
    old: Tree, new: Tree, configuration: Configuration, owner: Owner, releases: list[str], paths: Iterable[str]
) -> AppChange:
    folder = configuration.output_folder(*owner)
    own: Changes = {
        path: new.read(path) if path in new else None for path in paths if path.rpartition("/")[0] == folder
    }
    workloads = configuration.settings.workloads
    objects = tuple(_effect(*one, workloads) for one in output.object_pairs(old, folder, own, {}))
    before = _release(old, [f"{one}/{RELEASE}" for one in releases])
    after = _release(new, [f"{one}/{RELEASE}" for one in releases])
    return AppChange(*owner, before, after, objects, _upgrade(old, new, folder) if own else "")


def _upgrade(old: Tree, new: Tree, folder: str) -> str:
    try:
        return output.upgrade(output.read_record(old, folder), output.read_record(new, folder).engine)
    except ConfigError:  # somebody edited the record
        return ""


def _effect(file: str, old: Manifest | None, new: Manifest | None, workloads: Mapping[str, str]) -> ObjectEffect:
    secret = any(one.kind == "Secret" or is_encrypted(one.data) for one in (old, new) if one is not None)
    return ObjectEffect(output.object_change(file, old, new), secret, tuple(dangers(old, new, workloads)))


def _release(tree: Tree, files: list[str]) -> Release | None:
    for file in files:
        if file in tree:
            try:
                return parse_record(tree.read(file), file, Release)
            except HeadgateError:
                continue
    return None
