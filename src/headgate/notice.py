"""What a person is warned of, with its place. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.records import frozen_record

if TYPE_CHECKING:
    from headgate.errors import Location


@frozen_record(kw_only=False)
class Notice:
    """A warning: ``what`` there is to know, and ``where``, if it is about a place in a file."""

    what: str
    where: Location | None = None

    def __str__(self) -> str:
        """Return place and message on one line."""
        return f"{self.where}: {self.what}" if self.where else self.what
