from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.yamltext.valuepath import ANY_ITEM, ANY_KEY, KeyPath, Pattern, covers, dotted, leaves, parse, select
from support.trees import data_of

KEYS = st.text(st.characters(codec="utf-8"), min_size=1)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("replicas", ("replicas",)),
        ("ingress.host", ("ingress", "host")),
        ('a."b.c"[*].d', ("a", "b.c", ANY_ITEM, "d")),
        ('"a.b"', ("a.b",)),
        ('a."*"', ("a", "*")),
        (r'a."b\"c\\d\u00e4\n"', ("a", 'b"c\\d\u00e4\n')),
        ("env.*", ("env", ANY_KEY)),
        ("*.name", (ANY_KEY, "name")),
        ("hosts[2]", ("hosts", 2)),
        ("a[0][*]", ("a", 0, ANY_ITEM)),
        ("env.*[*]", ("env", ANY_KEY, ANY_ITEM)),
        ("[0].name", (0, "name")),
        ("a-b.c_d/e", ("a-b", "c_d/e")),
        ("a.0", ("a", "0")),
    ],
)
def test_path_is_read(text: str, pattern: Pattern) -> None:
    assert parse(text) == pattern


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("a..b", 2),
        (".a", 1),
        ("a.", 2),
        ("a b", 2),
        ("a[x]", 2),
        ("a[-1]", 2),
        ("a[0", 2),
        ("a[*]b", 5),
        ("a.[0]", 2),
        ("a*", 2),
        ("a.*b", 2),
        ('a"b"', 2),
        ('a."b', 2),
        ('a.""', 2),
        (r'a."\d"', 2),
        ('a."b\nc"', 2),
    ],
)
def test_what_is_no_path_is_refused_with_its_place(text: str, character: int) -> None:
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert str(caught.value) == f"wrong at character {character}"


def test_empty_path_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^empty$"):
        parse("")


@given(st.lists(KEYS | st.integers(0, 99), min_size=1).map(tuple))
def test_path_as_errors_show_it_can_be_pasted_into_a_grant(path: KeyPath) -> None:
    assert parse(dotted(path)) == path


@pytest.mark.parametrize("path", [("env", "*"), ("a*b",)])
def test_star_in_a_key_is_shown_in_quotes(path: KeyPath) -> None:
    assert parse(dotted(path)) == path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a.b", ("a", "b")),
        ("a", ("a", "b", 0)),
        ("env.*", ("env", "NAME")),
        ("env.*", ("env", "NAME", "value")),
        ("hosts[*].name", ("hosts", 7, "name")),
        ("hosts[1]", ("hosts", 1)),
        ('a."b.c"', ("a", "b.c")),
    ],
)
def test_pattern_covers_what_it_names_and_what_is_below(text: str, path: KeyPath) -> None:
    assert covers(parse(text), path)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a.b", ("a",)),
        ("a.b", ("a", "c")),
        ("a.b", ("a", "bc")),
        ("env.*", ("env",)),
        ("env.*", ("environment", "NAME")),
        ("env.*", ("env", 0)),
        ("hosts[*]", ("hosts", "name")),
        ("hosts[1]", ("hosts", 2)),
        ("hosts[1]", ("hosts", "1")),
        ("a.0", ("a", 0)),
        ("a.b.c", ("a", "b.c")),
        ("a", ()),
    ],
)
def test_pattern_covers_nothing_else(text: str, path: KeyPath) -> None:
    assert not covers(parse(text), path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a.b", ["x"]),
        ("a.*", ["x", ["v", "w"]]),
        ("a.list[*]", ["v", "w"]),
        ("a.list[1]", ["w"]),
        ("a.list[2]", []),
        ("a.missing.b", []),
        ("a.b.c", []),
        ("a[*]", []),
        ("a.list.*", []),
        ("*.b", ["x", "z"]),
    ],
)
def test_select_finds_the_values_that_are_there(text: str, found: list[object]) -> None:
    data = data_of("{a: {b: x, list: [v, w]}, c: {b: z}}")
    assert [holder[key] for holder, key in select(data, parse(text))] == found


def test_selected_values_can_be_replaced() -> None:
    data = data_of("{a: [{b: x}, {c: v}, {b: z}]}")
    for holder, key in select(data, parse("a[*].b")):
        holder[key] = "new"
    assert data == {"a": [{"b": "new"}, {"c": "v"}, {"b": "new"}]}


def test_leaves_are_scalars_and_empty_containers() -> None:
    data = data_of("{a: {b: x, 8080: [1, {c: null}]}, d: {}, e: []}")
    assert list(leaves(data)) == [
        (("a", "b"), "x"),
        (("a", "8080", 0), 1),
        (("a", "8080", 1, "c"), None),
        (("d",), {}),
        (("e",), []),
    ]


def test_leaves_can_begin_at_a_path() -> None:
    assert list(leaves(["x"], ("a", "b"))) == [(("a", "b", 0), "x")]
