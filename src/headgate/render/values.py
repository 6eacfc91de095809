"""Layers of values, merged as Helm merges them, and the grant: what an app's repository may set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headgate.errors import ConfigError, GrantError, Place
from headgate.yamltext import valuepath
from headgate.yamltext.read import Text, dotted, read
from headgate.yamltext.scalar import Plain, is_null

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from headgate.model import Granted
    from headgate.repository.tree import Tree
    from headgate.yamltext.read import KeyPath


@dataclass(frozen=True)
class Layer:
    """The values of one file; scalars keep how they were written.

    ``from_app``: the app's repository wrote it, so the grant holds for it.
    """

    values: dict[str, Any]
    text: Text
    from_app: bool = False


def read_layer(tree: Tree, file: str, *, from_app: bool = False) -> Layer | None:
    """Read one values file; None when there is none or it is empty. Raises YamlError, ConfigError."""
    if file not in tree:
        return None
    data = tree.read(file)
    documents = read(data, file)
    if not documents:
        return None
    if len(documents) > 1 or not isinstance(documents[0].data, dict):
        raise ConfigError("expected one mapping of values", where=Place(file, documents[-1].line))
    return Layer(_string_keys(documents[0].data), Text(data, file), from_app)


def _string_keys(values: Any) -> Any:
    """Return values with strings for all keys, so that layers that write a key with and without quotes meet."""
    if isinstance(values, dict):
        return {str(key): _string_keys(value) for key, value in values.items()}
    return [_string_keys(value) for value in values] if isinstance(values, list) else values


def merge(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    """Put ``upper`` over ``lower``: maps are merged, everything else is replaced, lists and nulls too.

    Helm does the same for several values files: https://helm.sh/docs/chart_template_guide/values_files/
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


def without_nulls(values: Any) -> Any:
    """Drop the keys that a null deletes, as Helm does before it renders."""
    if isinstance(values, dict):
        return {key: without_nulls(value) for key, value in values.items() if not is_null(value)}
    if isinstance(values, list):
        return [without_nulls(value) for value in values]
    return values


def check_grant(layers: Sequence[Layer], grants: Sequence[Granted], defaults: dict[str, Any]) -> None:
    """Check that the app's layers set nothing but what is granted.

    A value needs a grant for its path or for a path above it. So does a null, since it deletes, and so
    does every value of a list below that the app's list replaces. ``defaults`` are the values of the
    template. Raises GrantError with file, line and path.
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
        what = "deletes a value" if is_null(value) else "sets a value"
        raise GrantError(
            f"{what} that the app was not granted",
            where=layer.text.place(path),
            hint=_grant_hint(patterns, path),
        )
    if any(granting):
        return
    for text in (*path, value):
        found = _unsafe_text(text)
        if found:
            raise GrantError(
                f"holds {found}, which a granted string may not",
                where=layer.text.place(path),
                hint=f"if it is meant: grant: [{{path: '{dotted(path)}', text: true}}]",
            )


def _grant_hint(patterns: Patterns, path: KeyPath) -> str:
    line = f"to allow it, add '{dotted(path)}' to 'grant' in its app.yaml or in the template's template.yaml"
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
                what = "a list" if isinstance(replaced, list) else "a value"
                raise GrantError(
                    f"replaces {what} and with it '{dotted(leaf)}', which the app was not granted",
                    where=layer.text.place(path),
                    hint=f"to allow it, grant '{dotted(path)}' as a whole",
                )


def _replaced(upper: Any, lower: Any, path: KeyPath) -> Iterable[tuple[KeyPath, Any]]:
    """Yield what is below a list or a mapping and goes away with it: everything but the other keys of a mapping."""
    if isinstance(upper, dict) and isinstance(lower, dict):
        for key in upper.keys() & lower.keys():
            yield from _replaced(upper[key], lower[key], (*path, str(key)))
    elif isinstance(upper, (dict, list)) and not is_null(lower) and lower not in ({}, []):
        yield path, lower


def shadowed(layers: Sequence[Layer]) -> list[str]:
    """Say which values of the app have no effect, because a higher layer sets them to something else."""
    notes: list[str] = []
    for index, layer in enumerate(layers):
        if not layer.from_app:
            continue
        for path, _ in valuepath.leaves(layer.values):
            for higher in layers[index + 1 :]:
                at, own, other = _meet(layer.values, higher.values, path)
                if at and own != other and not higher.from_app:
                    where = layer.text.place(path)
                    by = higher.text.place(at)
                    notes.append(f"{where} has no effect: {by.file}:{by.line} sets it to {shown(other)}")
                    break
    return notes


def _meet(own: Any, other: Any, path: KeyPath) -> tuple[KeyPath, Any, Any]:
    """Follow ``path`` in two layers down to where the higher one replaces the lower. Returns that path, empty when
    the higher one says nothing, and what each has there.
    """
    for depth, step in enumerate(path):
        if not (isinstance(own, dict) and isinstance(other, dict)):
            return path[:depth], own, other
        if step not in other:
            return (), None, None
        own, other = own[step], other[step]
    return path, own, other


def shown(value: Any) -> str:
    """Write a value in a few words."""
    text = value.text if isinstance(value, Plain) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004


def flat(values: Any) -> dict[str, str]:
    """Return scalars by their dotted path, as strings: what a ConfigMap can hold."""
    return {
        dotted(path): value.text if isinstance(value, Plain) else value
        for path, value in valuepath.leaves(values)
        if path and isinstance(value, (str, Plain))
    }
