"""Helm, in the engine: renders what ``helm template`` prints."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from headgate.engine.protocol import Request
from headgate.errors import ConfigError, Location
from headgate.objects.images import for_templates
from headgate.render.batch import render_batch
from headgate.yamltext import valuepath

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from headgate.engine.protocol import Failure, RefusedValue
    from headgate.errors import HeadgateError
    from headgate.render.protocol import Render, Result
    from headgate.yamltext.valuepath import KeyPath


def render(batch: Sequence[Render]) -> Generator[Result, None, None]:
    """Render a batch of charts."""
    return render_batch(batch, _request, _explain, lambda render, file: render.named(file))


def _request(render: Render) -> Request:
    if not render.kubernetes:
        raise ConfigError(
            "'kubernetes' is missing, expected the version for Helm",
            where=Location("headgate.yaml", 0, f"environments.{render.environment}"),
            hint='for example: kubernetes: "1.34"',
        )
    body = {
        "tree": render.scope.id,
        "folder": render.folder,
        "name": render.app,
        "namespace": render.namespace,
        "kubernetes": render.kubernetes,
        "api_versions": list(render.api_versions),
        "values": json.dumps(render.values, ensure_ascii=False),  # JSON is YAML: Helm's own loader reads it
        "images": for_templates(render.images),
        "hooks": render.hooks,
    }
    return Request(kind="helm", body=body, owner=render.owner, tree=render.scope, budget=render.budget)


def _explain(render: Render, failure: Failure) -> HeadgateError:
    error = failure.error(render.named, render.label)
    if failure.refused:
        return _with_hint(error, _refused_layers(render, failure.refused))
    if failure.template or failure.functions:
        return _with_hint(error, _template_in_values(render, failure))
    return error


def _with_hint(error: HeadgateError, hint: str) -> HeadgateError:
    hints = "\n  ".join(text for text in (hint, error.hint) if text)
    return type(error)(error.what, where=error.where, hint=hints)


def _refused_layers(render: Render, refused: Sequence[RefusedValue]) -> str:
    """Return which files set the values that the chart does not take, and the way out."""
    hints, unknown = [], False
    for value in refused:
        for layer in render.layers:
            path = _found(layer.values, value.path)
            if path:
                place = replace(layer.text.place(path), key="")
                hints.append(f"{place} sets '{valuepath.dotted(path)}'")
                unknown = unknown or value.unknown
    if not hints:
        return ""
    way_out = "correct it there, or the schema, if the chart is your own"
    if unknown:
        way_out = (
            "remove it there, set it below 'global' if the schema allows that, or allow it in your own chart's schema"
        )
    return "\n  ".join([*list(dict.fromkeys(hints))[:_MAX_LAYERS], way_out])


_MAX_LAYERS = 5


def _found(values: Any, path: Sequence[str]) -> KeyPath:
    """Return a key path as the values have it, with numbers for items of lists; empty where they do not have it."""
    found: list[str | int] = []
    for step in path:
        key: str | int = int(step) if isinstance(values, list) and step.isdecimal() else step
        try:
            values = values[key]
        except (KeyError, IndexError, TypeError):
            return ()
        found.append(key)
    return tuple(found)


def _template_in_values(render: Render, failure: Failure) -> str:
    """Return which values the chart may have passed to ``tpl``: those with the failed template or function."""
    sources = []
    for layer in render.layers:
        for path, value in valuepath.leaves(layer.values):
            if isinstance(value, str) and "{{" in value and _is_source(value, failure):
                sources.append(f"the template in {layer.text.place(path)}")
    return f"it comes from {' or '.join(sources[:3])}" if sources else ""


def _is_source(value: str, failure: Failure) -> bool:
    if failure.template:
        return failure.template.strip() in value or value.strip() in failure.template
    return any(re.search(rf"\b{re.escape(name)}\b", value) for name in failure.functions)
