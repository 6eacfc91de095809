"""What people may do in a pipeline's form: the one list. `make schema` writes it into the components."""

from __future__ import annotations

from typing import NamedTuple


class Action(NamedTuple):
    """The permission that an action needs, and the fields of the form that it needs."""

    permission: str
    fields: tuple[str, ...]


ACTIONS = {
    "promote": Action("promote", ("app", "environment", "source")),
    "roll-back": Action("roll-back", ("app", "environment", "reason")),
    "pin": Action("pin", ("app", "environment", "reason")),
    "unpin": Action("pin", ("app", "environment")),
    "freeze": Action("freeze", ("environment", "reason")),
    "thaw": Action("freeze", ("environment",)),
    "deliver-held": Action("deliver-held", ("app", "environment", "reason")),
    "discard-held": Action("discard-held", ("app", "environment", "reason")),
    "remove": Action("remove", ("app",)),
    "rehydrate": Action("rehydrate", ()),
}
PERMISSIONS = tuple(dict.fromkeys(action.permission for action in ACTIONS.values()))
