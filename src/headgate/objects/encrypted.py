"""Objects that SOPS encrypted, which Headgate keeps byte for byte. Pure.

https://getsops.io/docs/#encryption-protocol
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.objects.lookup import value_at

if TYPE_CHECKING:
    from collections.abc import Mapping


def is_encrypted(data: Mapping[Any, Any]) -> bool:
    """Whether SOPS encrypted an object. A forged mark gives an object that Flux cannot decrypt."""
    mac = value_at(data, "sops", "mac")
    return isinstance(mac, str) and mac.startswith("ENC[")
