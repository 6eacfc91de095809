"""What keeps tests off the network."""

from __future__ import annotations

import socket
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

LOOPBACK = ("127.0.0.1", "::1")


def only(monkeypatch: pytest.MonkeyPatch, addresses: Collection[str] = ()) -> None:
    """Let this process reach loopback and these addresses, and nothing else."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        is_ip = self.family in (socket.AF_INET, socket.AF_INET6)
        if is_ip and str(address[0]) not in (*LOOPBACK, *addresses):  # type: ignore[index]
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
