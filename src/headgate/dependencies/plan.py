"""An app's own config -> the external dependencies that it lacks. Needs no network."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from headgate.dependencies import bases
from headgate.dependencies.closure import closure
from headgate.errors import Location, UnsafeFileError
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.dependencies.bases import RemoteBase
    from headgate.dependencies.requirements import Requirement
    from headgate.model import ReleasedDependency
    from headgate.repository.tree import Tree


@frozen_record(kw_only=False)
class Plan:
    """Missing dependencies: charts at exact versions, and bases at commits with the places that name them."""

    charts: tuple[Requirement, ...] = ()
    bases: tuple[tuple[RemoteBase, Location], ...] = ()


@frozen_record(kw_only=False)
class ResolvedConfig:
    """A config with its dependencies, and their sources."""

    files: Tree
    dependencies: tuple[ReleasedDependency, ...] = ()


def plan(files: Tree, environments: Sequence[str], label: str, owner: str) -> Plan:
    """Return the missing dependencies of an app's config in all its environments.

    ``label`` is its folder in messages, ``owner`` the app. Raises ConfigError for a chart without lock or a base
    without commit, UnsafeFileError for files in Headgate's own folder.
    """
    if files.paths(bases.FOLDER):
        raise UnsafeFileError(
            "the name of this folder is reserved for bases that Headgate fetches",
            where=Location(f"{label}/{bases.FOLDER}"),
            hint="rename it",
        )
    if "Chart.yaml" in files:
        from headgate.dependencies.archive import without_archives  # noqa: PLC0415  only for charts
        from headgate.dependencies.requirements import missing_charts  # noqa: PLC0415

        return Plan(charts=tuple(missing_charts(without_archives(files, label, owner), label, owner)))
    roots = ["", *(f"overlays/{environment}" for environment in environments)]
    return Plan(bases=closure(files, roots, lambda path: posixpath.join(label, path), owner).remote)
