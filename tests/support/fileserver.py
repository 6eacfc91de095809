"""Files over HTTP on loopback, with other answers where a test wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.web import Asked, Reply, Site, serve


@dataclass
class FileServer:
    """A running server of a folder. ``replies`` answer their paths instead of files."""

    root: Path
    site: Site = field(default_factory=lambda: Site(""))
    replies: dict[str, Callable[[Asked], Reply]] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """Its host with the port."""
        return self.site.host

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{self.host}"

    @property
    def asked(self) -> list[Asked]:
        """What it was asked, in order."""
        return self.site.asked

    def paths(self) -> list[str]:
        """Return the paths that it was asked for."""
        return [one.path for one in self.asked]

    def reply(self, asked: Asked) -> Reply:
        """Return the answer to a request."""
        if asked.path in self.replies:
            return self.replies[asked.path](asked)
        file = self.root / asked.path.lstrip("/")
        return Reply(200, file.read_bytes()) if file.is_file() else Reply(404, b"not here")


@contextmanager
def serve_files(root: Path) -> Iterator[FileServer]:
    """Serve a folder for as long as the block lasts."""
    served = FileServer(root)
    with serve(served.reply) as served.site:
        yield served
