"""Files that are read together hold what each holds alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import pytest

from headgate import tools
from headgate.engine import pool, reading
from headgate.engine.protocol import Request, reader_command
from headgate.errors import HeadgateError
from support.engines import replaced
from support.templates import config_map

if TYPE_CHECKING:
    from pathlib import Path

FILES: dict[str, bytes] = {
    "one.yaml": config_map("one", x="y").encode(),
    "two.yaml": f"{config_map('a', x='y')}---\n{config_map('b', x='é')}".encode(),
    "none.yaml": b"# a comment\n",
    "anchors.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: &d {a: b}\nbinaryData: *d\n",
}


def contents(name: str, data: bytes) -> list[object]:
    return [(parsed.data, parsed.source, parsed.text) for parsed in reading.objects(data, name)]


def test_files_read_together_hold_what_each_holds_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = {name: contents(name, data) for name, data in FILES.items()}
    reading.read_objects_ahead(FILES.items())

    def refuse(request: object) -> NoReturn:
        raise AssertionError(request)

    monkeypatch.setattr(pool, "call", refuse)
    assert {name: contents(name, data) for name, data in FILES.items()} == alone
    assert [len(found) for found in alone.values()] == [1, 2, 0, 1]


def test_two_states_of_a_file_are_kept_apart() -> None:
    old, new = (config_map("one", x=value).encode() for value in ("old", "new"))
    reading.read_objects_ahead([("one.yaml", old), ("one.yaml", new)])
    assert reading.objects(new, "one.yaml")[0].data["data"] == {"x": "new"}
    assert reading.objects(old, "one.yaml")[0].data["data"] == {"x": "old"}


@pytest.mark.parametrize("broken", [b"a: [", b"kind: \xff\n", b"text\n"])
def test_file_that_cannot_be_read_is_its_own_error_alone(broken: bytes) -> None:
    files = {**FILES, "broken.yaml": broken}
    reading.read_objects_ahead(files.items())
    with pytest.raises(HeadgateError, match=r"broken\.yaml|expected a Kubernetes object|UTF-8"):
        reading.objects(broken, "broken.yaml")
    assert [len(contents(name, data)) for name, data in FILES.items()] == [1, 2, 0, 1]


def test_reader_reads_and_renders_nothing() -> None:
    assert tools.find_reader().name == tools.READER
    (found,) = reading.documents("a: 1\n", "a.yaml")
    assert found.data == {"a": 1}
    body = {"tree": "t", "folder": "", "name": "web", "namespace": "web", "kubernetes": "1.34", "values": "{}"}
    answer = pool.call(Request(kind="helm", body=body, command=reader_command))
    assert answer.failure is not None
    assert answer.failure.kind == "protocol"


def test_engine_reads_where_there_is_no_reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with replaced(monkeypatch, tmp_path, 'exec "$ENGINE" "$@"') as engine:
        assert tools.find_reader() == engine
        (found,) = reading.documents("a: 1\n", "a.yaml")
    assert found.data == {"a": 1}
