"""What an app's own config builds on elsewhere: brought along when it is handed off, so that hydration needs nothing.

`plan` tells what a config needs that it does not hold, and reads no network; `Resolver` fetches it.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from headgate.dependencies import bases
from headgate.dependencies.archive import without_archives
from headgate.dependencies.basefetch import fetch_bases
from headgate.dependencies.chartrepo import Index, archive_of, fetch_archive, read_index
from headgate.dependencies.closure import closure
from headgate.dependencies.download import DownloadAccess
from headgate.dependencies.ocichart import OCI, pull
from headgate.dependencies.requirements import Requirement, lacking
from headgate.engine.reading import documents
from headgate.errors import DependencyError, HeadgateError, Location, UnsafeFileError
from headgate.model import ReleasedDependency
from headgate.repository.input_check import check_input
from headgate.repository.tree import Blob, MemoryBlob, Tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.dependencies.bases import RemoteBase
    from headgate.model import Settings

_LEFT_OUT = {".gitignore", ".gitkeep", ".mailmap", ".gitattributes", ".gitmodules"}


@dataclass(frozen=True)
class Plan:
    """What a config needs that it does not hold: charts at exact versions, bases at commits with who names them."""

    charts: tuple[Requirement, ...] = ()
    bases: tuple[tuple[RemoteBase, Location], ...] = ()


@dataclass(frozen=True)
class ResolvedConfig:
    """A config with all that it builds on, and what of that came from elsewhere."""

    files: Tree
    dependencies: tuple[ReleasedDependency, ...] = ()


def plan(files: Tree, environments: Sequence[str], label: str, owner: str) -> Plan:
    """Tell what a config that an app renders from needs from elsewhere, in any of its environments.

    ``label`` is its folder's name in messages, ``owner`` the app. Raises ConfigError for a chart that is not locked
    and a base that is not pinned, UnsafeFileError for files in the folder that only a hand-off fills.
    """
    if files.paths(bases.FOLDER):
        raise UnsafeFileError(
            "a folder that only a hand-off fills, with what it fetched",
            where=Location(f"{label}/{bases.FOLDER}"),
            hint="call it otherwise",
        )
    if "Chart.yaml" in files:
        return Plan(charts=tuple(lacking(without_archives(files, label, owner), label, owner)))
    roots = ["", *(f"overlays/{environment}" for environment in environments)]
    return Plan(bases=closure(files, roots, lambda path: posixpath.join(label, path), owner).remote)


@dataclass(frozen=True)
class Resolver:
    """Completes configs, each once, for all environments and all tries to land it.

    ``access`` has the logins; which hosts may be asked is headgate.yaml's to say.
    """

    access: DownloadAccess = field(default_factory=DownloadAccess)
    _known: dict[tuple[str, ...], ResolvedConfig | HeadgateError] = field(default_factory=dict, repr=False)

    def resolve(
        self, files: Tree, settings: Settings, environments: Sequence[str], label: str, owner: str
    ) -> ResolvedConfig:
        """Return the config of an app (``owner``) with all that it builds on.

        Raises what `plan` does, DependencyError for what is not to be had, and UnsafeFileError and TooLargeError for
        what was fetched as for what an app provides.
        """
        hosts = settings.dependencies.hosts
        key = (files.id, label, owner, *environments, "", *hosts)
        if key not in self._known:
            try:
                needed = plan(files, environments, label, owner)
                access = replace(self.access, hosts=frozenset(hosts))
                self._known[key] = _resolved(files, needed, access, label, owner)
            except HeadgateError as error:
                self._known[key] = error
        found = self._known[key]
        if isinstance(found, HeadgateError):
            raise found
        return found


def _resolved(files: Tree, needed: Plan, access: DownloadAccess, label: str, owner: str) -> ResolvedConfig:
    if not needed.charts and not needed.bases:
        return ResolvedConfig(files)
    blobs: dict[str, Blob] = {path: files.blob(path) for path in files.paths()}
    fetched = fetch_bases(needed.bases, access, owner)
    blobs |= {path: MemoryBlob(data) for path, data in fetched.files.items()}
    found = [ReleasedDependency(url=one.address, commit=one.commit, folder=one.folder) for one in fetched.bases]
    indexes: dict[str, Index] = {}
    charts = dict.fromkeys(needed.charts)
    times = Counter((one.folder, one.name) for one in charts)
    for one in charts:
        name = one.name if times[one.folder, one.name] == 1 else f"{one.name}-{one.version}"
        folder = posixpath.join(one.folder, "charts", name)
        data = _archive(one, access, indexes, owner)
        blobs |= {f"{folder}/{path}": blob for path, blob in _unpacked(data, one, label, owner).items()}
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        found.append(
            ReleasedDependency(url=one.repository, name=one.name, version=one.version, digest=digest, folder=folder)
        )
    whole = Tree(blobs)
    check_input(whole, label, arrives=True)
    return ResolvedConfig(whole, tuple(found))


def _archive(one: Requirement, access: DownloadAccess, indexes: dict[str, Index], owner: str) -> bytes:
    """Fetch a chart's archive. The index of a repository is read once."""
    if one.repository.startswith(OCI):
        return pull(f"{one.repository.rstrip('/')}/{one.name}:{one.version}", "", one, access)
    if one.repository not in indexes:
        indexes[one.repository] = read_index(one.repository, access, one, owner)
    url, digest = archive_of(one, indexes[one.repository])
    return pull(url, digest, one, access) if url.startswith(OCI) else fetch_archive(url, digest, one, access)


def _unpacked(data: bytes, one: Requirement, label: str, owner: str) -> dict[str, Blob]:
    """Return the files of a chart. Raises DependencyError when it is another chart than was asked for."""
    archive = f"charts/{one.name}-{one.version}.tgz"
    folder = posixpath.join(label, one.folder).rstrip("/")
    whole = without_archives(Tree({archive: MemoryBlob(data)}), folder, owner)
    files = {path.split("/", 2)[2]: whole.blob(path) for path in whole.paths()}
    _check_is(one, files, owner)
    return {path: blob for path, blob in files.items() if path.rsplit("/", 1)[-1] not in _LEFT_OUT}


def _check_is(one: Requirement, files: Mapping[str, Blob], owner: str) -> None:
    chart = files["Chart.yaml"].read() if "Chart.yaml" in files else b""
    read = documents(chart, f"{one.name}/Chart.yaml", owner=owner)
    data = read[0].data if read else None
    told = (str(data.get("name")), str(data.get("version"))) if isinstance(data, dict) else ("", "")
    if told != (one.name, one.version):
        raise DependencyError(
            f"{one.repository} gives {' '.join(told).strip() or 'no chart'} for {one.name} {one.version}",
            where=one.where,
        )
