"""Layers of values, merged as Helm merges them, and the grant: the values that an app's repository may set."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from headgate.engine import reading
from headgate.engine.budget import USUAL
from headgate.engine.reading import SourceText
from headgate.errors import GrantError, Location
from headgate.notice import Notice
from headgate.records import frozen_record
from headgate.yamltext import valuepath
from headgate.yamltext.valuepath import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from headgate.engine.budget import Budget
    from headgate.engine.protocol import EngineWarning
    from headgate.model import Granted
    from headgate.repository.tree import Tree
    from headgate.yamltext.valuepath import KeyPath


@frozen_record(kw_only=False)
class Layer:
    """The values of one file, as Helm reads it. The grant applies to files of the app's repository."""

    values: dict[str, Any]
    text: SourceText
    warnings: tuple[EngineWarning, ...] = ()

    @property
    def from_app(self) -> bool:
        """Whether it comes from the app's repository."""
        return bool(self.text.owner)


def read_layer(
    tree: Tree, file: str, *, named: str = "", owner: str = "", lenient: bool = False, budget: Budget = USUAL
) -> Layer | None:
    """Read one values file; None when it is missing or empty.

    ``named`` is its name in the repository if that differs from ``file``. ``owner`` is the app whose repository it
    comes from. ``lenient`` takes the last of duplicate keys, as Helm does with a chart's own values. Raises YamlError,
    ConfigError, TooLargeError.
    """
    if file not in tree:
        return None
    data = tree.read(file)
    name = named or file
    values, warnings = reading.values(data, name, owner=owner, lenient=lenient, budget=budget)
    return Layer(values, SourceText(data, name, owner), warnings) if values else None


def merge(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    """Merge maps; replace everything else, including lists and nulls, by ``upper``.

    Helm does the same with several values files: https://helm.sh/docs/chart_template_guide/values_files/
    """
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged


def merge_all(layers: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Merge from lowest to highest."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = merge(merged, layer)
    return merged


def check_grant(layers: Sequence[Layer], grants: Sequence[Granted], defaults: dict[str, Any]) -> None:
    """Check that the app's layers set only granted values.

    A value needs a grant for its path or for a path above it. So does a null, since it deletes a value, and so does
    every value of a list that the app's list replaces. ``defaults`` are the template's values. Raises GrantError with
    file, line and path.
    """
    patterns = [(valuepath.parse(grant.path), grant.text) for grant in grants]
    below = defaults
    for layer in layers:
        if layer.from_app:
            for path, value in valuepath.leaves(layer.values):
                _check_leaf(layer, path, value, patterns)
            _check_replaced(layer, below, patterns)
        below = merge(below, layer.values)


Patterns = list[tuple[valuepath.Pattern, bool]]


def _check_leaf(layer: Layer, path: KeyPath, value: Any, patterns: Patterns) -> None:
    granting = [text for pattern, text in patterns if valuepath.covers(pattern, path)]
    if not granting:
        action = "deletes a value" if value is None else "sets a value"
        raise GrantError(
            f"{action} that is not granted to the app",
            where=layer.text.place(path),
            hint=_grant_hint(patterns, path),
        )
    if any(granting):
        return
    for text in (*path, value):
        unsafe = _unsafe_text(text)
        if unsafe:
            raise GrantError(
                f"contains {unsafe}, which a granted string must not",
                where=layer.text.place(path),
                hint=f"if this is intended: grant: [{{path: '{dotted(path)}', text: true}}]",
            )


def _grant_hint(patterns: Patterns, path: KeyPath) -> str:
    line = f"to allow it, add '{dotted(path)}' to 'grant' in its app.yaml or in template.yaml of the template"
    return line if patterns else f"nothing is granted yet; {line}"


def _unsafe_text(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    if "\n" in value or "\r" in value:
        return "a line break"
    if "{{" in value:
        return "'{{'"
    return "" if value.isprintable() else "a control character"


def _check_replaced(layer: Layer, below: dict[str, Any], patterns: Patterns) -> None:
    for path, replaced in _replaced(layer.values, below, ()):
        for leaf, _ in valuepath.leaves(replaced, path):
            if not any(valuepath.covers(pattern, leaf) for pattern, _ in patterns):
                kind = "a list" if isinstance(replaced, list) else "a value"
                raise GrantError(
                    f"replaces {kind} and with it '{dotted(leaf)}', which is not granted to the app",
                    where=layer.text.place(path),
                    hint=f"to allow it, grant '{dotted(path)}' as a whole",
                )


def _replaced(upper: Any, lower: Any, path: KeyPath) -> Iterable[tuple[KeyPath, Any]]:
    """Yield the lower values that lists, scalars or mappings above them replace."""
    if isinstance(upper, dict) and isinstance(lower, dict):
        for key in upper.keys() & lower.keys():
            yield from _replaced(upper[key], lower[key], (*path, str(key)))
    elif isinstance(upper, (dict, list)) and lower is not None and lower not in ({}, []):
        yield path, lower


def shadowed(layers: Sequence[Layer]) -> list[Notice]:
    """Return a warning for each value of the app that a higher layer overrides."""
    notes: list[Notice] = []
    for index, layer in enumerate(layers):
        if not layer.from_app:
            continue
        for path, _ in valuepath.leaves(layer.values):
            for higher in layers[index + 1 :]:
                at, own, other = _meet(layer.values, higher.values, path)
                if at and own != other and not higher.from_app:
                    where = layer.text.place(path)
                    setter = higher.text.place(at)
                    text = f"{where.key} has no effect: {setter.file}:{setter.line} sets it to {shown(other)}"
                    notes.append(Notice(text, Location(where.file, where.line)))
                    break
    return notes


def _meet(own: Any, other: Any, path: KeyPath) -> tuple[KeyPath, Any, Any]:
    """Follow ``path`` in two layers to where the higher one replaces the lower. Returns that path (empty when the
    higher one does not set it) and the value of each layer there.
    """
    for depth, step in enumerate(path):
        if not (isinstance(own, dict) and isinstance(other, dict)):
            return path[:depth], own, other
        if step not in other:
            return (), None, None
        own, other = own[step], other[step]
    return path, own, other


def shown(value: Any) -> str:
    """Write a value in at most 60 characters."""
    text = repr(value) if isinstance(value, str) else _text(value)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def flat(values: Any) -> dict[str, str]:
    """Return scalars by dotted path, as strings for a ConfigMap."""
    return {
        dotted(path): _text(value)
        for path, value in valuepath.leaves(values)
        if path and not isinstance(value, (dict, list))
    }


def has_template(values: Any) -> bool:
    """Whether a string in values could be a template, which a chart may pass to ``tpl``."""
    return any(
        "{{" in text for path, value in valuepath.leaves(values) for text in (*path, value) if isinstance(text, str)
    )
