"""The interface of engines: renders in, a result for each out."""

from __future__ import annotations

import posixpath
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from headgate.engine.budget import USUAL, Budget
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from headgate.engine.protocol import EngineObject
    from headgate.errors import HeadgateError
    from headgate.model import ReleasedImage
    from headgate.notice import Notice
    from headgate.render.values import Layer
    from headgate.repository.tree import Tree


@frozen_record(eq=False)
class Render:
    """One app in one environment, ready to render.

    ``scope`` holds all files that the engine may read, ``folder`` is the folder of the chart, kustomization or
    templates in it, ``label`` its name in the repository. ``layers`` are the values files above the template's own,
    ``values`` their merged result. ``owner`` is the app that owns the inputs, empty for the platform: inputs of
    different owners never share a process. ``hooks`` is ``drop``, ``keep`` or empty.
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
        """Return the name in the repository of a file of the source."""
        return f"{self.label}/{path}"

    def named(self, path: str) -> str:
        """Return the name in the repository of a file of the scope."""
        return _named(self.label, self.folder, path)


@lru_cache(maxsize=4096)  # each render of a template names the same files
def _named(label: str, folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(label, posixpath.relpath(path or ".", folder or ".")))


@frozen_record
class Result:
    """The objects of a render or its error, and warnings. Files have their names in the repository."""

    render: Render
    objects: tuple[EngineObject, ...] = ()
    error: HeadgateError | None = None
    warnings: tuple[Notice, ...] = ()


class Engine(Protocol):
    """Renders a batch. Results come in any order; each has its own error."""

    def __call__(self, batch: Sequence[Render]) -> Generator[Result, None, None]:
        """Render a batch. Raises only errors of the whole batch, such as a missing engine."""
