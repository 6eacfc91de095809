"""A batch of renders through the engine: one request each, and answers with the repository's file names."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from headgate.engine.pool import converse
from headgate.errors import HeadgateError, Location
from headgate.notice import Notice
from headgate.render.protocol import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from headgate.engine.protocol import Answer, Failure, Request
    from headgate.render.protocol import Render


def render_batch(
    batch: Iterable[Render],
    request: Callable[[Render], Request],
    explain: Callable[[Render, Failure], HeadgateError],
    named: Callable[[Render, str], str] | None = None,
) -> Generator[Result, None, None]:
    """Render a batch. ``named`` maps a file of an answer to its name in the repository, if they differ."""
    requests: dict[Request, Render] = {}
    for render in batch:
        try:
            requests[request(render)] = render
        except HeadgateError as error:
            yield Result(render=render, error=error)
    for answered, answer in converse(requests):
        render = requests[answered]
        yield _result(render, answer, explain, partial(named, render) if named else None)


def placed(error: HeadgateError, render: Render) -> HeadgateError:
    """Return an error of a render with its place: the source, if it has no other."""
    return error if error.where else type(error)(error.what, where=Location(render.label), hint=error.hint)


def _result(
    render: Render,
    answer: Answer,
    explain: Callable[[Render, Failure], HeadgateError],
    named: Callable[[str], str] | None,
) -> Result:
    warnings = tuple(
        Notice(
            warning.message,
            Location(named(warning.file) if named else warning.file, warning.line) if warning.file else None,
        )
        for warning in answer.warnings
    )
    if answer.error is not None:
        return Result(render=render, error=placed(answer.error, render))
    if answer.failure is not None:
        return Result(render=render, error=explain(render, answer.failure), warnings=warnings)
    objects = answer.objects
    if named:
        objects = tuple(replace(warning, source=named(warning.source)) for warning in objects)
    return Result(render=render, objects=objects, warnings=warnings)
