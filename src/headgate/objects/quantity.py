"""Kubernetes' quantities: ``500m`` is ``0.5``. Pure.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_QUANTITY = re.compile(r"([+-]?(?:\d{1,40}\.?\d{0,40}|\.\d{1,40}))(?:([eE][+-]?\d{1,3})|([numkKMGTPE]i?|))", re.ASCII)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def parse_quantity(value: Any) -> Fraction | None:
    """Return the number that a quantity stands for; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    match = _QUANTITY.fullmatch(str(value))
    if match is None:
        return None
    number, exponent, suffix = match.groups()
    if exponent:
        return Fraction(number) * _power_of_ten(int(exponent[1:]))
    if suffix in _BINARY:
        return Fraction(number) * Fraction(2 ** _BINARY[suffix])
    return Fraction(number) * _power_of_ten(_DECIMAL[suffix]) if suffix in _DECIMAL else None


def _power_of_ten(exponent: int) -> Fraction:
    return Fraction(10**exponent) if exponent >= 0 else Fraction(1, 10**-exponent)


def number_in(value: Any) -> Any:
    """Return a quantity in one spelling, and any other value as it is."""
    number = _number_of(str(value)) if type(value) in (int, float, str) else None
    return value if number is None else number


def with_numbers(quantities: Mapping[str, Any]) -> dict[str, Any]:
    """Return quantities by their names in one spelling."""
    return {name: number_in(value) for name, value in quantities.items()}


@lru_cache(maxsize=4096)  # objects ask for a few amounts again and again
def _number_of(quantity: str) -> str | None:
    number = parse_quantity(quantity)
    return None if number is None else str(number)
