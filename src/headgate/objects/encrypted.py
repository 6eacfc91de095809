"""Objects with hidden values: Secrets, and objects that SOPS encrypted, which Headgate keeps byte for byte. Pure.

https://getsops.io/docs/#encryption-protocol
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from headgate.objects.lookup import map_at, value_at
from headgate.yamltext import valuepath

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headgate.objects.manifest import Manifest


def is_encrypted(data: Mapping[Any, Any]) -> bool:
    """Whether SOPS encrypted an object. A forged mark gives an object that Flux cannot decrypt."""
    mac = value_at(data, "sops", "mac")
    return isinstance(mac, str) and mac.startswith("ENC[")


HIDDEN = "(a secret)"
"""The text in the place of a hidden value."""


def is_secret(*sides: Manifest | None) -> bool:
    """Return whether an object's values are hidden on any of its sides: a Secret, or encrypted."""
    return any(side.kind == "Secret" or is_encrypted(side.data) for side in sides if side is not None)


_MIN_LENGTH = 3
"""A value shorter than this is in too many texts by chance."""


def without_values(text: str, manifest: Manifest) -> str:
    """Return a single-line text about a Secret without the Secret's values, plain or encoded."""
    if not is_secret(manifest):
        return text
    values = {" ".join(value.split()) for value in _values(manifest.data)}
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, HIDDEN) if len(value) >= _MIN_LENGTH else text
    return text


def _values(data: Mapping[Any, Any]) -> Iterator[str]:
    for field in ("data", "stringData"):
        for _, leaf in valuepath.leaves(data.get(field)):
            value = str(leaf)
            yield value
            yield base64.b64encode(value.encode("utf-8", "replace")).decode()
            if field == "data":
                try:
                    yield base64.b64decode(value, validate=True).decode()
                except (binascii.Error, ValueError):
                    continue
    for value in map_at(data, "metadata", "annotations").values():
        yield str(value)
