"""A web server on loopback that gives prepared answers, and keeps what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from support.web import Asked, Reply, serve

Answer = tuple[int, Any]


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

    def answer(asked: Asked) -> Reply:
        path = unquote(asked.path).removeprefix("/api/v4")
        found = answers.prepared.get(f"{asked.verb} {path}", (404, {"message": "404 Not found"}))
        status, content = found() if callable(found) else found
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        elsewhere = {"Location": f"{answers.url}/elsewhere"} if status in (301, 302, 307) else {}
        return Reply(status, data, {"Content-Type": "application/json", **elsewhere})

    with serve(answer) as site:
        answers.url, answers.asked = f"http://{site.host}", site.asked
        yield answers
