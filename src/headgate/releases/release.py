"""The release record: what one app runs in one environment, and its canonical text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from headgate.config import parse_record
from headgate.model import Newest, Release, ReleasedConfig, ReleasedImage
from headgate.records import frozen_record
from headgate.repository.tree import Tree, prefetch
from headgate.yamltext.write import write

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headgate.configuration import AppRecord
    from headgate.model.fields import StrictModel
    from headgate.repository.tree import Changes

HEADER = "# Written by Headgate. A change by hand is lost with the next hand-off.\n"
RELEASE = "release.yaml"
CONFIG = "config"
WAITING = "waiting"
"""Folder of a release that waited as a whole, in the format of version 1.0.0."""


@frozen_record(kw_only=False)
class Released:
    """A release with the files of the app's config."""

    release: Release
    config: Tree

    @property
    def runs(self) -> tuple[object, ...]:
        """Images, config and template: equal for releases that run the same."""
        return (self.release.images, self.release.config, self.release.template, self.config.id)

    def changed(self, **fields: Any) -> Released:
        """Return this with new values for fields of its release."""
        return replace(self, release=self.release.model_copy(update=fields))


NOTHING = Released(Release(), Tree({}))
"""The release of an app before its first hand-off."""


def release_file(record: AppRecord, environment: str) -> str:
    """Return the path of an app's release in an environment."""
    return f"{record.release_folder(environment)}/{RELEASE}"


def config_folder(record: AppRecord, environment: str) -> str:
    """Return the folder with the app's own config in an environment."""
    return f"{record.release_folder(environment)}/{CONFIG}"


def read_release(tree: Tree, record: AppRecord, environment: str) -> Release | None:
    """Read an app's release in an environment; None before the first hand-off."""
    file = release_file(record, environment)
    return parse_record(tree.read(file), file, Release) if file in tree else None


def read_released(tree: Tree, folder: str) -> Released | None:
    """Read the release in a folder with its config; None when there is none."""
    file = f"{folder}/{RELEASE}"
    if file not in tree:
        return None
    prefetch(tree, [file, f"{folder}/{CONFIG}"])
    return Released(parse_record(tree.read(file), file, Release), tree.folder(f"{folder}/{CONFIG}"))


def write_released(tree: Tree, folder: str, released: Released | None) -> Changes:
    """Return the changes after which a folder holds exactly this release, or none."""
    own = [f"{folder}/{RELEASE}", *tree.paths(f"{folder}/{CONFIG}")]
    return replace_files(tree, own, release_files(folder, released) if released is not None else {})


def release_files(folder: str, released: Released) -> dict[str, bytes]:
    """Return the files of a release in a folder."""
    return {f"{folder}/{RELEASE}": write_record(released.release)} | config_files(folder, released.config)


def config_files(folder: str, config: Tree) -> dict[str, bytes]:
    """Return the files of an app's config in the folder of a release or a group."""
    return {f"{folder}/{CONFIG}/{path}": config.read(path) for path in config.paths()}


def replace_files(tree: Tree, old: Iterable[str], files: Mapping[str, bytes]) -> Changes:
    """Return the changes that replace the ``old`` paths with ``files``."""
    changes: Changes = {path: None for path in old if path not in files and path in tree}
    return changes | {path: data for path, data in files.items() if path not in tree or tree.read(path) != data}


def write_record(record: StrictModel) -> bytes:
    """Return the canonical text of a record."""
    data = record.model_dump(mode="json", exclude_defaults=True)
    return (HEADER + write({"version": 1, **data})).encode()


def parts(release: Release | None) -> dict[str, ReleasedImage | ReleasedConfig]:
    """Return the parts of a release by name."""
    if release is None:
        return {}
    return {**release.images, **({CONFIG: release.config} if release.config else {})}


def newest_of(part: ReleasedImage | ReleasedConfig) -> Newest:
    """Return the record of a part as the newest ever released."""
    image = {"tag": part.tag, "digest": part.digest} if isinstance(part, ReleasedImage) else {}
    return Newest.model_validate({"commit": part.commit, "ref": part.ref, "pipeline": part.pipeline, **image})


def known_parts(record: AppRecord, environment: str) -> set[str]:
    """Return the names of an app's parts in an environment."""
    return {*record.images(environment), *([CONFIG] if record.app.config is not None else [])}


def missing_parts(release: Release | None, record: AppRecord, environment: str) -> list[str]:
    """Return the parts that hydration needs and that nobody has handed off yet."""
    needed = [name for name, image in record.images(environment).items() if not image.optional]
    missing = [f"image {name}" for name in needed if release is None or name not in release.images]
    if record.app.config is not None and (release is None or release.config is None):
        missing.append("config")
    return missing
