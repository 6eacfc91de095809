"""A web server on loopback that gives prepared answers, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

Answer = tuple[int, Any]


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answers:
    """What is answered, by method and decoded path: (status, JSON), or a function that returns that. Else 404."""

    url: str = ""
    prepared: dict[str, Answer | Callable[[], Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def set(self, what: str, status: int, content: Any) -> None:
        """Prepare an answer: ``"GET /projects/acme/shop"``, below ``/api/v4``."""
        self.prepared[what] = (status, content)


@contextmanager
def serve_answers() -> Iterator[Answers]:
    """Answer for as long as the block lasts."""
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # a client keeps its connection
        disable_nagle_algorithm = True

        def log_message(self, *_args: object) -> None:
            """Print nothing."""

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answers.asked.append(Asked(self.command, self.path, dict(self.headers), body))
            path = unquote(urlsplit(self.path).path).removeprefix("/api/v4")
            found = answers.prepared.get(f"{self.command} {path}", (404, {"message": "404 Not found"}))
            status, content = found() if callable(found) else found
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if status in (301, 302, 307):
                self.send_header("Location", f"{answers.url}/elsewhere")
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    answers.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield answers
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
