"""The double's HTTP server: requests in, answers out, faults and a log between."""

from __future__ import annotations

import gzip
import json
import re
import ssl
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True)
class Request:
    """One request. ``path`` is as it was sent, still encoded: a project's path is one part of it."""

    method: str
    path: str
    query: Mapping[str, Any]
    headers: Mapping[str, str]
    body: bytes
    query_text: str = ""

    def json(self) -> dict[str, Any]:
        """Return the body's fields: JSON, or a form with ``inputs[x]`` for nested ones."""
        if not self.body:
            return {}
        if "json" in self.headers.get("content-type", ""):
            found = json.loads(self.body)
            return found if isinstance(found, dict) else {}
        return nested(parse_qsl(self.body.decode(), keep_blank_values=True))


def nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Return form fields, those in brackets as dictionaries and lists."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        match = re.fullmatch(r"([^\[]+)\[([^\]]*)\]", key)
        if match is None:
            found[key] = value
        elif match[2]:
            found.setdefault(match[1], {})[match[2]] = value
        else:
            found.setdefault(match[1], []).append(value)
    return found


@dataclass(frozen=True)
class Answer:
    """One answer: a status with JSON, or with bytes of another type."""

    status: int
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None

    @property
    def body(self) -> bytes:
        """The bytes that are sent."""
        return self.raw if self.raw is not None else json.dumps(self.content).encode()


@dataclass
class Fault:
    """What goes wrong: which requests, how, how often. ``after``: the request is carried out all the same."""

    method: str
    path: str
    status: int
    times: int
    headers: Mapping[str, str]
    after: bool

    def meets(self, method: str, path: str) -> bool:
        """Whether it hits a request, and then count it."""
        if self.times <= 0 or method != self.method or not re.search(self.path, unquote(path)):
            return False
        self.times -= 1
        return True


@dataclass(frozen=True)
class Logged:
    """A request that came, and how it was answered. ``token`` is the kind of token, never the token."""

    method: str
    path: str
    status: int
    token: str


class Server(ThreadingHTTPServer):
    """A server on a free port of loopback. ``handle`` answers; a status of 0 breaks the connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, handle: Callable[[Request], Answer], tls: ssl.SSLContext | None = None, name: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        if tls is not None:  # hands are shaken by the thread that answers, not by the one that accepts
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.address = f"{'https' if tls else 'http'}://{name or '127.0.0.1'}:{self.server_address[1]}"
        self.handle_one = handle
        self.errors: list[str] = []
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        """The server's address."""
        return self.address

    def stop(self) -> None:
        """End it."""
        self.shutdown()
        self.server_close()
        self.thread.join()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away in the middle are no news; a fault of the double itself is."""
        error = sys.exception() if sys.version_info >= (3, 12) else sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.errors.append("".join(traceback.format_exception(error)))


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120

    def log_message(self, *_args: object) -> None:
        """Print nothing."""

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        query = nested(parse_qsl(parts.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.handle_one(Request(self.command, parts.path, query, headers, self._body(), parts.query))
        if answer.status == 0:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.raw is None:
            self.send_header("Content-Type", "application/json")
        body = answer.body
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _handle  # noqa: N815  as the server asks for them

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b"".join(self._chunks())
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _chunks(self) -> list[bytes]:
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return chunks


def pause(seconds: float) -> None:
    """Wait, as a slow server would."""
    time.sleep(seconds)
