"""Plain YAML: every file is what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.errors import HeadgateError, Place, RenderError
from headgate.objects.manifest import Rendered
from headgate.render.protocol import Result

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from headgate.render.protocol import Bench, Render
    from headgate.repository.tree import Tree

_NOT_MANIFESTS = {"values.yaml", "values.yml", "template.yaml"}


def render(batch: Sequence[Render], bench: Bench) -> Generator[Result, None, None]:  # noqa: ARG001  nothing to run
    """Give every YAML file of the source as it is."""
    for one in batch:
        try:
            yield Result(one, tuple(_files(one)))
        except HeadgateError as error:
            yield Result(one, error=error)


def _files(one: Render) -> list[Rendered]:
    source = one.scope.folder(one.folder)
    files = manifest_files(source)
    if not files:
        raise RenderError("no YAML file to render", where=Place(one.label))
    return [Rendered(text(source, path, one), one.file(path)) for path in files]


def manifest_files(source: Tree) -> list[str]:
    """Return the YAML files that are objects: all but values and template.yaml at the top."""
    return [
        path
        for path in source.paths()
        if path.endswith((".yaml", ".yml"))
        and path not in _NOT_MANIFESTS
        and not (path.startswith("values.") and "/" not in path)
    ]


def text(source: Tree, path: str, one: Render) -> str:
    """Read a file of the source as text. Raises RenderError when it is none."""
    try:
        return source.read(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RenderError("not UTF-8 text", where=Place(one.file(path))) from None
