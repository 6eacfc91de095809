"""Merges several exit codes into one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.errors import SeveralError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headgate.hydration.outcome import Outcome


def merge_codes(codes: Iterable[int]) -> int:
    """Return the code of the failures if they are all of one kind, the code for several kinds, or 0."""
    failures = {code for code in codes if code}
    return failures.pop() if len(failures) == 1 else SeveralError.code if failures else 0


def outcome_codes(outcomes: Iterable[Outcome]) -> Iterable[int]:
    """Return the codes of the failed outcomes."""
    return (outcome.error.code for outcome in outcomes if outcome.error is not None)
