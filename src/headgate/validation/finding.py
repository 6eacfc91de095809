"""A finding in an object, and its text for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.records import frozen_record

if TYPE_CHECKING:
    from headgate.errors import Location
    from headgate.objects.manifest import ObjectName


@frozen_record
class ObjectFinding:
    """One thing that is wrong with an object. ``field`` is empty where it is about the whole of it.

    ``policy`` is the name of the one that it does not keep, ``place`` where that says so; ``advice`` is what the policy
    itself calls a warning.
    """

    rule: str
    field: str
    message: str
    hint: str
    manifest: ObjectName
    policy: str = ""
    place: Location | None = None
    advice: bool = False

    def __str__(self) -> str:
        """Tell it on one line: object, field, what is wrong, and the rule in brackets."""
        where = f"{self.manifest}: {self.field}" if self.field else str(self.manifest)
        return f"{where}: {self.message} [{self.rule}]"

    @property
    def identity(self) -> tuple[object, ...]:
        """The identity of a finding, equal in two runs. A policy's message may name what changes, such as a tag."""
        text = str(self.place) if self.place else self.message
        return (*self.manifest.identity, self.rule, self.field, text)
