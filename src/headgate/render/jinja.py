"""Jinja2: a locked-in child process (`render.jinja_child`) renders templates, and the engine reads what they print.

What a template prints of a value never becomes YAML syntax: the child puts a numbered token in the value's
place, the engine reads the text, and only then the value takes the token's place inside its scalar. So no value can
break out of where it stands, whatever the quoting around it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headgate.engine import pool
from headgate.engine.dialogue import Dialogue, EndedError
from headgate.engine.protocol import Request
from headgate.engine.reading import decoded
from headgate.engine.worker import not_locked, out_of_time, why_it_ended
from headgate.errors import HeadgateError, Place, RenderError, ToolError, YamlError
from headgate.objects.images import for_templates
from headgate.render import plain
from headgate.render.batch import placed, render_batch
from headgate.render.protocol import Result
from headgate.render.values import merge, read_layer, without_nulls

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from headgate.render.protocol import Render
    from headgate.repository.tree import Tree

SUFFIXES = (".yaml.j2", ".yml.j2", ".yaml.jinja", ".yml.jinja")
"""Files that are rendered; other ``.j2`` files are there to be included."""

_TOGETHER = 200  # renders in one process, whose start takes as long as a few hundred of them
_START_SECONDS = 60
_CHILD = Path(__file__).with_name("jinja_child.py")


@dataclass(frozen=True)
class _Printed:
    """What the templates of one render printed, with the strings whose tokens are in it."""

    files: list[dict[str, str]]
    strings: list[str]


def render(batch: Sequence[Render]) -> Generator[Result, None, None]:
    """Render all of ``batch``: the platform's in few processes, and those of each app in one of its own."""
    groups: dict[str, list[Render]] = {}
    for one in batch:
        groups.setdefault(one.owner, []).append(one)
    for group in groups.values():
        for at in range(0, len(group), _TOGETHER):
            yield from _render_group(group[at : at + _TOGETHER])


def _render_group(group: list[Render]) -> Iterator[Result]:
    printed: dict[Render, _Printed] = {}
    for one, found in _print_all(group):
        if isinstance(found, HeadgateError):
            yield Result(render=one, error=placed(found, one))
        else:
            printed[one] = found
    yield from render_batch(
        printed,
        lambda one: _request(one, printed[one]),
        lambda one, failure: failure.error(label=one.label),
        lambda _, file: file,
    )


def _request(render: Render, printed: _Printed) -> Request:
    files = printed.files + plain.files_of(render)
    body = {"files": files, "strings": printed.strings, "hooks": render.hooks}
    return Request(kind="objects", body=body, owner=render.owner, budget=render.budget)


def _print_all(group: list[Render]) -> Iterator[tuple[Render, _Printed | HeadgateError]]:
    """Run the templates of renders that may share a process."""
    requests: list[tuple[Render, dict[str, Any]]] = []
    sources: dict[str, dict[str, str]] = {}
    defaults: dict[str, dict[str, Any]] = {}
    for one in group:
        try:
            requests.append((one, _job(one, sources, defaults)))
        except HeadgateError as error:
            yield one, error
    while requests:
        answered = 0
        for one, found in _print_some(requests, sources):
            answered += 1
            if isinstance(found, _Charged) and answered + len(requests) > 2:  # noqa: PLR2004  it was not alone
                yield from ((alone, _verdict(again)) for alone, again in _print_some([requests[answered - 1]], sources))
            else:
                yield one, _verdict(found)
        requests = requests[answered:]


@dataclass(frozen=True)
class _Charged:
    """The process ended, or was ended, while it worked on a render."""

    error: HeadgateError


def _verdict(found: _Printed | HeadgateError | _Charged) -> _Printed | HeadgateError:
    return found.error if isinstance(found, _Charged) else found


def _print_some(
    requests: list[tuple[Render, dict[str, Any]]], sources: dict[str, dict[str, str]]
) -> Iterator[tuple[Render, _Printed | HeadgateError | _Charged]]:
    """Run templates in one process, until all are done or it ends."""
    budget = requests[0][0].budget
    needed = {job["source"] for _, job in requests}
    job = {
        "sources": {key: sources[key] for key in needed},
        "suffixes": SUFFIXES,
        "requests": [job for _, job in requests],
    }
    child = _start_child(budget.memory, round(budget.seconds * len(requests)) + _START_SECONDS)
    try:
        greeting = _greeting(child)
        if requests[0][0].owner and not greeting.get("sandbox") and pool.sandbox_is_required():
            error = not_locked(greeting.get("reason", ""))
            yield from ((one, error) for one, _ in requests)
            return
        child.send(json.dumps(job).encode() + b"\n")
        for one, _ in requests:
            line = _line(child, one)
            if isinstance(line, _Charged):
                yield one, line
                return
            yield one, _printed(one, json.loads(line))
    finally:
        child.close()


def _greeting(child: Dialogue) -> dict[str, Any]:
    """Return what a child says of itself, before it is given anything. Raises ToolError when it cannot start."""
    try:
        line = child.line(_START_SECONDS)
    except EndedError as error:
        raise ToolError(f"what renders Jinja2 ended with {error.code} when it started: {error.stderr[-500:]}") from None
    greeting: dict[str, Any] = json.loads(line or b"{}")
    return greeting


def _line(child: Dialogue, render: Render) -> bytes | _Charged:
    try:
        line = child.line(render.budget.seconds)
    except EndedError as error:
        return _Charged(why_it_ended(error, render.budget))
    return _Charged(out_of_time(render.budget)) if line is None else line


def _start_child(memory: int, seconds: int) -> Dialogue:
    """Start the process that renders. ``seconds`` of processor time end it, should nobody be left who does."""
    # -I: neither the environment nor the current folder chooses what is imported
    args = [sys.executable, "-I", str(_CHILD), "--memory", str(memory), "--seconds", str(seconds)]
    return Dialogue(args, {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0"})


def _job(one: Render, sources: dict[str, dict[str, str]], defaults: dict[str, dict[str, Any]]) -> dict[str, Any]:
    source = one.scope.folder(one.folder)
    if source.id not in sources:
        layer = read_layer(source, "values.yaml", named=one.file("values.yaml"), owner=one.owner, budget=one.budget)
        defaults[source.id] = layer.values if layer else {}
        sources[source.id] = _templates(source, one)
    return {
        "source": source.id,
        "context": {
            "values": without_nulls(merge(defaults[source.id], one.values)),
            "images": for_templates(one.images),
            "app": one.app,
            "environment": one.environment,
            "namespace": one.namespace,
        },
    }


def _templates(source: Tree, one: Render) -> dict[str, str]:
    paths = [path for path in source.paths() if path.endswith((".j2", ".jinja"))]
    texts = {path: decoded(source.read(path), one.file(path)) for path in paths}
    for path, text in texts.items():
        if "\ue000" in text or "\ue001" in text:
            raise RenderError("holds a character of Unicode's private use area", where=Place(one.file(path)))
    return texts


def _printed(one: Render, answer: dict[str, Any]) -> _Printed | HeadgateError:
    error = answer.get("error")
    if error:
        where = Place(one.file(error["file"]), error["line"]) if error["file"] else Place(one.label)
        return RenderError(error["message"], where=where, hint=error.get("hint", ""))
    try:
        "".join(answer["strings"]).encode()
    except UnicodeEncodeError:
        what = "a value holds half of a surrogate pair, which is no character"
        return YamlError(what, where=Place(one.label))
    return _Printed([{"file": one.file(path), "text": text} for path, text in answer["texts"]], answer["strings"])
