"""What every engine takes and gives: a batch of renders, a result for each."""

from __future__ import annotations

import posixpath
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from headgate.repository.tree import write_files

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from headgate.errors import HeadgateError
    from headgate.model import Kustomize, ReleasedImage
    from headgate.objects.manifest import Manifest, Rendered
    from headgate.process import Limits
    from headgate.repository.tree import Tree


@dataclass(frozen=True)
class Render:
    """One app in one environment, ready to be rendered.

    ``scope`` holds all files that may be read, ``folder`` is the place of the chart, kustomization or
    templates in it, ``label`` that place's name in the repository. ``values`` are the merged layers above
    the template's own defaults. ``owner`` is empty when all inputs are the platform's, else the app whose
    inputs must not share a process with another's.
    """

    app: str
    environment: str
    engine: str
    scope: Tree
    folder: str
    label: str
    owner: str
    values: dict[str, Any]
    images: Mapping[str, ReleasedImage]
    namespace: str
    kubernetes: str = ""
    api_versions: tuple[str, ...] = ()

    def file(self, path: str) -> str:
        """Name a file of the source as the repository names it."""
        return f"{self.label}/{path}"

    def named(self, path: str) -> str:
        """Name a file of the scope as the repository names it."""
        return posixpath.normpath(posixpath.join(self.label, posixpath.relpath(path or ".", self.folder or ".")))


@dataclass(frozen=True)
class Result:
    """What one render gave: texts, or an error of its own, and warnings.

    ``again`` is what a second render of the same input gave, where the templates could make it differ.
    ``parsed`` are the objects of ``rendered``, from an engine that had to read them anyway.
    """

    render: Render
    rendered: tuple[Rendered, ...] = ()
    again: tuple[Rendered, ...] = ()
    parsed: tuple[Manifest, ...] | None = None
    error: HeadgateError | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bench:
    """Where and within which limits engines work. ``scratch`` is a folder that is removed afterwards."""

    scratch: Path
    workers: int
    limits: Limits
    kustomize: Kustomize
    _staged: dict[str, Path] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stage(self, tree: Tree) -> Path:
        """Write a checked tree to disk, once for each content, and return its folder."""
        with self._lock:
            if tree.id not in self._staged:
                folder = self.new_folder("staged")
                write_files(tree, folder)
                self._staged[tree.id] = folder
            return self._staged[tree.id]

    def new_folder(self, name: str) -> Path:
        """Make an empty folder."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.scratch))


class Engine(Protocol):
    """Renders a batch. Results come in any order, as they are ready; each keeps its error to itself."""

    def __call__(self, batch: Sequence[Render], bench: Bench) -> Generator[Result, None, None]:
        """Render all of ``batch``. Raises only what concerns all of it, such as a missing tool."""


def clean_environment(bench: Bench) -> dict[str, str]:
    """Return the environment of an engine: nothing of ours, no network, one locale and one time zone."""
    nowhere = "http://127.0.0.1:9"  # the discard port: what tries to reach a host fails at once
    return {
        "PATH": "",
        "HOME": str(bench.scratch / "home"),
        "TMPDIR": str(bench.scratch),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
        "NO_PROXY": "",
        "KUBECONFIG": "/dev/null",
        # A render is over before collecting garbage pays; the limit makes Go collect when it gets near it.
        "GOGC": "off",
        "GOMEMLIMIT": str(bench.limits.memory * 4 // 5),
    }
