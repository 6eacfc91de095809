"""The double's HTTP server: requests in, answers out, faults and a log between."""

from __future__ import annotations

import json
import re
import ssl
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from support.web import Handler, Listener, Reply


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


class Server(Listener):
    """A server on a free port of loopback. ``handle`` answers; a status of 0 breaks the connection."""

    def __init__(self, handle: Callable[[Request], Answer], tls: ssl.SSLContext | None = None, name: str = "") -> None:
        self.handle_one, self.errors = handle, list[str]()
        super().__init__(_Handler, tls)
        self.url = f"{'https' if tls else 'http'}://{name or '127.0.0.1'}:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away in the middle are no news; a fault of the double itself is."""
        error = sys.exception() if sys.version_info >= (3, 12) else sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.errors.append("".join(traceback.format_exception(error)))


class _Handler(Handler):
    server: Server

    def answer(self) -> None:
        parts = urlsplit(self.path)
        query = nested(parse_qsl(parts.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.handle_one(Request(self.command, parts.path, query, headers, self.body(), parts.query))
        json_type = {"Content-Type": "application/json"} if answer.raw is None else {}
        self.reply(Reply(answer.status, answer.body, {**answer.headers, **json_type}))


def pause(seconds: float) -> None:
    """Wait, as a slow server would."""
    time.sleep(seconds)
