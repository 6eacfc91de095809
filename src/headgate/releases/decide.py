"""What is wanted of an app in an environment, and what becomes of each group of parts. Pure.

Every intent and every run that nobody asked for passes through `decide`; what it is told besides is where the answer
goes. Nothing else composes a release of what is pending.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

from headgate.releases.pending import Pending, Proposal, absorbed, compose, only_parts, stacked, without_parts
from headgate.releases.release import parts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from headgate.model import FailureRecord, ProposalRecord
    from headgate.releases.pending import Group
    from headgate.releases.release import Released


_MOST_TRIED = 4
"""Of more groups than these not every set is tried."""


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Why nothing goes on by itself, and whether what is proposed stays so meanwhile.

    ``yields``: a person may want something to go on all the same.
    """

    reason: str
    keeps_proposal: bool = True
    yields: bool = True


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is wanted: what is landed, with the groups that are proposed already, and with those that it ``brings``.

    ``arriving`` is one of these, or it is held; ``behind`` are those of its parts of which a newer version failed.
    ``pending`` is as it was before.
    """

    landed: Released
    pending: Pending
    brings: tuple[Group, ...] = ()
    arriving: Group | None = None
    behind: Collection[str] = ()
    hold: str = ""

    @property
    def is_held(self) -> bool:
        """Whether what arrives is held."""
        return self.arriving is not None and self.arriving not in self.brings

    def candidates(self) -> list[tuple[Group, ...]]:
        """Return the sets of groups to try, the best first: all, then fewer, since one may fail for itself."""
        if not self.brings:
            return [()]
        newest_first = self.brings[::-1]
        sizes = range(len(self.brings), 0, -1) if len(self.brings) <= _MOST_TRIED else (len(self.brings), 1)
        return [chosen[::-1] for size in sizes for chosen in combinations(newest_first, size)]

    def release(self, brought: Sequence[Group]) -> Released:
        """Return the release that is landed or proposed with some of the groups that it brings."""
        return compose(self.landed, (*self.pending.proposed, *brought))

    def landing(self, brought: Sequence[Group], failure: FailureRecord | None = None) -> Pending:
        """Return what is pending when ``brought``, and what was proposed, is on the default branch."""
        return replace(self._rest(brought, failure), proposal=None)

    def proposing(
        self, brought: Sequence[Group], record: ProposalRecord, failure: FailureRecord | None = None
    ) -> Pending:
        """Return what is pending when ``brought`` is proposed, beside what was proposed already."""
        groups = stacked((*self.pending.proposed, *(group.accepted for group in brought)))
        return replace(self._rest(brought, failure), proposal=Proposal(record, groups))

    def holding(self, failure: FailureRecord | None = None) -> Pending:
        """Return what is pending when nothing is brought: it is held, or it failed."""
        return self._rest((), failure)

    def keeping(self, brought: Sequence[Group], reason: str, failure: FailureRecord | None = None) -> Pending:
        """Return what is pending when ``brought`` could go on, but is held for a reason that will pass by itself."""
        rest = self._rest(brought, failure)
        waits = (group.changed(reasons=(reason,), failure=None) for group in brought)
        return replace(rest, held=stacked((*rest.held, *waits)))

    def _rest(self, brought: Sequence[Group], failure: FailureRecord | None) -> Pending:
        """Return what is held and failed besides what is brought.

        What is tried is in the order in which it was accepted, but for what failed: that is newer than what is held,
        or it would not be there any more. So only what arrives takes the place of what failed, unless that is newer.
        """
        tried = {id(group) for group in self.brings}
        held, diverged, failed = (
            tuple(group for group in groups if id(group) not in tried)
            for groups in (self.pending.held, self.pending.diverged, self.pending.failed)
        )
        taken = {name for group in brought for name in group.parts}
        held = without_parts(held, taken)
        newest = self.arriving.without(self.behind) if self.arriving is not None else None
        if newest is not None and self.arriving in brought:
            failed = without_parts(failed, newest.parts)
        if self.arriving is not None and self.is_held:
            arriving = self.arriving.changed(reasons=(self.hold,))
            if newest is not None and self.behind:
                failed = without_parts(failed, newest.parts)
            elif newest is not None:  # what failed first: of what is left it has the newer parts
                failed, arriving = absorbed(failed, arriving)
            held, arriving = absorbed(held, arriving)
            held = (*held, arriving)
            taken |= arriving.parts.keys()
        were_held = {id(group) for group in self.pending.held}
        older: list[Group] = []
        newer: list[Group] = []
        for at, group in enumerate(self.brings):
            if group not in brought:
                superseded = {name for later in self.brings[at + 1 :] if later in brought for name in later.parts}
                superseded |= set(self.behind) if group is self.arriving else set()
                left = group.without(superseded)
                if left is not None:
                    (older if id(group) in were_held else newer).append(_failed(left, failure))
        rejected = {name: one for name, one in self.pending.rejected.items() if name not in taken}
        return replace(
            self.pending,
            held=held,
            diverged=diverged,
            failed=stacked((*older, *failed, *newer)),
            rejected=rejected,
        )


def _failed(group: Group, failure: FailureRecord | None) -> Group:
    """Return a group as one that failed. The same error again changes nothing."""
    old = group.record.failure
    if failure is None or (
        old is not None and (old.code, old.message, old.inputs) == (failure.code, failure.message, failure.inputs)
    ):
        return group.changed(reasons=())
    return group.changed(reasons=(), failure=failure)


def decide(
    landed: Released,
    pending: Pending,
    arriving: Group | None = None,
    *,
    hold: Hold | None = None,
    explicit: bool = False,
    retry: bool = False,
    known: Collection[str],
    behind: Collection[str] = (),
    overtakes: Collection[str] = (),
    past_order: bool = False,
    refusal: Callable[[Group], str] = lambda _group: "",
) -> Wanted:
    """Return what is wanted of an app in an environment when something arrives, or when nothing does.

    ``hold`` is why nothing goes on by itself; ``explicit``: a person wants what arrives all the same. ``retry``: what
    failed is tried again; ``past_order``: what diverged goes on, as the newest. ``known`` are the parts that the app
    has, ``behind`` those that arrive though a newer version of them failed, ``overtakes`` those that are newer than
    what diverged; ``refusal`` says why a group that is held is not taken here any more.
    """
    before = cleaned(landed, pending, known)
    before = replace(before, diverged=without_parts(before.diverged, overtakes))
    if hold is not None and not hold.keeps_proposal and before.proposal is not None:
        before = withdrawn(before, hold.reason)
    if arriving is not None and explicit and before.proposal is not None and before.proposal.by_person:
        before = replace(before, proposal=None)
    free: tuple[Group, ...] = ()
    if hold is None:
        waiting = (*before.held, *(before.failed if retry else ()), *(before.diverged if past_order else ()))
        free = tuple(group for group in waiting if not refusal(group))
    comes = (arriving,) if arriving is not None and (hold is None or (explicit and hold.yields)) else ()
    return Wanted(
        landed=landed,
        pending=_explained(before, refusal) if hold is None else before,
        brings=(*free, *comes),
        arriving=arriving,
        behind=behind,
        hold=hold.reason if hold else "",
    )


def cleaned(landed: Released, pending: Pending, known: Collection[str]) -> Pending:
    """Return what is pending without what has landed meanwhile, by whatever way, and without parts that are gone."""
    newest = landed.release.newest
    running = parts(landed.release)

    def left(groups: Sequence[Group]) -> tuple[Group, ...]:
        return tuple(
            rest
            for group in only_parts(groups, known)
            if (rest := group.without([name for name, part in group.parts.items() if part == running.get(name)]))
        )

    proposal = pending.proposal
    if proposal is not None and proposal.record.kind == "release":
        groups = left(proposal.groups)
        proposal = replace(proposal, groups=groups) if groups else None
    elif proposal is not None and proposal.decided is not None and proposal.decided.runs == landed.runs:
        proposal = None
    rejected = {
        name: one
        for name, one in pending.rejected.items()
        if name in known and not (name in newest and newest[name].commit == one.commit)
    }
    return replace(
        pending,
        proposal=proposal,
        held=left(pending.held),
        diverged=left(pending.diverged),
        failed=left(pending.failed),
        rejected=rejected,
    )


def withdrawn(pending: Pending, reason: str) -> Pending:
    """Return what is pending when nothing is proposed any more: its groups are held."""
    groups = tuple(group.changed(reasons=(reason,)) for group in pending.proposed)
    return replace(pending, proposal=None, held=stacked((*groups, *pending.held)))


def _explained(pending: Pending, refusal: Callable[[Group], str]) -> Pending:
    held = tuple(group.changed(reasons=(why,)) if (why := refusal(group)) else group for group in pending.held)
    return replace(pending, held=held)
