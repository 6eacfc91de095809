"""git over HTTP on loopback, as a host would serve it: ``git http-backend``, with latency, losses and counts."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from support.web import Handler, Listener

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

    class Serving(_Handler):
        pass

    Serving.root, Serving.traffic, Serving.latency, Serving.lose_every = root, traffic, latency, lose_every
    listener = Listener(Serving)
    try:
        yield GitServer(root, f"http://{listener.host}", traffic)
    finally:
        listener.stop()


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


class _Handler(Handler):
    root: ClassVar[Path]
    traffic: ClassVar[Traffic]
    latency: ClassVar[float]
    lose_every: ClassVar[int]

    def setup(self) -> None:
        super().setup()
        self.number = self.traffic.add(connections=1)
        self.answered = 0

    def answer(self) -> None:
        packed = self.raw_body()
        self.traffic.add(received=len(packed))
        body = self.unpacked(packed)
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
        kept = [(name, value) for name, value in fields if name not in ("Status", "Content-Length")]
        self.send(int(status.split(" ")[0]), kept, len(content))
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
