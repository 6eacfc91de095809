"""Frozen records: dataclasses that cost next to nothing to declare.

`dataclasses` compiles six methods for each class that a program declares, 0.7 ms of every start for each of them, and
most runs make no instance of most of them. Records share five of these methods, and have ``__init__`` compiled when the
first of them is made. In all else they are dataclasses: `field`, `fields`, `replace` and `match` take them.
"""

from __future__ import annotations

from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, dataclass_transform, overload

if TYPE_CHECKING:
    from collections.abc import Callable

Class = TypeVar("Class", bound=type[Any])


@overload
def frozen_record(cls: Class, /) -> Class: ...


@overload
def frozen_record(*, kw_only: bool = True, eq: bool = True) -> Callable[[Class], Class]: ...


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def frozen_record(
    cls: Class | None = None, /, *, kw_only: bool = True, eq: bool = True
) -> Class | Callable[[Class], Class]:
    """Make a class a frozen dataclass; ``kw_only`` and ``eq`` are as there."""

    def declare(cls: Class) -> Class:
        cls.__doc__ = cls.__doc__ or cls.__name__  # else it gets its signature, which takes as long as all the rest
        dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls)

        def first(self: Any, *args: Any, **given: Any) -> None:
            cls.__init__ = _compiled_init(cls)
            cls.__init__(self, *args, **given)

        methods = {"__init__": first, "__repr__": _repr, "__setattr__": _no_assignment, "__delattr__": _no_deletion}
        for name, method in (methods | _comparison(cls) if eq else methods).items():
            setattr(cls, name, method)
        return cls

    return declare if cls is None else declare(cls)


def _compiled_init(cls: type[Any]) -> Callable[..., None]:
    known: dict[str, Any] = {"_set": object.__setattr__, "_MISSING": MISSING}
    parameters, lines = ["_self"], ["pass"]
    for item in sorted(fields(cls), key=lambda item: item.kw_only is True):
        name = value = item.name
        if item.kw_only and "*" not in parameters:
            parameters.append("*")
        if item.default_factory is not MISSING:
            known[f"_new_{name}"] = item.default_factory
            value = f"_new_{name}() if {name} is _MISSING else {name}"
            name += "=_MISSING"
        elif item.default is not MISSING:
            known[f"_default_{name}"] = item.default
            name += f"=_default_{name}"
        parameters.append(name)
        lines.append(f"_set(_self, {item.name!r}, {value})")
    exec(f"def __init__({', '.join(parameters)}):\n " + "\n ".join(lines), known)  # noqa: S102  as dataclasses do it
    init: Callable[..., None] = known["__init__"]
    return init


def _comparison(cls: type[Any]) -> dict[str, Callable[..., Any]]:
    names = [item.name for item in fields(cls) if item.compare]
    values = attrgetter(*names) if names else lambda _: ()

    def equal(self: Any, other: object) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return {"__eq__": equal, "__hash__": lambda self: hash(values(self))}


def _repr(self: Any) -> str:
    shown = (f"{item.name}={getattr(self, item.name)!r}" for item in fields(self) if item.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _no_assignment(_self: Any, name: str, _value: Any) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _no_deletion(_self: Any, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")
