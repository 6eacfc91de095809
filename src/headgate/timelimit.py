"""HTTP with a limit on total time, even against a server that sends a byte now and then.

Timeouts of sockets limit silence, so each byte restarts them. This keeps a second handle of each connection and shuts
the connection down when the time is over: during proxy requests, TLS handshakes, headers and bodies.
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
        """Start without connections."""
        self.is_over = False
        self._lock = threading.Lock()
        self._handles: list[socket.socket] = []

    @contextmanager
    def __call__(self, seconds: float) -> Iterator[None]:
        """Shut down all open connections after these seconds, unless the block ends earlier."""
        self.is_over = False
        timer = threading.Timer(seconds, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def watch(self, connection: socket.socket) -> None:
        """Keep a handle of a connection. Raises TimeoutError, and closes it, when the time is over."""
        with self._lock:
            if self.is_over:
                connection.close()
                raise TimeoutError
            self._handles.append(connection.dup())

    def close(self) -> None:
        """Close all handles."""
        with self._lock:
            while self._handles:
                self._handles.pop().close()

    def _end(self) -> None:
        with self._lock:
            self.is_over = True
            for handle in self._handles:
                with contextlib.suppress(OSError):  # closed already
                    handle.shutdown(socket.SHUT_RDWR)


class TimedAdapter(HTTPAdapter):
    """An adapter for requests with a time limit."""

    def __init__(self, limit: TimeLimit, **options: Any) -> None:
        """Take the options of HTTPAdapter."""
        self._pools = _pools(limit)
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Create the pools for direct connections."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        """Create the pools for connections through a proxy."""
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _pools(limit: TimeLimit) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            connection = super()._new_conn()
            limit.watch(connection)
            return connection

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            connection = super()._new_conn()
            limit.watch(connection)
            return connection

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
