"""Plain YAML, used as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.engine.reading import decoded, reading_request
from headgate.errors import Location, RenderError
from headgate.render.batch import render_batch

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from headgate.engine.protocol import Request
    from headgate.render.protocol import Render, Result
    from headgate.repository.tree import Tree

_NOT_MANIFESTS = {"values.yaml", "values.yml", "template.yaml"}


def render(batch: Sequence[Render]) -> Generator[Result, None, None]:
    """Read every YAML file of each source."""
    return render_batch(batch, _request, lambda render, failure: failure.error(label=render.label))


def _request(render: Render) -> Request:
    files = files_of(render)
    if not files:
        raise RenderError("no YAML file to render", where=Location(render.label))
    body = {"files": files, "hooks": render.hooks}
    return reading_request("objects", body, owner=render.owner, budget=render.budget)


def files_of(render: Render) -> list[dict[str, str]]:
    """Return the files of objects for a request. Raises YamlError for a file that is not text."""
    source = render.scope.folder(render.folder)
    files = ((render.file(path), source.read(path)) for path in manifest_files(source))
    return [{"file": file, "text": decoded(data, file)} for file, data in files]


def manifest_files(source: Tree) -> list[str]:
    """Return the YAML files of objects: all but values and template.yaml at the top."""
    return [
        path
        for path in source.paths()
        if path.endswith((".yaml", ".yml"))
        and path not in _NOT_MANIFESTS
        and not (path.startswith("values.") and "/" not in path)
    ]
