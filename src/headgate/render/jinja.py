"""Jinja2: batches go to child processes that render under limits (`render.jinja_child`).

What a template prints of a value never becomes YAML syntax: the child puts a numbered token in the value's
place, the text is parsed, and only then the value takes the token's place inside its scalar. So no value can
break out of where it stands, whatever the quoting around it.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headgate import process
from headgate.errors import ExhaustedError, HeadgateError, Place, RenderError
from headgate.objects.images import for_templates
from headgate.objects.manifest import Rendered
from headgate.process import ProcessError
from headgate.render import plain
from headgate.render.protocol import Result, clean_environment
from headgate.render.values import merge, read_layer, without_nulls
from headgate.yamltext.scalar import to_python

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from headgate.render.protocol import Bench, Render
    from headgate.repository.tree import Tree

SUFFIXES = (".yaml.j2", ".yml.j2", ".yaml.jinja", ".yml.jinja")
"""Files that are rendered; other ``.j2`` files are there to be included."""

_FEWEST, _MOST = 100, 1000  # renders in one process: its start takes as long as a few hundred of them
_CHILD = Path(__file__).with_name("jinja_child.py")


def render(batch: Sequence[Render], bench: Bench) -> Generator[Result, None, None]:
    """Render all trusted sources in few processes, and those of each app in one of its own."""
    groups: dict[str, list[Render]] = {}
    for one in batch:
        groups.setdefault(one.owner, []).append(one)
    chunks = [chunk for group in groups.values() for chunk in _chunks(group, bench.workers)]
    with ThreadPoolExecutor(bench.workers) as pool:
        for results in pool.map(lambda chunk: _render_group(chunk, bench), chunks):
            yield from results


def _chunks(group: list[Render], workers: int) -> Iterator[list[Render]]:
    """Split what may share a process, so that all processors have their share."""
    size = max(_FEWEST, min(_MOST, -(-len(group) // workers)))
    yield from (group[at : at + size] for at in range(0, len(group), size))


def _render_group(group: list[Render], bench: Bench) -> list[Result]:
    requests, failed = [], []
    sources: dict[str, dict[str, str]] = {}
    defaults: dict[str, dict[str, Any]] = {}
    for one in group:
        try:
            requests.append((one, _request(one, sources, defaults)))
        except HeadgateError as error:
            failed.append(Result(one, error=error))
    return failed + _render_requests(requests, sources, bench)


def _render_requests(
    requests: list[tuple[Render, dict[str, Any]]], sources: dict[str, dict[str, str]], bench: Bench
) -> list[Result]:
    if not requests:
        return []
    try:
        answers = _ask_child([request for _, request in requests], sources, bench)
    except (ExhaustedError, RenderError) as error:
        if len(requests) == 1:
            return [Result(requests[0][0], error=error)]
        # One of them used up what was there for all: each alone shows which.
        return [result for request in requests for result in _render_requests([request], sources, bench)]
    return [_result(one, answer) for (one, _), answer in zip(requests, answers, strict=True)]


def _request(one: Render, sources: dict[str, dict[str, str]], defaults: dict[str, dict[str, Any]]) -> dict[str, Any]:
    source = one.scope.folder(one.folder)
    if source.id not in sources:
        layer = read_layer(source, "values.yaml")
        defaults[source.id] = layer.values if layer else {}
        sources[source.id] = _templates(source, one)
    values = without_nulls(merge(defaults[source.id], one.values))
    return {
        "source": source.id,
        "context": {
            "values": to_python(values),
            "images": for_templates(one.images),
            "app": one.app,
            "environment": one.environment,
            "namespace": one.namespace,
        },
    }


def _templates(source: Tree, one: Render) -> dict[str, str]:
    paths = [path for path in source.paths() if path.endswith((".j2", ".jinja"))]
    texts = {path: plain.text(source, path, one) for path in paths}
    for path, text in texts.items():
        if "\ue000" in text or "\ue001" in text:
            raise RenderError("holds a character of Unicode's private use area", where=Place(one.file(path)))
    return texts


def _ask_child(requests: list[dict[str, Any]], sources: dict[str, dict[str, str]], bench: Bench) -> list[Any]:
    needed = {request["source"] for request in requests}
    job = {"sources": {key: sources[key] for key in needed}, "suffixes": SUFFIXES, "requests": requests}
    try:
        done = process.run(
            # -I: neither the environment nor the current folder chooses what is imported
            [sys.executable, "-I", str(_CHILD)],
            env={**clean_environment(bench), "PYTHONHASHSEED": "0"},
            stdin=json.dumps(job).encode(),
            limits=bench.limits,
        )
    except ProcessError as error:
        raise RenderError(f"the renderer failed: {error.stderr.splitlines()[-1:] or 'no message'}") from None
    answers: list[Any] = json.loads(done.stdout)
    return answers


def _result(one: Render, answer: dict[str, Any]) -> Result:
    error = answer.get("error")
    if error:
        where = Place(one.file(error["file"]), error["line"]) if error["file"] else Place(one.label)
        return Result(one, error=RenderError(error["message"], where=where, hint=error.get("hint", "")))
    strings = tuple(answer["strings"])
    rendered = [Rendered(text, one.file(path), strings) for path, text in answer["texts"]]
    source = one.scope.folder(one.folder)
    rendered += [Rendered(plain.text(source, path, one), one.file(path)) for path in plain.manifest_files(source)]
    return Result(one, tuple(rendered))
