"""A frozen record is a dataclass in all but what declaring it costs."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError, asdict, field, fields, is_dataclass, replace

import pytest

from headgate.records import frozen_record


@frozen_record
class Placed:
    place: str
    line: int = 1


@frozen_record
class Login(Placed):
    """A subclass, with a secret, with a default that is made anew, and with something that is not compared."""

    password: str = field(repr=False)
    hosts: list[str] = field(default_factory=list)
    seen: int = field(default=0, compare=False)


@frozen_record(kw_only=False)
class Point:
    x: int
    y: int = 0


@frozen_record(eq=False)
class Request:
    text: str


def test_fields_are_given_by_name() -> None:
    login = Login(place="here", password="secret")
    assert (login.place, login.line, login.password, login.hosts, login.seen) == ("here", 1, "secret", [], 0)
    assert asdict(login) == {"place": "here", "line": 1, "password": "secret", "hosts": [], "seen": 0}
    with pytest.raises(TypeError, match="positional"):
        Placed("here")  # type: ignore[call-arg]


@pytest.mark.parametrize("given", [{}, {"place": "here", "plaec": 1}])
def test_what_is_missing_or_unknown_is_an_error(given: dict[str, str]) -> None:
    with pytest.raises(TypeError, match=r"missing 1 required keyword-only argument: 'place'|unexpected .* 'plaec'"):
        Placed(**given)  # type: ignore[arg-type]


def test_fields_may_be_given_by_place() -> None:
    assert Point(1, 2) == Point(x=1, y=2)
    match Point(3):
        case Point(x, y):
            assert (x, y) == (3, 0)


def test_is_frozen() -> None:
    point = Point(1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'x'"):
        del point.x
    assert point == Point(1)


def test_equal_records_have_equal_fields_and_the_same_class() -> None:
    login = Login(place="here", password="secret", seen=1)
    assert login == replace(login, seen=2)
    assert login != replace(login, password="other")
    assert Point(1) != Point(2)
    other: object = Placed(place="1")
    assert Point(1) != other
    assert len({Point(1), Point(1), Point(1, 2)}) == 2
    assert Request(text="a") != Request(text="a")
    with pytest.raises(TypeError, match="unhashable"):
        hash(login)  # it has a list


def test_a_default_is_made_for_each() -> None:
    assert Login(place="", password="").hosts is not Login(place="", password="").hosts


def test_secrets_are_not_shown() -> None:
    shown = repr(Login(place="here", password="secret"))
    assert shown == "Login(place='here', line=1, hosts=[], seen=0)"


def test_is_a_dataclass_to_others() -> None:
    assert is_dataclass(Login)
    assert [item.name for item in fields(Login)] == ["place", "line", "password", "hosts", "seen"]
    assert pickle.loads(pickle.dumps(Point(1))) == Point(1)


def test_nothing_is_compiled_before_the_first_is_made() -> None:
    program = """
import sys
from headgate.records import frozen_record
compiled = []
sys.addaudithook(lambda event, args: compiled.append(args) if event == "compile" else None)
@frozen_record
class Point:
    x: int
declared = len(compiled)
Point(x=1), Point(x=1) == Point(x=2), hash(Point(x=1)), repr(Point(x=1))
print(declared, len(compiled))
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, stdout=-1, text=True)
    assert done.stdout.split() == ["0", "1"]
