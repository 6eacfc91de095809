"""An HTTP server on loopback that answers as a test says, and remembers what it was asked."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request."""

    verb: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """One answer. ``length`` is claimed instead of the body's; ``pause``: seconds before, and after each byte.

    Without a ``status`` the connection is closed and nothing is answered.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    pause: float = 0


@dataclass
class Site:
    """A server: its host with the port, and what it was asked."""

    host: str
    asked: list[Asked] = field(default_factory=list)

    @property
    def logins(self) -> list[str]:
        """All that was sent as Authorization."""
        return [one.headers["Authorization"] for one in self.asked if "Authorization" in one.headers]


@contextmanager
def serve(answer: Callable[[Asked], Reply], tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    """Answer requests for as long as the block lasts."""

    class Handler(_Handler):
        site = Site("")

        def answer(self) -> None:
            address = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = Asked(self.command, address.path, parse_qs(address.query), dict(self.headers.items()), body)
            self.site.asked.append(asked)
            self.reply(answer(asked))

    server = _Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    Handler.site.host = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Handler.site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away in the middle are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the parent's name
        """Print nothing."""

    def do_GET(self) -> None:
        self.answer()

    def do_HEAD(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def answer(self) -> None:
        raise NotImplementedError

    def reply(self, reply: Reply) -> None:
        time.sleep(reply.pause)
        if not reply.status:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
        self.end_headers()
        if self.command != "HEAD":
            for piece in [reply.body[at : at + 1] for at in range(len(reply.body))] if reply.pause else [reply.body]:
                self.wfile.write(piece)
                time.sleep(reply.pause)
        if reply.length is not None:
            self.close_connection = True
