"""Records merges by people that lacked approvals."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from headgate.intents.protocol import Applied, identify
from headgate.records import frozen_record
from headgate.releases.unapproved import read_unapproved, unapproved_text, write_unapproved

if TYPE_CHECKING:
    from headgate.intents.protocol import State
    from headgate.model import UnapprovedMerge
    from headgate.repository.tree import Changes

_MOST = 50
"""How many merges an environment's file keeps; older ones are in the file's history."""


@frozen_record(kw_only=False)
class RecordMerges:
    """Records merges, each with its environment, and drops those that something with its approvals followed.

    ``settled`` names environments and merge requests.
    """

    found: tuple[tuple[str, UnapprovedMerge], ...] = ()
    settled: tuple[tuple[str, str], ...] = ()
    verb: ClassVar[str] = "Record"
    actor: ClassVar[str] = ""
    explicit: ClassVar[bool] = True

    @property
    def id(self) -> str:
        """Derived from the merge requests."""
        return identify(self.verb, [(name, merge.request) for name, merge in self.found], self.settled)

    @property
    def detail(self) -> str:
        """The merges that lack approvals, else those that are settled."""
        texts = [unapproved_text(merge) for _, merge in self.found]
        return "; ".join(texts) or f"no approvals are missing any more: {', '.join(name for _, name in self.settled)}"

    def apply(self, state: State) -> Applied:
        """Write the records of the environments."""
        recorded: Changes = {}
        for environment in dict.fromkeys(name for name, _ in (*self.found, *self.settled)):
            before = read_unapproved(state.tree, environment)
            found = [merge for name, merge in self.found if name == environment]
            gone = {request for name, request in self.settled if name == environment}
            gone |= {merge.request for merge in found}
            merges = [*found, *(merge for merge in before if merge.request not in gone)][:_MOST]
            if tuple(merges) != before:
                recorded |= write_unapproved(state.tree, environment, merges)
        return Applied(recorded=recorded, messages=tuple(unapproved_text(merge) for _, merge in self.found))
