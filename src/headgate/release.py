"""The release record: what one app runs in one environment, and its canonical text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.config import parse
from headgate.model import Release
from headgate.yamlwrite import write

if TYPE_CHECKING:
    from headgate.config import AppRecord
    from headgate.tree import Tree

HEADER = "# Written by Headgate. A change by hand is lost with the next hand-off.\n"
CONFIG = "config"


def release_file(record: AppRecord, environment: str) -> str:
    """Return the path of an app's release in an environment."""
    return f"{record.release_folder(environment)}/release.yaml"


def config_folder(record: AppRecord, environment: str) -> str:
    """Return the folder with the app's own config in an environment."""
    return f"{record.release_folder(environment)}/{CONFIG}"


def read_release(tree: Tree, record: AppRecord, environment: str) -> Release | None:
    """Read an app's release in an environment; None before the first hand-off."""
    file = release_file(record, environment)
    return parse(tree.read(file), file, Release)[0] if file in tree else None


def to_text(release: Release) -> bytes:
    """Return the canonical text of a release."""
    return (HEADER + write({"version": release.version, **release.model_dump(exclude_defaults=True)})).encode()


def missing_parts(release: Release | None, record: AppRecord, environment: str) -> list[str]:
    """Return the parts that have not been handed off yet, without which the app cannot be hydrated here."""
    parts = [name for name, image in record.images(environment).items() if not image.optional]
    have: set[str] = set(release.images) if release else set()
    missing = [f"image {name}" for name in parts if name not in have]
    if record.app.config is not None and (release is None or release.config is None):
        missing.append("config")
    return missing
