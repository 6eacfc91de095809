"""The messages of the engine's protocol, version 1 (docs/engine.md)."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headgate.engine.budget import USUAL, Budget
from headgate.errors import (
    ConfigError,
    HeadgateError,
    Location,
    ManifestError,
    RenderError,
    TooLargeError,
    ToolError,
    UnsafeFileError,
    UnstableError,
    YamlError,
)
from headgate.records import frozen_record
from headgate.tools import find_engine, find_reader, find_validator

if TYPE_CHECKING:
    from collections.abc import Callable

    from headgate.repository.tree import Tree

VERSION = 1
# The messages came as JSON or are made here: they have no circles, and checking takes half of the time.
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


def engine_command(budget: Budget, requests: int) -> list[str]:  # noqa: ARG001
    """Return the command that starts the engine."""
    return [str(find_engine()), f"--memory={budget.memory}"]


def reader_command(budget: Budget, requests: int) -> list[str]:  # noqa: ARG001
    """Return the command of the reader, which renders nothing and starts in a quarter of the engine's time."""
    return [str(find_reader()), f"--memory={budget.memory}"]


def validator_command(budget: Budget, requests: int) -> list[str]:  # noqa: ARG001
    """Return the command of the validator. Raises ToolError if it is not installed."""
    program = find_validator()
    if program is None:
        raise ToolError("headgate-validator not found", hint="'make validator' in a checkout of Headgate builds it")
    return [str(program), f"--memory={budget.memory}"]


@frozen_record(eq=False)
class Request:
    """A request to read or render. ``owner`` is the app that owns the inputs; empty for the platform.

    ``kind`` and ``body`` are the protocol's; ``tree`` holds the files that the body names by its id. ``command``
    returns the command of the answering program for a budget and a number of requests.
    """

    kind: str
    body: dict[str, Any]
    owner: str = ""
    tree: Tree | None = None
    budget: Budget = USUAL
    command: Callable[[Budget, int], list[str]] = engine_command


@frozen_record
class EngineObject:
    """A Kubernetes object. ``text`` is its source if that must not change (SOPS); ``hook`` has the events of a hook."""

    data: dict[str, Any]
    source: str
    hook: tuple[str, ...] = ()
    text: str = ""


@frozen_record
class EngineWarning:
    """A warning. ``file`` is named as in the request."""

    message: str
    file: str = ""
    line: int = 0


@frozen_record
class RefusedValue:
    """A value that a chart refuses, by its key path, with list items by number; or a key that may not be
    there (``unknown``).
    """

    path: tuple[str, ...]
    unknown: bool = False


@frozen_record
class Failure:
    """Why a request has no result. ``file`` is named as in the request, or is a path in the tree."""

    kind: str
    message: str
    file: str = ""
    line: int = 0
    hint: str = ""
    template: str = ""
    functions: tuple[str, ...] = ()
    refused: tuple[RefusedValue, ...] = ()

    def error(self, named: Callable[[str], str] = str, label: str = "") -> HeadgateError:
        """Return the error. ``named`` maps a file to its name in the repository, ``label`` is the default place."""
        file = named(self.file) if self.file else label
        where = Location(file, self.line) if file else None
        hint = self.hint or (_STRAY_HINT if self.message.endswith(_STRAY) else "")
        return _ERRORS.get(self.kind, RenderError)(self.message, where=where, hint=hint)


_STRAY = "found character that cannot start any token"
_STRAY_HINT = "indent with spaces, not with tabs; quote a value that begins with @, % or a backquote"
_ERRORS: dict[str, type[HeadgateError]] = {
    "yaml": YamlError,
    "config": ConfigError,
    "render": RenderError,
    "schema": RenderError,
    "object": ManifestError,
    "unstable": UnstableError,
    "unsafe": UnsafeFileError,
    "budget": TooLargeError,
}


@frozen_record
class Answer:
    """The engine's answer: objects or a value, or why there is none."""

    objects: tuple[EngineObject, ...] = ()
    value: Any = None
    warnings: tuple[EngineWarning, ...] = ()
    failure: Failure | None = None
    error: HeadgateError | None = None
    """Why the process ended without an answer."""


def tree_message(tree: Tree) -> bytes:
    """Return the line that sends a tree."""
    files: dict[str, str] = {}
    binary: dict[str, str] = {}
    for path in tree.paths():
        data = tree.read(path)
        try:
            files[path] = data.decode()
        except UnicodeDecodeError:
            binary[path] = base64.b64encode(data).decode()
    return _line({"tree": tree.id, "files": files, "binary": binary})


def request_message(number: int, request: Request) -> bytes:
    """Return the line of a request."""
    return _line({"request": number, "budget": request.budget.counts, request.kind: request.body})


def _line(message: dict[str, Any]) -> bytes:
    return _encode(message).encode("utf-8", "surrogatepass") + b"\n"


@dataclass
class PartialAnswer:
    """An answer whose lines are still arriving. ``known`` has objects by content, which the engine sends only once."""

    known: dict[str, EngineObject]
    objects: list[EngineObject] = field(default_factory=list)

    def take(self, line: bytes) -> Answer | None:
        """Add a line; return the answer when it is complete."""
        message: dict[str, Any] = json.loads(line.decode("utf-8", "surrogatepass"))
        if message.get("done"):
            failure = message.get("error")
            return Answer(
                objects=() if failure else tuple(self.objects),
                value=message.get("value"),
                warnings=tuple(EngineWarning(**warning) for warning in message.get("warnings") or ()),
                failure=_failure(failure) if failure else None,
            )
        self.objects.append(self._object(message))
        return None

    def _object(self, message: dict[str, Any]) -> EngineObject:
        content = message.get("content", "")
        if content and "object" not in message:
            return self.known[content]
        parsed = EngineObject(
            data=message["object"],
            source=message.get("source", ""),
            hook=tuple(message.get("hook") or ()),
            text=message.get("text", ""),
        )
        if content:
            self.known[content] = parsed
        return parsed


def _failure(message: dict[str, Any]) -> Failure:
    functions = tuple(message.get("functions") or ())
    refused = tuple(
        RefusedValue(path=tuple(value["path"]), unknown=value.get("unknown", False))
        for value in message.get("refused") or ()
    )
    return Failure(**{**message, "functions": functions, "refused": refused})
