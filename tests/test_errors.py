from __future__ import annotations

import pickle
import re
from typing import TYPE_CHECKING

import pytest

from headgate.bounded import bounded, first_few
from headgate.errors import KINDS, ConfigError, HeadgateError, Location, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator


def all_kinds(above: type[HeadgateError] = HeadgateError) -> Iterator[type[HeadgateError]]:
    for kind in above.__subclasses__():
        if kind.__module__.startswith("headgate."):  # the programs of a release have one of their own
            yield kind
        yield from all_kinds(kind)


def test_every_kind_of_error_has_an_exit_code_of_its_own() -> None:
    codes = [kind.code for kind in KINDS]
    assert len(set(codes)) == len(KINDS)


def test_no_kind_of_error_takes_a_code_that_means_something_else() -> None:
    taken = {0: "success", 1: "a difference, or a bug", 2: "wrong arguments"}
    for kind in KINDS:
        assert kind.code not in taken
        assert kind.code < 126, "from 126 on, shells mean something of their own"


def test_every_kind_of_error_says_what_it_is() -> None:
    titles = [kind.title for kind in KINDS]
    assert len(set(titles)) == len(KINDS)
    assert HeadgateError.title not in titles


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConfigError("it broke"), "it broke"),
        (ConfigError("it broke", hint="mend it"), "it broke\n  mend it"),
        (ConfigError("it broke", where=Location("a.yaml")), "a.yaml: it broke"),
        (ConfigError("it broke", where=Location("a.yaml", 3)), "a.yaml:3: it broke"),
        (
            ConfigError("it broke", where=Location("a.yaml", 3, "b.c"), hint="mend it"),
            "a.yaml:3: b.c: it broke\n  mend it",
        ),
    ],
)
def test_error_says_where_what_and_what_to_do(error: HeadgateError, text: str) -> None:
    assert str(error) == text


@pytest.mark.parametrize("kind", KINDS)
def test_error_crosses_process_borders_whole(kind: type[HeadgateError]) -> None:
    error = kind("it broke", where=Location("a.yaml", 3, "b"), hint="mend it")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.what, copy.where, copy.hint) == (kind, error.what, error.where, error.hint)


LONG = {
    "many lines": "\n".join(f"line {number}" for number in range(100_000)),
    "a long line": "x" * 1_000_000,
    "long lines": "\n".join("x" * 3000 for _ in range(40)),
    "nothing but line breaks": "\n" * 100_000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_an_error_quotes_its_text_is_bounded(kind: type[HeadgateError], text: str) -> None:
    error = kind(text, where=Location("a.yaml", 3, text), hint=text)
    for one in (error.what, error.hint, str(error.where)):
        assert len(one) <= 8000
        assert one.count("\n") < 50
        assert one[:20] == (f"a.yaml:3: {text}" if one == str(error.where) else text)[:20]
        assert re.search(r"\.\.\. and [0-9]+ more (lines|characters)\Z", one)
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)


def test_what_is_left_out_is_counted() -> None:
    assert bounded("a\nb\nc\nd", lines=3) == "a\nb\n    ... and 2 more lines"
    assert bounded("a\nb\nc", lines=3) == "a\nb\nc"
    assert bounded("x" * 101, 100) == "x" * 40 + "... and 61 more characters"
    assert bounded("x" * 100, 100) == "x" * 100


def test_first_few_of_many_are_named_and_the_others_counted() -> None:
    assert first_few(["a", "b", "c"], 2) == ["a", "b", "... and 1 more"]
    assert first_few(["a", "b"], 2) == ["a", "b"]


def test_near_word_is_suggested() -> None:
    assert did_you_mean("enviroments", ["version", "environments"]) == "did you mean 'environments'?"


def test_far_word_is_not_suggested() -> None:
    assert did_you_mean("replicas", ["version", "environments"]) == ""
