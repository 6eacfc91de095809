"""Decides which release an app should run in an environment, and the state of each group of parts. Pure.

Every intent and every automatic run passes through `decide`. Nothing else composes a release of pending groups.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from headgate.records import frozen_record
from headgate.releases.pending import (
    NOTHING_PENDING,
    Pending,
    Proposal,
    absorbed,
    compose,
    only_parts,
    stacked,
    without_parts,
)
from headgate.releases.release import parts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from headgate.model import FailureRecord, Newest, ProposalRecord, Rejection
    from headgate.releases.pending import Group
    from headgate.releases.release import Released


_MAX_COMBINED = 4
"""Up to this many groups, every subset is a candidate."""


@frozen_record
class Hold:
    """Why no group is delivered automatically, and whether a proposal of groups stays open meanwhile.

    ``yields``: a person may override it.
    """

    reason: str
    keeps_proposal: bool = True
    yields: bool = True


@frozen_record
class Wanted:
    """What is wanted: the landed release with the groups that are already proposed, and with those that it ``brings``.

    ``arriving`` is one of these, or it is held; ``behind`` are those of its parts of which a newer version failed.
    ``pending`` is the state before.
    """

    landed: Released
    pending: Pending
    brings: tuple[Group, ...] = ()
    arriving: Group | None = None
    behind: Collection[str] = ()
    hold: str = ""

    @property
    def is_held(self) -> bool:
        """Whether the arriving group is held."""
        return self.arriving is not None and self.arriving not in self.brings

    def candidates(self) -> list[tuple[Group, ...]]:
        """Return the sets of groups to try, the best first: all, then fewer, since a single group may fail."""
        if not self.brings:
            return [()]
        newest_first = self.brings[::-1]
        sizes = range(len(self.brings), 0, -1) if len(self.brings) <= _MAX_COMBINED else (len(self.brings), 1)
        return [chosen[::-1] for size in sizes for chosen in combinations(newest_first, size)]

    def release(self, brought: Sequence[Group]) -> Released:
        """Return the release with the proposed groups and ``brought``, some of the groups that this brings."""
        return compose(self.landed, (*self.pending.proposed, *brought))

    def landing(self, brought: Sequence[Group], failure: FailureRecord | None = None) -> Pending:
        """Return what is pending after ``brought`` and the proposed groups have landed."""
        return replace(self._rest(brought, failure), proposal=None)

    def proposing(
        self, brought: Sequence[Group], record: ProposalRecord, failure: FailureRecord | None = None
    ) -> Pending:
        """Return what is pending after ``brought`` joins the proposal."""
        groups = stacked((*self.pending.proposed, *(group.accepted for group in brought)))
        return replace(self._rest(brought, failure), proposal=Proposal(record, groups))

    def holding(self, failure: FailureRecord | None = None) -> Pending:
        """Return what is pending when nothing is brought: everything is held, or failed."""
        return self._rest((), failure)

    def keeping(self, brought: Sequence[Group], reason: str, failure: FailureRecord | None = None) -> Pending:
        """Return what is pending when ``brought`` could go on, but is held for a reason that ends without a person."""
        rest = self._rest(brought, failure)
        waiting = (group.changed(reasons=(reason,), failure=None) for group in brought)
        return replace(rest, held=stacked((*rest.held, *waiting)))

    def _rest(self, brought: Sequence[Group], failure: FailureRecord | None) -> Pending:
        """Return what is held and failed besides ``brought``.

        ``brings`` is in the order of acceptance, except for failed groups: these are newer than held ones, or they
        would be gone. So only an arriving group replaces a failed one, unless the failed one is newer.
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
            elif newest is not None:  # failed groups first: they have the newer parts of the rest
                failed, arriving = absorbed(failed, arriving)
            held, arriving = absorbed(held, arriving)
            held = (*held, arriving)
            taken |= arriving.parts.keys()
        were_held = {id(group) for group in self.pending.held}
        older: list[Group] = []
        newer: list[Group] = []
        for index, group in enumerate(self.brings):
            if group not in brought:
                superseded = {name for later in self.brings[index + 1 :] if later in brought for name in later.parts}
                superseded |= set(self.behind) if group is self.arriving else set()
                left = group.without(superseded)
                if left is not None:
                    (older if id(group) in were_held else newer).append(self._failed(left, failure))
        rejected = {name: rejection for name, rejection in self.pending.rejected.items() if name not in taken}
        return replace(
            self.pending,
            held=held,
            diverged=diverged,
            failed=stacked((*older, *failed, *newer)),
            rejected=rejected,
        )

    def _failed(self, group: Group, failure: FailureRecord | None) -> Group:
        """Return a group as failed. The same error again changes nothing, also where the group came again."""
        before = (failed for failed in self.pending.failed if failed.accepted.record == group.accepted.record)
        old = next(before, group).record.failure
        if failure is None or (
            old is not None and (old.code, old.message, old.inputs) == (failure.code, failure.message, failure.inputs)
        ):
            return group.changed(reasons=(), failure=old)
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
    """Return what is wanted of an app in an environment, given what is landed, pending and arriving.

    ``hold``: why nothing goes on automatically. ``explicit``: a person wants the arriving group in spite of it.
    ``retry``: failed groups go on. ``past_order``: diverged groups go on, as the newest. ``known``: the app's parts.
    ``behind``: arriving parts of which a newer version failed. ``overtakes``: arriving parts that are newer than a
    diverged version. ``refusal`` returns why the environment does not take a held group any longer.
    """
    before = cleaned(landed, pending, known)
    arriving = arriving and (not_landed(landed, arriving) or arriving)
    before = replace(before, diverged=without_parts(before.diverged, overtakes))
    if hold is not None and not hold.keeps_proposal and before.proposal is not None:
        before = withdrawn(before, hold.reason)
    if arriving is not None and explicit and before.proposal is not None and before.proposal.by_person:
        before = replace(before, proposal=None)
    free: tuple[Group, ...] = ()
    if hold is None:
        waiting = (*before.held, *(before.failed if retry else ()), *(before.diverged if past_order else ()))
        free = tuple(group for group in waiting if not refusal(group))
    goes_on = arriving is not None and (hold is None or (explicit and hold.yields))
    return Wanted(
        landed=landed,
        pending=_explained(before, lambda group: hold.reason if hold is not None else refusal(group)),
        brings=(*free, arriving) if arriving is not None and goes_on else free,
        arriving=arriving,
        behind=behind,
        hold=hold.reason if hold else "",
    )


def cleaned(landed: Released, pending: Pending, known: Collection[str]) -> Pending:
    """Return what is pending without parts that have landed in the meantime, and without parts that the app lost.

    A proposal keeps those that landed as long as it has others: its branch, which approvals are for, has its record.
    """
    if pending is NOTHING_PENDING:
        return pending
    newest = landed.release.newest

    def left(groups: Sequence[Group]) -> tuple[Group, ...]:
        return tuple(rest for group in only_parts(groups, known) if (rest := not_landed(landed, group)) is not None)

    proposal = pending.proposal
    if proposal is not None and proposal.record.kind == "release":
        groups = only_parts(proposal.groups, known)
        proposal = replace(proposal, groups=groups) if left(groups) else None
    elif proposal is not None and proposal.decided is not None and proposal.decided.runs == landed.runs:
        proposal = None
    rejected = {
        name: rejection
        for name, rejection in pending.rejected.items()
        if name in known and not (name in newest and _is_same(newest[name], rejection))
    }
    return replace(
        pending,
        proposal=proposal,
        held=left(pending.held),
        diverged=left(pending.diverged),
        failed=left(pending.failed),
        rejected=rejected,
    )


def not_landed(landed: Released, group: Group) -> Group | None:
    """Return a group without the parts that have landed; None when nothing is left. Its template is one of them."""
    if group.record.template not in (None, landed.release.template):
        return group
    running = parts(landed.release)
    return group.without([name for name, part in group.parts.items() if part == running.get(name)])


def _is_same(newest: Newest, rejection: Rejection) -> bool:
    return (newest.commit, newest.digest) == (rejection.commit, rejection.digest)


def withdrawn(pending: Pending, reason: str) -> Pending:
    """Return what is pending after the proposal is withdrawn: its groups are held.

    A person's proposal stays: only a person ends it.
    """
    if pending.proposal is not None and pending.proposal.by_person:
        return pending
    groups = tuple(group.changed(reasons=(reason,)) for group in pending.proposed)
    return replace(pending, proposal=None, held=stacked((*groups, *pending.held)))


def _explained(pending: Pending, refusal: Callable[[Group], str]) -> Pending:
    """Return what is pending with the reason that holds each group now: it may have been another one before."""
    held = tuple(group.changed(reasons=(reason,)) if (reason := refusal(group)) else group for group in pending.held)
    return replace(pending, held=held)
