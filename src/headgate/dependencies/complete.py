"""Fetch the dependencies that an app's config lacks, and put them in their places."""

from __future__ import annotations

import hashlib
import posixpath
from collections import Counter
from typing import TYPE_CHECKING

from headgate.dependencies.archive import without_archives
from headgate.dependencies.basefetch import fetch_bases
from headgate.dependencies.chartrepo import Index, archive_of, fetch_archive, read_index
from headgate.dependencies.ocichart import OCI, pull
from headgate.dependencies.plan import Plan, ResolvedConfig
from headgate.engine.reading import mapping
from headgate.errors import DependencyError
from headgate.model import ReleasedDependency
from headgate.repository.input_check import check_input
from headgate.repository.tree import Blob, MemoryBlob, Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.dependencies.download import DownloadAccess
    from headgate.dependencies.requirements import Requirement

_LEFT_OUT = {".gitignore", ".gitkeep", ".mailmap", ".gitattributes", ".gitmodules"}


def completed(files: Tree, needed: Plan, access: DownloadAccess, label: str, owner: str) -> ResolvedConfig:
    """Return the config of the app ``owner`` with what it lacks. Raises the errors of `Resolver.resolve`."""
    blobs: dict[str, Blob] = {path: files.blob(path) for path in files.paths()}
    fetched = fetch_bases(needed.bases, access, owner)
    blobs |= {path: MemoryBlob(data) for path, data in fetched.files.items()}
    released = [ReleasedDependency(url=base.address, commit=base.commit, folder=base.folder) for base in fetched.bases]
    indexes: dict[str, Index] = {}
    charts = dict.fromkeys(needed.charts)
    uses = Counter((chart.folder, chart.name) for chart in charts)
    for chart in charts:
        name = chart.name if uses[chart.folder, chart.name] == 1 else f"{chart.name}-{chart.version}"
        folder = posixpath.join(chart.folder, "charts", name)
        data = _archive(chart, access, indexes, owner)
        blobs |= {f"{folder}/{path}": blob for path, blob in _unpacked(data, chart, label, owner).items()}
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        released.append(
            ReleasedDependency(
                url=chart.repository, name=chart.name, version=chart.version, digest=digest, folder=folder
            )
        )
    whole = Tree(blobs)
    check_input(whole, label, arrives=True)
    return ResolvedConfig(whole, tuple(released))


def _archive(chart: Requirement, access: DownloadAccess, indexes: dict[str, Index], owner: str) -> bytes:
    """Fetch a chart's archive; read the index of each repository once."""
    if chart.repository.startswith(OCI):
        return pull(f"{chart.repository.rstrip('/')}/{chart.name}:{chart.version}", "", chart, access)
    if chart.repository not in indexes:
        indexes[chart.repository] = read_index(chart.repository, access, chart, owner)
    url, digest = archive_of(chart, indexes[chart.repository])
    return pull(url, digest, chart, access) if url.startswith(OCI) else fetch_archive(url, digest, chart, access)


def _unpacked(data: bytes, chart: Requirement, label: str, owner: str) -> dict[str, Blob]:
    """Return the files of a chart. Raises DependencyError if it is a different chart."""
    archive = f"charts/{chart.name}-{chart.version}.tgz"
    folder = posixpath.join(label, chart.folder).rstrip("/")
    whole = without_archives(Tree({archive: MemoryBlob(data)}), folder, owner)
    files = {path.split("/", 2)[2]: whole.blob(path) for path in whole.paths()}
    _check_identity(chart, files, owner)
    return {path: blob for path, blob in files.items() if path.rsplit("/", 1)[-1] not in _LEFT_OUT}


def _check_identity(needed: Requirement, files: Mapping[str, Blob], owner: str) -> None:
    text = files["Chart.yaml"].read() if "Chart.yaml" in files else b""
    chart = mapping(text, f"{needed.name}/Chart.yaml", owner=owner)
    actual = (str(chart.get("name") or ""), str(chart.get("version") or ""))
    if actual != (needed.name, needed.version):
        raise DependencyError(
            f"{needed.repository} gives {' '.join(actual).strip() or 'no chart'} for {needed.name} {needed.version}",
            where=needed.where,
        )
