"""Retry after failures, whatever a program's messages say about them."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, TypeVar

from headgate.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

TRIES = 4
_FIRST_WAIT = 0.2


def persistently(action: Callable[[], Result]) -> Result:
    """Call an action that leaves nothing half-done up to `TRIES` times within a few seconds.

    Raises the last GitError, other errors at once.
    """
    for tried in range(1, TRIES):
        try:
            return action()
        except GitError:
            pause(tried)
    return action()


def pause(tried: int) -> None:
    """Wait after a failure: twice as long each time, with jitter against collisions."""
    time.sleep(_FIRST_WAIT * 2**tried * random.uniform(0.25, 0.75))  # noqa: S311  no secret
