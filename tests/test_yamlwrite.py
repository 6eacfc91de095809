from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from headgate.yamltext.write import IN_LIST, write
from support.trees import data_of

if TYPE_CHECKING:
    from collections.abc import Callable


READERS: dict[str, Callable[[str], Any]] = {
    "headgate": data_of,
    "libyaml": lambda text: yaml.load(text, Loader=yaml.CSafeLoader),
    "pyyaml": lambda text: yaml.load(text, Loader=yaml.SafeLoader),
    "ruamel": lambda text: YAML(typ="safe", pure=True).load(text),
}

NASTY = [
    # what some reader takes for something else than a string
    *("on", "off", "yes", "y", "N", "True", "null", "Null", "~", "", "=", "<<", "10Gi", "500m"),
    *(
        "0644",
        "0o17",
        "0x1f",
        "0b1",
        "1e3",
        "8080",
        "-1",
        "+1",
        "1_000",
        "+_",
        "-__",
        ".5",
        "1.",
        ".inf",
        ".nan",
        "1.2.3",
    ),
    *("1e", "e5", ".", "_", "1:30", "190:20:30", "2026-01-01", "2026-01-01T10:00:00Z", "1e-05"),
    # what means something in YAML
    *("a: b", "a:", ":a", "a:b", ":", "a #b", "a#b", "#a", "- x", "-", "--- x", "---", "...", "... x"),
    *("-x", "--x", "?", "? x", "[a]", "{a}", "{{ a }}", "a, b", "a]", "!a", "&a", "*a", "%a", "@a", "`a"),
    *("|", ">", "|-", "> x", "'", '"', "it's", 'say "hi"', "\\", "a\\nb", "'a'", '"a"', "'\"\\"),
    # spaces and lines
    *(" a", "a ", " ", "  ", "\t", "a\t", "\ta", "a\tb", "\n", "\n\n", "a\n", "a\n\n", "a\nb", "a\nb\n"),
    *("a\n\nb", "\na", "\n a", " a\nb", "  a\n b\n", "a\n  b\n c", "a\n ", "a \nb ", "a\n\t", "\ta\nb"),
    *("a\n \nb", " \na", "a\n---\nb\n", "a\n...\n", "a: b\n- c\n", "# a\nb\n"),
    *("\r", "a\rb", "a\r\nb\r\n", "a\x85b", "\x85", "a\u2028b", "\u2029", "a\nb\u2028c", "a\n\x85b"),
    # characters that are not seen, and others
    *("\x00", "\x07", "a\x1bb", "\x7f", "\x80", "\x9f", "a\nb\x00", "\xa0", "a\xa0", "\xad", "\u200b"),
    *("\ufeff", "a\ufeff", "\ufffe", "\uffff", "\ufffd", "\u0301", "\u06f1\u06f2", "\uff11", "\u2460"),
    *("\U0001f600", "a \U0001f600\nb", "\U0001f468\u200d\U0001f469", "\U0010ffff", "\xe4\xf6", "\u65e5\u672c"),
    # long ones
    *("x" * 2000, "x " * 1000, "a\n" * 300),
]

ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
TEXT_OF_INDICATORS = st.text(" \n\t-:#a'\"\\|>?!&*%@`{}[],0\r\x85\u2028.", max_size=8)
TEXT_LIKE_NUMBERS = st.text("0123456789+-.:eExobTZ_~nfalyus ", max_size=10)
STRINGS = ANY_TEXT | TEXT_OF_INDICATORS | TEXT_LIKE_NUMBERS | st.sampled_from(NASTY)
OTHERS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1)


def containers_of(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4),
        max_leaves=12,
    )


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("text", NASTY)
def test_nasty_string_is_read_back_equal(text: str, reader: str) -> None:
    for data in (
        {"a": text, "b": "c"},
        [text, text],
        [[text], {"a": {"b": text}}],
        {text: text},
        {text: [text]},
        text,
    ):
        assert READERS[reader](write(data)) == data


@pytest.mark.parametrize("reader", READERS)
@settings(max_examples=150)
@given(data=containers_of(STRINGS))
def test_what_is_written_is_read_back_equal(reader: str, data: Any) -> None:
    assert READERS[reader](write(data)) == data


@pytest.mark.parametrize("reader", [reader for reader in READERS if reader != "headgate"])
@settings(max_examples=100)
@given(
    data=containers_of(st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | STRINGS)
)
def test_python_values_are_read_back_equal(reader: str, data: Any) -> None:
    assert READERS[reader](write(data)) == data


@given(data=containers_of(STRINGS | OTHERS))
def test_what_was_read_is_written_the_same_again(data: Any) -> None:
    text = write({"a": data})
    assert data_of(text) == {"a": data}
    assert write(data_of(text)) == text


@given(data=containers_of(STRINGS))
def test_text_ends_with_one_line_break_and_begins_no_document(data: Any) -> None:
    text = write(data)
    assert text.endswith("\n")
    assert not re.search(r"^(---|\.\.\.)(\s|$)", text, re.MULTILINE)


@given(
    st.sampled_from(["on", "off", "yes", "no", "y", "N", "True", "0x1F", "0b101", "0o17", "="])
    | st.from_regex(r"[-+]?[0-9][0-9_]{0,4}(\.[0-9]{0,3})?([eE][-+]?[0-9]{1,2})?", fullmatch=True)
    | st.from_regex(r"[0-9]{1,3}(:[0-5]?[0-9]){1,2}", fullmatch=True)
    | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{1,2}([Tt ][0-9]{2}(:[0-9]{2}){2}(Z| \+01:00)?)?", fullmatch=True)
)
def test_scalar_is_written_so_that_all_read_what_kubernetes_reads(text: str) -> None:
    data: Any
    for data in (data_of(f"a: {text}"), data_of(f"a: '{text}'")):
        written = write(data)
        for name, reader in READERS.items():
            assert reader(written) == data, name
    assert write(data_of(f"a: '{text}'")) == f'a: "{text}"\n'


def test_key_is_written_as_the_string_that_it_is() -> None:
    assert write(data_of("{8080: a, '8081': b, on: c}")) == '"8080": a\n"8081": b\n"true": c\n'


def test_text_is_canonical() -> None:
    data: dict[str, Any] = {
        "apiVersion": "v1",
        "empty": {},
        "list": ["a", {"b": "c", "d": ["e"]}, ["f", "g"], []],
        "nothing": None,
        "port": 8080,
        "script": '#!/bin/sh\necho "hi"\n',
    }
    assert write(data) == (
        "apiVersion: v1\n"
        "empty: {}\n"
        "list:\n"
        "- a\n"
        "- b: c\n"
        "  d:\n"
        "  - e\n"
        "- - f\n"
        "  - g\n"
        "- []\n"
        "nothing: null\n"
        "port: 8080\n"
        "script: |\n"
        "  #!/bin/sh\n"
        '  echo "hi"\n'
    )


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("shop", "shop"),
        ("two words", "two words"),
        ("registry.example.com/acme/shop:1.0@sha256:abc", "registry.example.com/acme/shop:1.0@sha256:abc"),
        ("/healthz?full=1", "/healthz?full=1"),
        ("$(POD_IP)", "$(POD_IP)"),
        ("--verbose", "--verbose"),
        ("-", '"-"'),
        ("8080", '"8080"'),
        ("yes", '"yes"'),
        ("", '""'),
        ("a: b", '"a: b"'),
        ("a, b", '"a, b"'),
        ("*.example.com", '"*.example.com"'),
        ('{"a": 1}', "'{\"a\": 1}'"),
        (r"^\d+$", r"'^\d+$'"),
        (r"it's \d", r"'it''s \d'"),
        ("it's", '"it\'s"'),
        ("a\tb", r'"a\tb"'),
        ("\x1b[31m", r'"\u001b[31m"'),
        ("\u2028", r'"\u2028"'),
        ("\u00e4", "\u00e4"),
        ("\U0001f600", '"\U0001f600"'),
    ],
)
def test_string_is_quoted_only_where_it_must_be(text: str, written: str) -> None:
    assert write({"a": text}) == f"a: {written}\n"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a\nb", "|-\n  a\n  b\n"),
        ("a\nb\n", "|\n  a\n  b\n"),
        ("a\nb\n\n", "|+\n  a\n  b\n\n"),
        ("a\n\nb\n", "|\n  a\n\n  b\n"),
        ("  a\nb\n", "|2\n    a\n  b\n"),
        ("\na", r'"\na"' + "\n"),
        ("a\r\nb", r'"a\r\nb"' + "\n"),
    ],
)
def test_text_of_several_lines_is_a_literal_block(text: str, written: str) -> None:
    assert write({"a": text}) == f"a: {written}"


def test_block_in_a_list_is_indented_below_its_dash() -> None:
    assert write({"a": ["b\nc\n", {"d": "e\nf"}]}) == "a:\n- |\n  b\n  c\n- d: |-\n    e\n    f\n"


def test_lines_are_never_folded() -> None:
    assert write({"a": "word " * 100 + "end"}) == f"a: {'word ' * 100}end\n"


@pytest.mark.parametrize("value", ["x", ["x"], {"a": "x"}, "x\nz\n", []])
def test_key_above_the_limit_of_yaml_is_written_in_the_long_form(value: object) -> None:
    for data in ({"k" * 2000: value, "next": "x"}, [{"k" * 2000: value}], {"a": {"k" * 2000: value}}):
        text = write(data)
        assert "? kkk" in text
        assert [read_back(text) for read_back in READERS.values()] == [data] * len(READERS)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (1.5, "1.5"),
        (math.inf, ".inf"),
        (-math.inf, "-.inf"),
        (math.nan, ".nan"),
        ({}, "{}"),
        ([], "[]"),
    ],
)
def test_python_value_has_one_spelling(value: object, written: str) -> None:
    assert write({"a": value}) == f"a: {written}\n"
    assert write(value) == f"{written}\n"


@pytest.mark.parametrize("value", [b"x", {1, 2}, object(), (1, 2)])
def test_what_yaml_has_no_form_for_is_an_error(value: object) -> None:
    with pytest.raises(TypeError, match=f"^{type(value).__name__} has no YAML form here$"):
        write({"a": value})


def test_keys_keep_their_order() -> None:
    assert write({"b": "x", "a": {"d": "x", "c": "x"}}) == "b: x\na:\n  d: x\n  c: x\n"


def test_order_is_asked_for_every_mapping_with_the_key_above_it() -> None:
    asked = []

    def backwards(mapping: dict[Any, Any], under: Any) -> list[Any]:
        asked.append(under)
        return sorted(mapping, reverse=True)

    assert write({"a": {"b": "x"}, "c": [{"d": "x", "e": "x"}]}, backwards) == "c:\n- e: x\n  d: x\na:\n  b: x\n"
    assert asked == [None, IN_LIST, "a"]
