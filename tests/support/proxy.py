"""A company's proxy on loopback: it alone knows where names lead to, and only tunnels (``CONNECT``)."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass
class Proxy:
    """A running proxy: its address, and whom it was asked to connect to."""

    url: str = ""
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve_proxy(ports: Mapping[int, int] = MappingProxyType({})) -> Iterator[Proxy]:
    """Run a proxy that leads every name to this machine, for as long as the block lasts.

    ``ports`` says which port is meant here by another one.
    """
    proxy = Proxy()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            verb, target, _ = self.rfile.readline().decode().split(" ", 2)
            while self.rfile.readline().strip():
                pass
            proxy.asked.append(f"{verb} {target}")
            port = int(target.rsplit(":", 1)[1])
            with socket.create_connection(("127.0.0.1", ports.get(port, port))) as upstream:
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=_pass_on, args=(upstream, self.connection), daemon=True)
                back.start()
                _pass_on(self.connection, upstream)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: object, client_address: object) -> None:
            """Clients that go away in the middle are no news."""

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield proxy
        server.shutdown()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(64 * 1024):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
