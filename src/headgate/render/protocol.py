"""What every engine takes and gives: renders in, a result for each out."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from headgate.engine.budget import USUAL, Budget

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from headgate.engine.protocol import EngineObject
    from headgate.errors import HeadgateError
    from headgate.model import ReleasedImage
    from headgate.render.values import Layer
    from headgate.repository.tree import Tree


@dataclass(frozen=True, kw_only=True, eq=False)
class Render:
    """One app in one environment, ready to be rendered.

    ``scope`` holds all files that may be read, ``folder`` is the place of the chart, kustomization or
    templates in it, ``label`` that place's name in the repository. ``layers`` are the files of values above the
    template's own, ``values`` what they give. ``owner`` is the app that wrote what is rendered, empty when all of it is
    the platform's: inputs of different owners never share a process. ``hooks`` is ``drop``, ``keep`` or empty.
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
    layers: tuple[Layer, ...] = ()
    kubernetes: str = ""
    api_versions: tuple[str, ...] = ()
    hooks: str = ""
    budget: Budget = USUAL

    def file(self, path: str) -> str:
        """Name a file of the source as the repository names it."""
        return f"{self.label}/{path}"

    def named(self, path: str) -> str:
        """Name a file of the scope as the repository names it."""
        return posixpath.normpath(posixpath.join(self.label, posixpath.relpath(path or ".", self.folder or ".")))


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one render gave: objects, or an error of its own, and warnings. Files have their names in the repository."""

    render: Render
    objects: tuple[EngineObject, ...] = ()
    error: HeadgateError | None = None
    warnings: tuple[str, ...] = ()


class Engine(Protocol):
    """Renders a batch. Results come in any order, as they are ready; each keeps its error to itself."""

    def __call__(self, batch: Sequence[Render]) -> Generator[Result, None, None]:
        """Render all of ``batch``. Raises only what concerns all of it, such as a missing engine."""
