"""How the programs of a release end when something is not as it must be."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from collections.abc import Callable


class ReleaseError(HeadgateError):
    """A release cannot be made of what is here."""

    title = "a release cannot be made"


def ended(main: Callable[[], None]) -> None:
    """Run a program to its end; say what is wrong as Headgate does, and end with the code of the error."""
    try:
        main()
    except HeadgateError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.code)
