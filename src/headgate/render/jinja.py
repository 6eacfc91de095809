"""Jinja2: a sandboxed child process (`render.jinja_child`) renders templates, and the engine reads their output.

A value never becomes YAML syntax: the child prints a numbered token in its place, and the engine replaces the token
inside its scalar after parsing. So no value can break out of its place, whatever the quoting around it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headgate.engine import pool
from headgate.engine.protocol import Request
from headgate.engine.reading import decoded, reading_request
from headgate.errors import HeadgateError, Location, RenderError, YamlError
from headgate.objects.images import for_templates
from headgate.objects.lookup import without_nulls
from headgate.records import frozen_record
from headgate.render import plain
from headgate.render.batch import placed, render_batch
from headgate.render.protocol import Result
from headgate.render.values import merge, read_layer
from headgate.repository.tree import MemoryBlob, Tree

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from headgate.engine.budget import Budget
    from headgate.render.protocol import Render

SUFFIXES = (".yaml.j2", ".yml.j2", ".yaml.jinja", ".yml.jinja")
"""Files to render; other ``.j2`` files can be included."""

_BATCH = 1000  # renders whose values are in memory at the same time
_READ_AT_ONCE = 50
"""So many outputs are read together, while the child goes on with what it was sent."""
_START_SECONDS = 60
_CHILD = Path(__file__).with_name("jinja_child.py")


def render(batch: Sequence[Render]) -> Generator[Result, None, None]:
    """Print the templates of a batch, and read their output."""
    for start in range(0, len(batch), _BATCH):
        yield from _render_some(batch[start : start + _BATCH])


def _render_some(batch: Sequence[Render]) -> Iterator[Result]:
    sources: dict[str, _Source] = {}
    requests: dict[Request, Render] = {}
    printed: dict[Render, dict[str, Any]] = {}
    for render in batch:
        try:
            requests[_print_request(render, sources)] = render
        except HeadgateError as error:
            yield Result(render=render, error=placed(error, render))
    for request, answer in pool.converse(requests):
        render = requests[request]
        problem = answer.error or (
            answer.failure.error(render.file) if answer.failure else _surrogate_error(answer.value["strings"])
        )
        if problem is not None:
            yield Result(render=render, error=placed(problem, render))
            continue
        printed[render] = answer.value
        if len(printed) == _READ_AT_ONCE:
            yield from _read(printed)
            printed = {}
    yield from _read(printed)


def _read(printed: Mapping[Render, dict[str, Any]]) -> Iterator[Result]:
    """Read what templates printed; meanwhile the child prints more."""
    return render_batch(
        printed,
        lambda render: _request(render, printed[render]),
        lambda render, failure: failure.error(label=render.label),
    )


def _request(render: Render, printed: dict[str, Any]) -> Request:
    texts = [{"file": render.file(path), "text": text} for path, text in printed["texts"]]
    body = {"files": texts + plain.files_of(render), "strings": printed["strings"], "hooks": render.hooks}
    return reading_request("objects", body, owner=render.owner, budget=render.budget)


def _command(budget: Budget, requests: int) -> list[str]:
    """Return the command of the child. A limit of processor time ends it if its parent is gone."""
    seconds = round(budget.seconds * requests) + _START_SECONDS
    # -I: neither the environment nor the current folder affects imports
    return [sys.executable, "-I", str(_CHILD), "--memory", str(budget.memory), "--seconds", str(seconds)]


@frozen_record(kw_only=False)
class _Source:
    """The templates of a source and its default values."""

    templates: Tree
    defaults: dict[str, Any]


def _print_request(render: Render, sources: dict[str, _Source]) -> Request:
    source = render.scope.folder(render.folder)
    if source.id not in sources:
        layer = read_layer(
            source, "values.yaml", named=render.file("values.yaml"), owner=render.owner, budget=render.budget
        )
        sources[source.id] = _Source(_templates(source, render), layer.values if layer else {})
    cached = sources[source.id]
    context = {
        "values": without_nulls(merge(cached.defaults, render.values)),
        "images": for_templates(render.images),
        "app": render.app,
        "environment": render.environment,
        "namespace": render.namespace,
    }
    body = {"tree": cached.templates.id, "suffixes": SUFFIXES, "context": context}
    return Request(
        kind="jinja2", body=body, owner=render.owner, tree=cached.templates, budget=render.budget, command=_command
    )


def _templates(source: Tree, render: Render) -> Tree:
    paths = [path for path in source.paths() if path.endswith((".j2", ".jinja"))]
    texts = {path: decoded(source.read(path), render.file(path)) for path in paths}
    for path, text in texts.items():
        if "\ue000" in text or "\ue001" in text:
            raise RenderError("contains a character of Unicode's private use area", where=Location(render.file(path)))
    return Tree({path: MemoryBlob(text.encode()) for path, text in texts.items()})


def _surrogate_error(strings: list[str]) -> YamlError | None:
    try:
        "".join(strings).encode()
    except UnicodeEncodeError:
        return YamlError("a value contains half of a surrogate pair, which is not a character")
    return None
