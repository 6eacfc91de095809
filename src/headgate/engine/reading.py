"""Read YAML: configuration, values, Kubernetes objects. ``owner`` is the app that owns it, as in `Request`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from headgate.engine import pool
from headgate.engine.budget import USUAL
from headgate.engine.protocol import Answer, Request, reader_command
from headgate.errors import Location, YamlError
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from headgate.engine.budget import Budget
    from headgate.engine.protocol import EngineObject, EngineWarning
    from headgate.yamltext.valuepath import KeyPath


@frozen_record(kw_only=False)
class Document:
    """A document of a configuration file, and its first line."""

    data: Any
    line: int


def decoded(data: bytes | str, file: str) -> str:
    """Return the text of a file. Raises YamlError with the line if it is not UTF-8."""
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise YamlError("not UTF-8 text", where=Location(file, line)) from None


def reading_request(kind: str, body: dict[str, Any], *, owner: str = "", budget: Budget = USUAL) -> Request:
    """Return a request that only reads: for values, documents, objects or places in a text."""
    return Request(kind=kind, body=body, owner=owner, budget=budget, command=reader_command)


def documents_request(data: bytes | str, file: str, *, owner: str = "", budget: Budget = USUAL) -> Request:
    """Return the request of `documents`. Raises YamlError if the text is not UTF-8."""
    body = {"file": file, "text": decoded(data, file)}
    return reading_request("documents", body, owner=owner, budget=budget)


def values_request(
    data: bytes | str, file: str, *, owner: str = "", lenient: bool = False, budget: Budget = USUAL
) -> Request:
    """Return the request of `values`. Raises YamlError if the text is not UTF-8."""
    body = {"file": file, "text": decoded(data, file), "lenient": lenient}
    return reading_request("values", body, owner=owner, budget=budget)


def documents(data: bytes | str, file: str, *, owner: str = "", budget: Budget = USUAL) -> list[Document]:
    """Read the documents of a file as Kubernetes reads them, without empty ones.

    Raises YamlError for invalid YAML, TooLargeError above the budget.
    """
    answer = send(documents_request(data, file, owner=owner, budget=budget))
    return [Document(document["value"], document["line"]) for document in answer.value]


def mapping(data: bytes | str, file: str, *, owner: str = "", budget: Budget = USUAL) -> dict[str, Any]:
    """Read the first document of a file; empty unless it is a mapping. Raises the errors of `documents`."""
    read = documents(data, file, owner=owner, budget=budget)
    return read[0].data if read and isinstance(read[0].data, dict) else {}


def values(
    data: bytes | str, file: str, *, owner: str = "", lenient: bool = False, budget: Budget = USUAL
) -> tuple[dict[str, Any], tuple[EngineWarning, ...]]:
    """Read a values file as Helm does; return the values and warnings.

    ``lenient`` takes the last of duplicate keys with a warning, as Helm does; otherwise they are an error.
    Raises YamlError, ConfigError if it is not a mapping, TooLargeError.
    """
    answer = send(values_request(data, file, owner=owner, lenient=lenient, budget=budget))
    return answer.value, answer.warnings


def objects(data: bytes | str, file: str, *, owner: str = "") -> tuple[EngineObject, ...]:
    """Read Kubernetes objects. Raises YamlError, ManifestError, TooLargeError."""
    ahead = _ahead.pop((file, data), None) if _ahead and not owner else None
    return ahead.objects if ahead is not None else send(_objects_request({file: decoded(data, file)}, owner)).objects


_MAX_FILES = 25
_MAX_BYTES = 1024 * 1024
"""The number of files and bytes of a request: few requests, but enough to keep all processors busy."""


def read_objects_ahead(files: Iterable[tuple[str, bytes]]) -> None:
    """Read files of the platform at once, by their names; `objects` returns their objects.

    A file that cannot be read, and those that were read together with it, are left to `objects`.
    """
    batches = list(_batches(files))
    requests = [_objects_request({name: text for name, (text, _) in batch.items()}) for batch in batches]
    by_request = {id(request): batch for request, batch in zip(requests, batches, strict=True)}
    for request, answer in pool.converse(requests):
        if answer.error is None and answer.failure is None:
            found: dict[str, list[EngineObject]] = {}
            for parsed in answer.objects:
                found.setdefault(parsed.source, []).append(parsed)
            for name, (_, data) in by_request[id(request)].items():
                _ahead[name, data] = Answer(objects=tuple(found.get(name, ())))


def _batches(files: Iterable[tuple[str, bytes]]) -> Iterator[dict[str, tuple[str, bytes]]]:
    """Divide text files into batches: texts and bytes by name; a name occurs once in a batch."""
    batch: dict[str, tuple[str, bytes]] = {}
    size = 0
    for name, data in files:
        with suppress(YamlError):
            text = decoded(data, name)
            if batch and (name in batch or len(batch) == _MAX_FILES or size + len(data) > _MAX_BYTES):
                yield batch
                batch, size = {}, 0
            batch[name] = text, data
            size += len(data)
    if batch:
        yield batch


def _objects_request(texts: Mapping[str, str], owner: str = "") -> Request:
    files = [{"file": name, "text": text} for name, text in texts.items()]
    return reading_request("objects", {"files": files}, owner=owner)


_ahead: dict[tuple[object, ...], Answer] = {}
"""Answers by request: a file of objects by its name and bytes, others by `_key`."""


def read_ahead(requests: Iterable[Request]) -> None:
    """Send many requests at once, which keeps all processors busy; `send` returns their answers."""
    _ahead.update((_key(request), answer) for request, answer in pool.converse(requests))


def _key(request: Request) -> tuple[object, ...]:
    return (request.kind, request.owner, request.budget, *map(str, request.body.values()))


def send(request: Request) -> Answer:
    """Return the answer to a request. Raises its error."""
    answer = _ahead.pop(_key(request), None) if _ahead else None
    if answer is None:
        answer = pool.call(request)
    if answer.error is not None:
        raise answer.error
    if answer.failure is not None:
        raise answer.failure.error()
    return answer


@frozen_record(kw_only=False)
class SourceText:
    """The text of a file, to find the places of errors."""

    data: bytes
    file: str
    owner: str = ""

    def place(self, path: Sequence[str | int]) -> Location:
        """Return the location of ``path``, or of its nearest parent in the file."""
        from headgate.yamltext.valuepath import dotted  # noqa: PLC0415  only for errors

        return Location(self.file, self._find(path)["line"], dotted(tuple(path)))

    def scalar(self, path: KeyPath) -> str:
        """Return the source text of the scalar at ``path`` without quotes; empty if there is none."""
        return str(self._find(path).get("scalar", ""))

    def _find(self, path: Sequence[str | int]) -> dict[str, Any]:
        text = self.data.decode("utf-8-sig", "replace")
        answer = send(reading_request("locate", {"text": text, "path": list(path)}, owner=self.owner))
        position: dict[str, Any] = answer.value
        return position
