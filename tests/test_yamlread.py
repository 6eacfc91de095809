from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from headgate.errors import TooLargeError, YamlError
from headgate.yamltext.read import MAX_DEPTH, Document, KeyPath, Text, dotted, read
from headgate.yamltext.scalar import NULL, Plain, is_null, is_plain_string, to_python
from support.trees import data_of


def only(text: str) -> Document:
    (document,) = read(text, "a.yaml", marks=True)
    return document


def refusal(text: str | bytes) -> str:
    with pytest.raises(YamlError) as caught:
        read(text, "a.yaml")
    return str(caught.value)


NOT_STRINGS = [
    *("true", "False", "on", "Off", "yes", "NO", "y", "N"),
    *("3", "-7", "+1", "0644", "0o17", "0x1F", "0b101", "1_000", "8080"),
    *("1.5", ".5", "1.", "1e3", "1.5E-7", ".inf", "-.Inf", ".NaN"),
    *("1:30", "190:20:30", "2026-01-01", "2026-01-01T10:00:00Z", "2026-01-01 10:00:00 +01:00", "="),
]

STRINGS = [
    *("shop", "truE", "nULL", "yes!", "one", "ON-CALL", "null-value"),
    *("v1.2", "1.2.3", "0xZZ", "1e", "10Gi", "500m", "2026-01", "1:90x", "/tmp", "a:b", "a#b", "-x"),
]


@pytest.mark.parametrize("text", NOT_STRINGS)
def test_what_a_reader_takes_for_no_string_stays_as_it_was_written(text: str) -> None:
    assert data_of(f"a: {text}") == {"a": Plain(text)}
    assert str(data_of(f"a: {text}")["a"]) == text


@pytest.mark.parametrize("text", STRINGS)
def test_what_every_reader_takes_for_a_string_is_one(text: str) -> None:
    assert data_of(f"a: {text}") == {"a": text}


@pytest.mark.parametrize("text", ["e5", "E10", "e12"])
def test_exponent_without_a_number_is_a_string(text: str) -> None:
    assert is_plain_string(text)


@pytest.mark.parametrize("text", NOT_STRINGS)
@pytest.mark.parametrize("quote", ["'", '"'])
def test_what_is_quoted_is_a_string(text: str, quote: str) -> None:
    assert data_of(f"a: {quote}{text}{quote}") == {"a": text}


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_null_gets_one_spelling(text: str) -> None:
    assert data_of(f"a: {text}") == {"a": NULL}


def test_null_is_told_from_the_word() -> None:
    assert is_null(data_of("a: null")["a"])
    assert is_null(None)
    assert not is_null(data_of("a: 'null'")["a"])
    assert not is_null("")


def test_block_scalars_are_strings() -> None:
    assert data_of("a: |\n  8080\nb: >-\n  on\n") == {"a": "8080\n", "b": "on"}


def test_keys_keep_how_they_were_written() -> None:
    assert data_of("{8080: a, '8081': b, on: c}") == {Plain("8080"): "a", "8081": "b", Plain("on"): "c"}


def test_keys_keep_their_order() -> None:
    assert list(data_of("{b: 1, <<: {d: 1}, a: 1, c: 1}")) == ["b", "a", "c", "d"]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", []),
        ("# only a comment\n", []),
        ("---\n---\na: b\n---\n~\n--- # nothing\n", [{"a": "b"}]),
        ("a: b\n---\nc: d\n", [{"a": "b"}, {"c": "d"}]),
        ("a: b\n...\n---\nc: d\n...\n", [{"a": "b"}, {"c": "d"}]),
        ("{}\n---\n[]\n", [{}, []]),
        ("text", ["text"]),
    ],
)
def test_documents_are_told_apart_and_empty_ones_left_out(text: str, data: list[Any]) -> None:
    assert [document.data for document in read(text, "a.yaml")] == data


def test_byte_order_mark_is_no_part_of_the_first_key() -> None:
    (document,) = read(b"\xef\xbb\xbfa: b\n", "a.yaml")
    assert document.data == {"a": "b"}


def test_alias_is_a_copy() -> None:
    data = data_of("a: &x {b: [c]}\nd: *x\n")
    assert data["d"] == data["a"]
    data["d"]["b"].append("e")
    assert data["a"] == {"b": ["c"]}


def test_anchors_end_with_their_document() -> None:
    assert refusal("a: &x b\n---\nc: *x\n") == "a.yaml:3: the alias *x has no anchor before it"


def test_anchor_can_be_set_anew() -> None:
    assert data_of("[&x a, *x, &x b, *x]") == ["a", "a", "b", "b"]


def test_container_cannot_hold_itself() -> None:
    assert refusal("a: &x [*x]\n") == "a.yaml:1: the alias *x has no anchor before it"


def test_merged_keys_give_way_to_own_ones_and_to_earlier_ones() -> None:
    data = data_of("""
        one: &one {a: one, b: one}
        two: &two {b: two, c: two}
        both: {<<: [*one, *two], c: own}
    """)
    assert data["both"] == {"a": "one", "b": "one", "c": "own"}


def test_merged_key_gives_way_to_the_same_key_in_quotes() -> None:
    assert data_of("{<<: {8080: a, on: b}, '8080': c, 'on': d}") == {"8080": "c", "on": "d"}
    assert data_of("{<<: {'8080': a}, 8080: b}") == {Plain("8080"): "b"}


def test_quoted_merge_key_is_a_key() -> None:
    assert data_of("'<<': {a: b}") == {"<<": {"a": "b"}}


@pytest.mark.parametrize("value", ["x", "[x]", "[{a: b}, x]"])
def test_merge_of_what_is_no_mapping_is_refused_where_it_stands(value: str) -> None:
    assert refusal(f"a: b\n<<: {value}\nc: d\ne: f\n") == "a.yaml:2: << takes a mapping or a list of mappings"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("!!int '5'", Plain("5")),
        ("!!bool on", Plain("on")),
        ("!!null ''", NULL),
        ("!!map {a: b}", {"a": "b"}),
        ("!!seq [a]", ["a"]),
    ],
)
def test_tags_of_json_types_are_taken(text: str, value: object) -> None:
    assert data_of(f"a: {text}") == {"a": value}


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("!!binary aGk=", "tag:yaml.org,2002:binary"),
        ("!!set {a}", "tag:yaml.org,2002:set"),
        ("!!timestamp 2026-01-01", "tag:yaml.org,2002:timestamp"),
        ("!!int shop", "tag:yaml.org,2002:int"),
        ("!!python/object/apply:os.system [ls]", "tag:yaml.org,2002:python/object/apply:os.system"),
        ("!vault x", "!vault"),
    ],
)
def test_other_tags_are_refused(text: str, tag: str) -> None:
    assert refusal(f"a: b\nc: {text}\n") == f"a.yaml:2: the tag {tag} is not allowed"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "a.yaml:3: the key 'a' stands here twice"),
        ("a:\n  b: 1\n  'b': 2\n", "a.yaml:3: the key 'b' stands here twice"),
        ("? [a]\n: b\n", "a.yaml:1: a key must be a string"),
        ("? {a: b}\n: c\n", "a.yaml:1: a key must be a string"),
        ("a: b: c\n", "a.yaml:1: not YAML: mapping values are not allowed in this context"),
        (
            "a:\n\t- b\n",
            "a.yaml:2: not YAML: found character that cannot start any token (while scanning for the next token)",
        ),
        ("{{ .Values.a }}\n", "a.yaml:1: a key must be a string"),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_line(text: str, message: str) -> None:
    assert refusal(text) == message


def test_key_is_the_same_key_with_and_without_quotes() -> None:
    assert refusal("8080: a\n'8080': b\n") == "a.yaml:2: the key '8080' stands here twice"


def test_control_character_is_refused() -> None:
    assert "a.yaml: not YAML: unacceptable character #x0000" in refusal("a: \x00")


def test_bytes_that_are_not_utf8_are_refused_with_their_line() -> None:
    assert refusal(b"a: b\nc: \xff\n") == "a.yaml:2: not UTF-8 text"


def test_half_of_a_surrogate_pair_is_refused() -> None:
    assert refusal("a: \ud83d") == "a.yaml: not UTF-8 text"


def test_nesting_has_a_limit() -> None:
    assert only("[" * MAX_DEPTH + "]" * MAX_DEPTH).data
    with pytest.raises(TooLargeError, match=r"^a.yaml:1: nested deeper than 100 levels$"):
        only("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_endless_nesting_does_not_end_the_process(opening: str) -> None:
    with pytest.raises(TooLargeError, match="nested deeper than 100 levels"):
        only(opening * 100_000)


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 700])
def test_nesting_by_aliases_has_the_same_limit(levels: int) -> None:
    lines = ["- &a0 [x]", *(f"- &a{level} [*a{level - 1}]" for level in range(1, levels))]
    with pytest.raises(TooLargeError, match="nested deeper than 100 levels"):
        only("\n".join(lines))


def test_aliases_that_multiply_are_stopped() -> None:
    names = "abcdefghi"
    lines = ["a: &a [" + ", ".join(["x"] * 10) + "]"]
    lines += [f"{name}: &{name} [" + ", ".join([f"*{above}"] * 10) + "]" for above, name in pairwise(names)]
    with pytest.raises(TooLargeError, match=r"^a.yaml:\d: more than 1000000 nodes once its aliases are followed$"):
        only("\n".join(lines))


MARKED = """\
# a comment

a:
  b: [x,
      z]
  "c.d":
    - name: e
      value: f
    - name: g
last: {h: i}
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("a",), "a.yaml:3: a"),
        (("a", "b"), "a.yaml:4: a.b"),
        (("a", "b", 1), "a.yaml:5: a.b[1]"),
        (("a", "c.d"), 'a.yaml:6: a."c.d"'),
        (("a", "c.d", 0), 'a.yaml:7: a."c.d"[0]'),
        (("a", "c.d", 0, "value"), 'a.yaml:8: a."c.d"[0].value'),
        (("a", "c.d", 1, "name"), 'a.yaml:9: a."c.d"[1].name'),
        (("last", "h"), "a.yaml:10: last.h"),
        ((), "a.yaml:3"),
    ],
)
def test_document_knows_the_line_of_each_key(path: KeyPath, place: str) -> None:
    assert str(only(MARKED).place("a.yaml", path)) == place


def test_what_is_missing_stands_where_it_would_be() -> None:
    assert str(only(MARKED).place("a.yaml", ("a", "x", "w"))) == "a.yaml:3: a.x.w"
    assert str(only(MARKED).place("a.yaml", ("x",))) == "a.yaml:3: x"


def test_each_document_of_a_stream_has_lines_of_its_own() -> None:
    first, second = read("a: b\n---\na:\n  c: d\n", "a.yaml", marks=True)
    assert first.lines == {("a",): 1}
    assert second.lines == {("a",): 3, ("a", "c"): 4}


@pytest.mark.parametrize("marks", [False, True])
@pytest.mark.parametrize("text", ["\n\na: b\nc:\n  - d\n", "\n\n- a\n- b\n", "\n\ntext\n", "\n\n{}\n", "\n\n[a,\nb]\n"])
def test_document_knows_the_line_that_it_begins_on(text: str, *, marks: bool) -> None:
    (document,) = read(text, "a.yaml", marks=marks)
    assert document.line == 3


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("spec", "containers", 0, "image"), "spec.containers[0].image"),
        (("metadata", "annotations", "a.b/c"), 'metadata.annotations."a.b/c"'),
        ((0, "a"), "[0].a"),
        (("a b",), '"a b"'),
        (("a[0]",), '"a[0]"'),
        (("*",), '"*"'),
        (('a"b',), r'"a\"b"'),
        (("a\nb",), r'"a\nb"'),
        ((), ""),
    ],
)
def test_path_is_written_as_people_do(path: KeyPath, text: str) -> None:
    assert dotted(path) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("on", "on"),
        ("y", "y"),
        ("8080", 8080),
        ("-7", -7),
        ("1_000", 1000),
        ("0644", 420),
        ("-0644", -420),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b101", 5),
        ("08", 8.0),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("'8080'", "8080"),
        ("1" * 5000, float("inf")),
    ],
)
def test_python_gets_its_own_types(text: str, value: object) -> None:
    found = to_python(data_of(f"a: [{{b: {text}}}]"))["a"][0]["b"]
    assert (type(found), found) == (type(value), value)


def test_python_gets_not_a_number() -> None:
    assert str(to_python(Plain(".nan"))) == "nan"


def test_python_gets_keys_of_its_own_types() -> None:
    assert to_python(data_of("{8080: a, true: b, c: d}")) == {8080: "a", True: "b", "c": "d"}


@pytest.mark.parametrize(
    ("path", "written"),
    [
        (("a",), "1.30"),
        (("b", 1), "0644"),
        (("b", 2, "c"), "yes"),
        (("b", 0), ""),
        (("b", 7), ""),
        (("b", "x"), ""),
        (("b",), ""),
        (("x", "y"), ""),
        (("5", "d"), "1e3"),
        (("q",), ""),
    ],
)
def test_text_tells_how_a_scalar_was_written(path: KeyPath, written: str) -> None:
    text = Text(b"a: 1.30\nb: [x, 0644, {c: yes}]\n5: {d: 1e3}\nq: '1.30'\n", "a.yaml")
    assert text.scalar(path) == written
