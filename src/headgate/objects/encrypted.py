"""Objects that SOPS encrypted, which Headgate keeps byte for byte. Pure.

https://getsops.io/docs/#encryption-protocol
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def is_encrypted(data: Mapping[Any, Any]) -> bool:
    """Whether SOPS encrypted an object. A forged mark gives an object that Flux cannot decrypt."""
    sops = data.get("sops")
    mac = sops.get("mac") if isinstance(sops, dict) else None
    return isinstance(mac, str) and mac.startswith("ENC[")
