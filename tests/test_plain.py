"""What is read line by line is what the engine and every other reader of YAML reads; all else is not read at all."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from headgate.yamltext.plain import read_plain
from headgate.yamltext.write import write
from support.trees import data_of

RECORD = """\
# Written by Headgate. A change by hand is lost with the next hand-off.
version: 1
images:
  web:
    project: acme/web
    commit: 8e5ee82676c79dfe0966b71bb3248149cd47bf86
    ref: refs/tags/v1.2.0
    pipeline: 4711
    actor: Ada Lovelace
    repository: registry.example.com:5000/acme/web
    tag: 1.2.0
    digest: sha256:8e5ee82676c79dfe0966b71bb3248149cd47bf860acfe4c0980863b38375bac3
newest:
  web:
    commit: 0b10101010101010101010101010101010101a01
    tag: "8e5"
"""

PIECES = [
    *(
        "a",
        "b",
        "yes",
        "n",
        "NULL",
        "~",
        "1",
        "0",
        "01",
        "1.2",
        "1.2.3",
        "1.2.3.4",
        "1:30",
        "0x1f",
        "0b1",
        "1e3",
        "a:b",
    ),
    *(
        "a: b",
        "a #b",
        "a b",
        "#a",
        "- a",
        "-",
        "[a]",
        "{a: b}",
        '"a"',
        "'a'",
        '"a',
        "|",
        ">",
        "*a",
        "&a b",
        "!a b",
        "?",
    ),
    *("8e5ee82676c79dfe0966b71bb3248149cd47bf86", "1" * 40, "1e" + "1" * 38, "0b" + "1" * 38, "<<", "2026-01-01", ".5"),
]
LINES = st.builds(
    lambda pad, key, space, value: f"{' ' * pad}{key}:{space}{value}",
    st.sampled_from([0, 0, 0, 2, 2, 4, 1, 3]),
    st.sampled_from(["a", "b", "c", "yes", "1", "a.b", "A-b", "<<", '"a"', "? a", "a b"]),
    st.sampled_from([" ", " ", " ", "", "  "]),
    st.sampled_from([*PIECES, "", "", ""]) | st.text("ab1: #-.e\t\"'{}[]!&*\u00e9", max_size=6),
)


def test_a_record_is_read() -> None:
    assert read_plain(RECORD.encode()) == data_of(RECORD)


@pytest.mark.long
@settings(max_examples=500)
@given(lines=st.lists(LINES, max_size=6), end=st.sampled_from(["\n", "\n", "", "\n\n", "\r\n"]))
@example(lines=["a:", "b: c"], end="\n")
@example(lines=["a: b", "  c: d"], end="\n")
@example(lines=["a:", "  b: c", "  b: d"], end="\n")
def test_what_is_read_is_what_every_reader_reads(lines: list[str], end: str) -> None:
    text = "\n".join(lines) + end
    found = read_plain(text.encode())
    if found is not None and lines:
        assert data_of(text) == found
        assert yaml.safe_load(text) == found
        assert YAML(typ="safe", pure=True).load(text) == found


@pytest.mark.long
@settings(max_examples=300)
@given(
    st.recursive(
        st.sampled_from(PIECES) | st.integers(0, 10**12),
        lambda inner: st.dictionaries(st.sampled_from(["a", "b", "web-1", "yes", "1"]), inner, min_size=1, max_size=3),
        max_leaves=8,
    )
)
def test_what_is_written_is_read_back_or_not_read(value: Any) -> None:
    found = read_plain(write({"key": value}).encode())
    assert found in (None, {"key": value})


@pytest.mark.parametrize(
    "text", ["", "a\n", "- a\n", "a: b", "a:\n", "a: yes\n", "yes: a\n", "a: b\na: c\n", "a: \u00e9\n"]
)
def test_what_is_not_of_the_plainest_kind_is_not_read(text: str) -> None:
    assert not read_plain(text.encode())
