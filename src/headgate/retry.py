"""What fails because a connection broke is tried again. Whether it was that is never read from anybody's words."""

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
    """Do something that leaves nothing half-done, up to `TRIES` times within a few seconds.

    Returns what it returns. Raises its last GitError when it fails each time; other errors at once.
    """
    for tried in range(1, TRIES):
        try:
            return action()
        except GitError:
            pause(tried)
    return action()


def pause(tried: int) -> None:
    """Wait after a failure: twice as long after each, and never as long as somebody else who failed with us."""
    time.sleep(_FIRST_WAIT * 2**tried * random.uniform(0.25, 0.75))  # noqa: S311  no secret
