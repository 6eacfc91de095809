from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.errors import HeadgateError
from headgate.yamltext.fill import filled
from headgate.yamltext.read import MAX_DEPTH, read

ONE = "\ue0000\ue001"
TWO = "\ue0001\ue001"


def again(text: str, *strings: str) -> list[Any] | None:
    """Fill a text that was seen before."""
    filled(text, strings)
    return filled(text, strings)


def as_read(text: str, *strings: str) -> list[Any]:
    return [document.data for document in read(text, "a.yaml", strings=strings)]


def test_text_that_comes_once_is_left_to_the_reader() -> None:
    assert filled(f"once: {ONE}\n", ("x",)) is None
    assert filled(f"once: {ONE}\n", ("y",)) == [{"once": "y"}]


@pytest.mark.parametrize(
    "text",
    [
        f"a: {ONE}\nb: '{ONE}'\nc: [\"x{TWO}{ONE}y\", 3, on, ~, no-token]\n",
        f"a: |\n  first {ONE}\n  {TWO}\nb: {{c: {{d: >-\n  {ONE}\n  }}}}\n".replace(">-\n  ", ""),
        f"a: &x {{b: {ONE}}}\nc: *x\nd: {{<<: *x, e: {TWO}}}\n",
        f"{ONE}\n---\n- {TWO}\n---\n~\n",
        f"a: !!str {ONE}\nb: ! {TWO}\n",
        'a: "\\ue0000\\ue001 \\ue0007\\ue001"\n',
    ],
)
def test_filled_text_is_what_the_reader_makes_of_it(text: str) -> None:
    strings = ("on", "a: b\n# '\"{{")
    assert again(text, *strings) in (as_read(text, *strings), None)


PIECES = [
    ONE,
    TWO,
    "a",
    "b",
    "3",
    "on",
    "~",
    "'",
    '"',
    ": ",
    "- ",
    "\n",
    "\n  ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "<<",
    "&x ",
    "*x",
]
PIECES += ["!!str ", "!!int ", "---\n", "# ", "|", '"\\ue0001\\ue001"', '"\\ue0009\\ue001"', "=", "? "]
STRINGS = st.sampled_from(["a", "b", "3", "on", "", "a: b", "\n", "'", "\ud800", "{", ONE])


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), STRINGS, STRINGS)
def test_filled_text_is_never_anything_else(text: str, first: str, second: str) -> None:
    known = again(text, first, second)
    assert known is None or known == as_read(text, first, second)


def test_other_strings_in_the_same_text_are_other_data() -> None:
    text = f"image: {ONE}\nargs: [--host={TWO}]\n"
    assert again(text, "x", "y") == [{"image": "x", "args": ["--host=y"]}]
    assert again(text, "3", "on") == [{"image": "3", "args": ["--host=on"]}]


def test_what_is_done_to_the_data_of_one_reaches_no_other() -> None:
    text = f"spec: {{containers: [{{image: {ONE}}}], labels: {{a: b}}}}\n"
    (first,) = again(text, "x") or []
    first["spec"]["containers"][0]["image"] = "changed"
    first["spec"]["labels"]["c"] = "added"
    assert again(text, "x") == [{"spec": {"containers": [{"image": "x"}], "labels": {"a": "b"}}}]


@pytest.mark.parametrize(
    ("text", "strings"),
    [
        pytest.param(f"{ONE}: 1\n{TWO}: 2\n", ("a", "a"), id="the same key twice"),
        pytest.param(f"a: {ONE}\n", ("\ud800",), id="half of a surrogate pair"),
        pytest.param(f"a: {ONE}\na: {ONE}\n", ("a",), id="a key that stands there twice"),
        pytest.param(f"a: [{ONE}\n", ("a",), id="no YAML"),
        pytest.param(f"a: {'[' * MAX_DEPTH}{ONE}{']' * MAX_DEPTH}\n", ("a",), id="too deep"),
    ],
)
def test_what_the_reader_refuses_is_left_to_it(text: str, strings: tuple[str, ...]) -> None:
    with pytest.raises(HeadgateError):
        as_read(text, *strings)
    assert again(text, *strings) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"a: {ONE}{'x' * 20_000}\n", id="many characters"),
        pytest.param(f"a: [{'0,' * 3_000} {ONE}]\n", id="many nodes"),
        pytest.param(f"a: &a [{'0,' * 100}]\nb: [{'*a,' * 100} {ONE}]\n", id="many nodes by aliases"),
    ],
)
def test_what_would_take_much_memory_is_not_kept(text: str) -> None:
    assert again(text, "x") is None
