"""Files over HTTP on loopback, with answers of its own kind where a test wants them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Reply = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


@dataclass(frozen=True)
class Asked:
    """One request: its path with the query, and its headers by their names in small letters."""

    path: str
    headers: dict[str, str]


@dataclass
class FileServer:
    """A running server. ``replies`` answer paths instead of files; ``asked`` is what it was asked, in order."""

    root: Path
    host: str = ""
    replies: dict[str, Callable[[Asked], Reply]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{self.host}"

    def paths(self) -> list[str]:
        """Return the paths that it was asked for."""
        return [one.path for one in self.asked]

    def reply(self, asked: Asked) -> Reply:
        """Return the answer to a request."""
        self.asked.append(asked)
        path = asked.path.split("?")[0]
        if path in self.replies:
            return self.replies[path](asked)
        file = self.root / path.lstrip("/")
        return (200, {}, file.read_bytes()) if file.is_file() else (404, {}, b"not here")


@contextmanager
def serve_files(root: Path) -> Iterator[FileServer]:
    """Serve a folder for as long as the block lasts."""
    served = FileServer(root)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def log_message(self, *_args: object) -> None:
            """Print nothing."""

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, fields, body = served.reply(Asked(self.path, headers))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **fields}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

    server = _Server(("127.0.0.1", 0), Handler)
    served.host = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away in the middle are no news."""
