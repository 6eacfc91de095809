"""An HTTP server on loopback that answers as a test says, and remembers what it was asked."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
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
    target: str = ""
    """The path with the query, as it came."""


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

    class Answering(Handler):
        def answer(self) -> None:
            address = urlsplit(self.path)
            headers, query = dict(self.headers.items()), parse_qs(address.query)
            asked = Asked(self.command, address.path, query, headers, self.body(), self.path)
            site.asked.append(asked)
            self.reply(answer(asked))

    site = Site("")
    listener = Listener(Answering, tls)
    site.host = listener.host
    try:
        yield site
    finally:
        listener.stop()


class Listener(ThreadingHTTPServer):
    """A server on a free port of loopback, with a thread for each connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        if tls is not None:  # hands are shaken by the thread that answers, not by the one that accepts
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """End it."""
        self.shutdown()
        self.server_close()
        self.thread.join()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away in the middle are no news."""


class Handler(BaseHTTPRequestHandler):
    """What reads requests and writes answers; `answer` says which."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the parent's name
        """Print nothing."""

    def _answer(self) -> None:
        self.answer()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer  # noqa: N815  as the server asks for them

    def answer(self) -> None:
        """Answer one request."""
        raise NotImplementedError

    def body(self) -> bytes:
        """Return the request's body, unpacked."""
        return self.unpacked(self.raw_body())

    def unpacked(self, body: bytes) -> bytes:
        """Return a body as it was before it was packed."""
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def raw_body(self) -> bytes:
        """Return the request's body as it came."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def send(self, status: int, headers: Iterable[tuple[str, str]], length: int) -> None:
        """Send what comes before the answer's body."""
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def reply(self, reply: Reply) -> None:
        """Send an answer. Without a pause nothing sleeps, since tests count what does."""
        if reply.pause:
            time.sleep(reply.pause)
        if not reply.status:
            self.close_connection = True
            return
        self.send(reply.status, reply.headers.items(), len(reply.body) if reply.length is None else reply.length)
        if self.command != "HEAD":
            for piece in [reply.body[at : at + 1] for at in range(len(reply.body))] if reply.pause else [reply.body]:
                self.wfile.write(piece)
                if reply.pause:
                    time.sleep(reply.pause)
        if reply.length is not None:
            self.close_connection = True


@contextmanager
def trickling(beginning: bytes, seconds: float = 0.2) -> Iterator[str]:
    """Serve what begins with these bytes and goes on with one more each so many seconds; return the host."""
    over = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(beginning)
            while not over.wait(seconds):
                connection.sendall(b"1")

    def accept(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, args=(server,), daemon=True).start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
