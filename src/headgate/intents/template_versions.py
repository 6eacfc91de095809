"""The version of its template that a release carries. Pure."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from headgate.config import app_folders, parse_record
from headgate.hydration.template import current_scope, dropped, kept, shared_template, version_of
from headgate.model import GroupRecord, Release
from headgate.paths import VERSIONS
from headgate.releases.pending import GROUP
from headgate.releases.release import RELEASE
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from headgate.configuration import AppRecord, Configuration
    from headgate.releases.release import Released
    from headgate.repository.tree import Changes, Tree


def pins_template(configuration: Configuration, environment: str) -> bool:
    """Whether an environment gets template changes only with releases."""
    return configuration.environment(environment).templates == "promote"


def current_version(tree: Tree, record: AppRecord) -> tuple[str | None, Changes]:
    """Return the id of an app's current template, and the changes that keep a copy; None without a template."""
    if record.app.template is None:
        return None, {}
    version, files = version_of(shared_template(tree, partial(current_scope, tree), record.app.template))
    return version, kept(tree, version, files)


def carried_version(tree: Tree, record: AppRecord, released: Released) -> tuple[str | None, Changes]:
    """Return the template of a release in its tree, and the changes that keep a copy of it."""
    version = released.release.template
    if version is None:
        return current_version(tree, record)
    prefetch(tree, [f"{VERSIONS}/{version}"])
    folder = tree.folder(f"{VERSIONS}/{version}")
    return version, {f"{VERSIONS}/{version}/{path}": folder.read(path) for path in folder.paths()}


def drop_unused(tree: Tree) -> Changes:
    """Return the changes that drop template versions which no release and no pending group uses."""
    if not tree.paths(VERSIONS):
        return {}
    used = set()
    files = [path for folder in app_folders(tree) for path in tree.paths(f"{folder}/releases")]
    records = [path for path in files if path.endswith((f"/{RELEASE}", f"/{GROUP}"))]
    prefetch(tree, records)
    for path in records:
        model: type[Release | GroupRecord] = GroupRecord if path.endswith(f"/{GROUP}") else Release
        used.add(parse_record(tree.read(path), path, model).template)
    return dropped(tree, frozenset(version for version in used if version))
