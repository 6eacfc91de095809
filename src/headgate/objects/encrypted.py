"""Objects that SOPS encrypted, which stay byte for byte as they are. Pure.

https://getsops.io/docs/#encryption-protocol
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def is_encrypted(data: Mapping[Any, Any]) -> bool:
    """Whether SOPS encrypted an object; whoever forges this mark gets an object that Flux cannot decrypt."""
    sops = data.get("sops")
    mac = sops.get("mac") if isinstance(sops, dict) else None
    return isinstance(mac, str) and mac.startswith("ENC[")
