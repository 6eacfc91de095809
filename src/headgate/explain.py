"""Validation errors of configuration files for people: file, line, key, expected and actual value."""

from __future__ import annotations

import json
import typing
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from headgate.errors import ConfigError, did_you_mean
from headgate.model.fields import PATTERNS

if TYPE_CHECKING:
    from pydantic import ValidationError

    from headgate.engine.reading import SourceText
    from headgate.yamltext.valuepath import KeyPath

_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "int_type": "a whole number",
    "invalid_key": "keys that are strings",
    "list_type": "a list",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "string_too_short": "a non-empty string",
    "string_type": "a string",
    "too_short": "at least one entry",
    "tuple_type": "a list",
}


def explain(error: ValidationError, data: Any, text: SourceText, model: type[BaseModel]) -> ConfigError:
    """Return the first problem; an unknown key comes first, since it may be a misspelling of a missing key."""
    problems = error.errors()
    problem: Any = next((problem for problem in problems if problem["type"] == "extra_forbidden"), problems[0])
    if problem["type"] == "extra_forbidden":
        return _unknown_key(problem, data, text, model)
    path = _path_in(data, problem["loc"])
    where = text.place(path)
    if problem["type"] == "missing":
        return ConfigError(f"key '{problem['loc'][-1]}' is missing", where=where)
    value, hint = problem["input"], ""
    shown = _shown(value)
    if isinstance(value, (int, float)) and problem["loc"][-1] != "[key]":
        shown = text.scalar(path) or shown  # 1.30 and 1.3 are equal numbers, but different versions
    if problem["type"] == "literal_error" and isinstance(value, str):
        hint = did_you_mean(value, problem["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", "))
    elif problem["type"] == "string_type" and isinstance(value, (int, float)):
        hint = f'put it in quotes: "{shown}"'
    return ConfigError(f"expected {_expected(problem)}, found {shown}", where=where, hint=hint)


def _expected(problem: Any) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    if kind == "string_pattern_mismatch":
        return PATTERNS[context["pattern"]]
    if kind == "literal_error":
        return str(context["expected"])
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_too_long":
        return f"at most {context['max_length']} characters"
    return str(problem["msg"]).removeprefix("Input should be ")


def _unknown_key(problem: Any, data: Any, text: SourceText, model: type[BaseModel]) -> ConfigError:
    *above, key = problem["loc"]
    if problem["loc"] == ("engines",):
        return ConfigError(_NO_ENGINES, where=text.place(("engines",)), hint=_INSTEAD_OF_ENGINES)
    known = _known_keys(model, tuple(above))
    return ConfigError(
        f"unknown key '{key}', expected one of: {', '.join(known)}",
        where=text.place(_path_in(data, problem["loc"])),
        hint=did_you_mean(str(key), known),
    )


_NO_ENGINES = "'engines' is no longer supported: hydration reads no other host and runs no plugins"
_INSTEAD_OF_ENGINES = (
    "remove it; use remote bases at a commit in an app's own config, where a hand-off fetches them, or copy them; "
    "vendor the charts of helmCharts; plugins and functions are refused"
)


def _path_in(data: Any, loc: tuple[str | int, ...]) -> KeyPath:
    """Return the path in the file, where a single value can replace a list, and a text a mapping with one key."""
    path: list[str | int] = []
    for step in loc:
        if step == "[key]" or (isinstance(step, int) and isinstance(data, dict) and step not in data):
            continue
        if not isinstance(data, (dict, list)):
            break
        path.append(str(step) if isinstance(data, dict) else step)
        inside = step in data if isinstance(data, dict) else isinstance(step, int) and step < len(data)
        data = data[step] if inside else None  # type: ignore[index]
    return tuple(path)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_defaults=True)
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004


def _known_keys(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Return the keys of the record at ``path``."""
    annotation: Any = model
    for step in path:
        inner = _record_in(annotation)
        if inner is not None and isinstance(step, str) and step in inner.model_fields:
            annotation = inner.model_fields[step].annotation
        # a step into a map or list keeps the annotation, which contains the record
    inner = _record_in(annotation)
    return list(inner.model_fields) if inner else []


def _record_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in typing.get_args(annotation):
        record = _record_in(argument)
        if record is not None:
            return record
    return None
