"""HTTP that ends when its time is over, however the other side spends it: also with a byte now and then.

The timeouts of sockets are about silence, so that one byte begins them anew. Here a second handle of each connection is
kept, and when the time is over the connection is shut down by it: while names are looked up by a proxy, while TLS is
agreed on, in headers and in bodies alike.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from collections.abc import Iterator


class TimeLimit:
    """The connections of a session, and whether their time is over."""

    def __init__(self) -> None:
        """Know no connection yet."""
        self.is_over = False
        self._lock = threading.Lock()
        self._handles: list[socket.socket] = []

    @contextmanager
    def __call__(self, seconds: float) -> Iterator[None]:
        """Shut all connections down that are open after so many seconds, unless the block has ended by then."""
        self.is_over = False
        timer = threading.Timer(seconds, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def watch(self, connection: socket.socket) -> None:
        """Keep a handle of a connection, whatever becomes of it."""
        with self._lock:
            if self.is_over:
                raise TimeoutError
            self._handles.append(connection.dup())

    def close(self) -> None:
        """Let go of all connections."""
        with self._lock:
            while self._handles:
                self._handles.pop().close()

    def _end(self) -> None:
        with self._lock:
            self.is_over = True
            for handle in self._handles:
                with contextlib.suppress(OSError):  # it is closed already
                    handle.shutdown(socket.SHUT_RDWR)


class TimedAdapter(HTTPAdapter):
    """What connects a session of requests, within a time limit."""

    def __init__(self, limit: TimeLimit, **options: Any) -> None:
        """Take what HTTPAdapter takes."""
        self._pools = _pools(limit)
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pools for direct connections."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        """Make the pools for connections by a proxy."""
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _pools(limit: TimeLimit) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            made = super()._new_conn()
            limit.watch(made)
            return made

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            made = super()._new_conn()
            limit.watch(made)
            return made

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
