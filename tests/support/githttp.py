"""git over HTTP on loopback, as a host would serve it: ``git http-backend``, with latency, losses and counts."""

from __future__ import annotations

import gzip
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

# Where a connection is lost: at which of its requests, and whether that request was carried out before.
_LOSSES = ((1, False), (2, True), (1, True), (2, False))


@dataclass
class Traffic:
    """What went over the wire since the last `reset`. ``kinds`` counts requests by what they ask."""

    requests: int = 0
    connections: int = 0
    received: int = 0
    sent: int = 0
    lost: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: str = "", **counts: int) -> int:
        """Count something, and return how many connections there were."""
        with self._lock:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)
            self.kinds.update([kind] if kind else [])
            return self.connections

    def reset(self) -> None:
        """Begin at nothing."""
        with self._lock:
            self.requests = self.connections = self.received = self.sent = self.lost = 0
            self.kinds.clear()

    @property
    def pushes(self) -> int:
        """How many pushes were begun; one that git itself gives up, since the ref moved, sends no more than that."""
        return self.kinds["push: refs"]


@dataclass(frozen=True)
class GitServer:
    """A running server: the folder that it serves, its address, and what went over it."""

    root: Path
    url: str
    traffic: Traffic


@contextmanager
def serve(root: Path, *, latency: float = 0, lose_every: int = 0) -> Iterator[GitServer]:
    """Serve the repositories in ``root`` for as long as the block lasts.

    ``latency``: seconds before each request is carried out. ``lose_every``: one connection in so many is cut, in
    turn before or after its request was carried out, which its client cannot tell apart.
    """
    traffic = Traffic()

    class Handler(_Handler):
        pass

    Handler.root, Handler.traffic, Handler.latency, Handler.lose_every = root, traffic, latency, lose_every
    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield GitServer(root, f"http://127.0.0.1:{server.server_address[1]}", traffic)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def allow_partial(repository: Path) -> None:
    """Let a bare repository be fetched from in parts and pushed to, as GitLab does.

    Housekeeping is GitLab's own, not git's after each push: doc/administration/housekeeping.md
    """
    with (repository / "config").open("a") as config:
        config.write(_ALLOWED)


_ALLOWED = """\
[uploadpack]
\tallowFilter = true
\tallowAnySHA1InWant = true
[http]
\treceivepack = true
[receive]
\tautogc = false
"""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away in the middle are no news."""


class _Handler(BaseHTTPRequestHandler):
    root: ClassVar[Path]
    traffic: ClassVar[Traffic]
    latency: ClassVar[float]
    lose_every: ClassVar[int]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def setup(self) -> None:
        super().setup()
        self.number = self.traffic.add(connections=1)
        self.answered = 0

    def log_message(self, *_args: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        body = self._body()
        self.traffic.add(received=len(body))
        self._answer(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, body: bytes) -> None:
        self.answered += 1
        self.traffic.add(self._kind(), requests=1)
        time.sleep(self.latency)
        at, carried_out = self._loss()
        if at == self.answered and not carried_out:
            self._lose()
            return
        head, _, content = self._backend(body).partition(b"\r\n\r\n")
        if at == self.answered:
            self._lose()
            return
        fields = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        status = next((value for name, value in fields if name == "Status"), "200 OK")
        self.send_response(int(status.split(" ")[0]))
        for name, value in fields:
            if name not in ("Status", "Content-Length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.traffic.add(sent=len(content))

    def _loss(self) -> tuple[int, bool]:
        if not self.lose_every or self.number % self.lose_every:
            return 0, False
        return _LOSSES[self.number // self.lose_every % len(_LOSSES)]

    def _lose(self) -> None:
        self.traffic.add(lost=1)
        self.close_connection = True

    def _kind(self) -> str:
        service = "push" if "git-receive-pack" in self.path else "fetch"
        return f"{service}: {'refs' if '/info/refs' in self.path else 'data'}"

    def _backend(self, body: bytes) -> bytes:
        url = urlsplit(self.path)
        env = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "test",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(["git", "http-backend"], env=env, input=body, capture_output=True, check=False)
        return done.stdout
