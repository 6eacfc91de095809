from __future__ import annotations

import pytest

from headgate.objects.diff import Field, fields, same
from support.trees import data_of


def told(old: str, new: str) -> list[tuple[str, str | None, str | None]]:
    return [(field.path, field.old, field.new) for field in fields(data_of(old), data_of(new))]


@pytest.mark.parametrize("text", ["{}", "[]", "text", "8080", "{a: {b: [1, {name: c}]}, d: 'x'}"])
def test_equal_data_have_no_differences(text: str) -> None:
    assert told(text, text) == []


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("{a: x}", "{a: w}", ("a", "x", "w")),
        ("{a: {b: {c: 1}}}", "{a: {b: {c: 2}}}", ("a.b.c", "1", "2")),
        ("{}", "{a: x}", ("a", None, "x")),
        ("{a: x}", "{}", ("a", "x", None)),
        ("{a: 8080}", "{a: '8080'}", ("a", "8080", '"8080"')),
        ("{a: on}", "{a: 'on'}", ("a", "true", '"on"')),
        ("{a: null}", "{a: ''}", ("a", "null", '""')),
        ("{a: x}", "{a: null}", ("a", "x", "null")),
        ("{a: {}}", "{a: []}", ("a", "{}", "[]")),
        ("{}", "{a: {}}", ("a", None, "{}")),
        ("{a: []}", "{}", ("a", "[]", None)),
        ("{a: 'b: c'}", "{a: ' '}", ("a", '"b: c"', '" "')),
        ("{a: x}", '{a: "b\\nc\\n"}', ("a", "x", "b\nc\n")),
        ("{8080: x}", "{8080: w}", ("8080", "x", "w")),
        ("{l: {a.b/c: x}}", "{l: {a.b/c: w}}", ('l."a.b/c"', "x", "w")),
        ("{a: [x, w]}", "{a: [x, v]}", ("a[1]", "w", "v")),
        ("{a: [x]}", "{a: [x, w]}", ("a[1]", None, "w")),
        ("{a: [[x]]}", "{a: [[w]]}", ("a[0][0]", "x", "w")),
        ("x", "w", ("", "x", "w")),
    ],
)
def test_field_that_differs_is_told_with_both_sides(
    old: str, new: str, field: tuple[str, str | None, str | None]
) -> None:
    assert told(old, new) == [field]


def test_fields_come_in_the_order_of_their_names() -> None:
    assert [path for path, _, _ in told("{b: 1, a: 1, 8080: 1}", "{a: 2, c: 2, b: 2, 8080: 2}")] == [
        "8080",
        "a",
        "b",
        "c",
    ]


def test_container_that_comes_or_goes_is_told_field_by_field() -> None:
    one, other = "{a: {b: x, c: [w, {d: v}], e: {}}}", "{}"
    assert told(one, other) == [("a.b", "x", None), ("a.c[0]", "w", None), ("a.c[1].d", "v", None), ("a.e", "{}", None)]
    assert told(other, one) == [("a.b", None, "x"), ("a.c[0]", None, "w"), ("a.c[1].d", None, "v"), ("a.e", None, "{}")]


def test_named_items_are_matched_by_name() -> None:
    old = "{c: [{name: a, image: '1'}, {name: b, image: '1'}]}"
    new = "{c: [{name: new, image: '1'}, {name: a, image: '1'}, {name: b, image: '2'}]}"
    assert told(old, new) == [
        ("c[b].image", '"1"', '"2"'),
        ("c[new].image", None, '"1"'),
        ("c[new].name", None, "new"),
    ]


def test_named_item_that_goes_is_told_by_name() -> None:
    assert told("{c: [{name: a}, {name: b, x: w}]}", "{c: [{name: a}]}") == [
        ("c[b].name", "b", None),
        ("c[b].x", "w", None),
    ]
    assert told("{c: [{name: a}]}", "{c: []}") == [("c[a].name", "a", None)]


def test_order_of_named_items_counts() -> None:
    assert told("{c: [{name: a}, {name: b}]}", "{c: [{name: b}, {name: a}]}") == [("c", "a, b", "b, a")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{c: [{name: a, x: w}, {name: a, x: v}]}", "{c: [{name: a, x: w}, {name: a, x: u}]}"),
        ("{c: [{name: a}, {x: v}]}", "{c: [{name: a}, {x: u}]}"),
        ("{c: [{name: 1}, {name: 2, x: v}]}", "{c: [{name: 1}, {name: 2, x: u}]}"),
    ],
)
def test_items_without_a_name_each_are_matched_by_place(old: str, new: str) -> None:
    assert told(old, new) == [("c[1].x", "v", "u")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{a: {b: 8080}}", "{a: x}"),
        ("{a: x}", "{a: {b: 8080}}"),
        ("{a: [8080]}", "{a: 3}"),
        ("{a: {b: 1}}", "{a: [1]}"),
    ],
)
def test_container_in_place_of_something_else_is_shown_as_yaml(old: str, new: str) -> None:
    (field,) = fields(data_of(old), data_of(new))
    assert field.path == "a"
    for side, text in ((field.old, old), (field.new, new)):
        assert data_of(str(side)) == data_of(text)["a"]


def test_quoted_and_plain_scalars_are_not_the_same() -> None:
    assert same(8080, 8080)
    assert not same(8080, "8080")
    assert not same("a", "b")


def test_field_is_a_record() -> None:
    assert list(fields({"a": "x"}, {"a": "w"})) == [Field("a", "x", "w")]
