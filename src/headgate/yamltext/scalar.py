"""Scalars whose type depends on the reader, kept as they were written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any


@dataclass(frozen=True, slots=True)
class Plain:
    """A scalar without quotes that at least one YAML reader does not take for a string: ``3``, ``on``, ``~``."""

    text: str

    def __str__(self) -> str:
        """Return the text as it was written."""
        return self.text


NULL = Plain("null")
_NULL = {"", "~", "null", "Null", "NULL"}

# Every plain scalar that YAML 1.1, YAML 1.2, JSON or Go's yaml packages (which read it in Kubernetes, Flux,
# Helm and Kustomize) take for something else than a string. https://yaml.org/type/ and
# https://yaml.org/spec/1.2.2/#103-core-schema
_NOT_A_STRING = re.compile(
    r"""(?:
      ~ | null | Null | NULL
    | true | True | TRUE | false | False | FALSE
    | y | Y | yes | Yes | YES | n | N | no | No | NO | on | On | ON | off | Off | OFF
    | [-+]? 0b [01_]+ | [-+]? 0o [0-7_]+ | [-+]? 0x [0-9a-fA-F_]+
    | [-+]? (?: [0-9] [0-9_]* \.? [0-9_]* | \. [0-9_]+ ) (?: [eE] [-+]? [0-9]+ )?
    | [-+]? [0-9] [0-9_]* (?: : [0-5]? [0-9] )+ (?: \. [0-9_]* )?
    | [-+]? \. (?: inf | Inf | INF ) | \. (?: nan | NaN | NAN )
    | [0-9]{4} - [0-9]{1,2} - [0-9]{1,2} (?: (?: [Tt] | [ \t]+ ) [0-9:.]+ [ \t]* (?: Z | [-+] [0-9:]+ )? )?
    | << | =
    )?""",
    re.VERBOSE,
)


def plain(text: str) -> Plain:
    """Return the scalar that a text without quotes is; nulls have one spelling."""
    return NULL if text in _NULL else Plain(text)


@lru_cache(maxsize=65536)
def is_plain_string(text: str) -> bool:
    """Whether every YAML reader takes ``text``, written without quotes, for a string."""
    return _NOT_A_STRING.fullmatch(text) is None


_TRUE = {"true", "True", "TRUE"}
_FALSE = {"false", "False", "FALSE"}


def is_null(value: Any) -> bool:
    """Whether ``value`` is a null that was written out."""
    return value is None or value == NULL


def to_python(value: Any) -> Any:
    """Turn data that `read` returned into Python's own types, by the YAML 1.2 core schema.

    Octal numbers as ``0644`` are read as Go reads them, since charts mean them so. What only YAML 1.1
    takes for something else (``on``, ``1:30``, dates) becomes a string.
    """
    if isinstance(value, dict):
        return {to_python(key): to_python(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_python(item) for item in value]
    return _scalar_value(value.text) if isinstance(value, Plain) else value


def _scalar_value(text: str) -> Any:
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    number = text.replace("_", "")
    if re.fullmatch(r"[-+]?0[0-7]+", number):
        return int(number, 8)
    for convert in (lambda: int(number, 0), lambda: float(re.sub(r"\.(inf|nan)", r"\1", number.lower()))):
        try:
            return convert()
        except ValueError:
            continue
    return text
