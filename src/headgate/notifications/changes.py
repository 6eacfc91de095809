"""Two trees of the manifest repository -> what people wait for happened between them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.errors import HeadgateError
from headgate.notifications.announcement import Announcement
from headgate.paths import ENVIRONMENTS, group_branch, review_branch
from headgate.releases.pending import PROPOSAL, compose, group_of
from headgate.releases.pending_files import read_pending
from headgate.releases.release import NOTHING, Released, parts, read_released
from headgate.report.history import version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from headgate.configuration import Configuration, Owner
    from headgate.model import ReleasedConfig, ReleasedImage
    from headgate.model.notification import AnnouncedEvent
    from headgate.releases.pending import Group, Pending, Proposal
    from headgate.repository.tree import Tree

Parts = dict[str, "ReleasedImage | ReleasedConfig"]


def announcements(before: Tree, after: Tree, configuration: Configuration, commit: str) -> Iterator[Announcement]:
    """Yield what ``commit`` brought, by the records and final YAML before and after it.

    A record that cannot be read says nothing.
    """
    for name in configuration.settings.environments:
        file = f"{ENVIRONMENTS}/{name}/{PROPOSAL}"
        if file in after and file not in before:
            yield Announcement(event="proposed", app="", environment=name, commit=commit, branch=group_branch(name))
    for record, environment in configuration.pairs():
        folder, output = record.release_folder(environment), configuration.output_folder(record.name, environment)
        is_equal = before.folder(folder).id == after.folder(folder).id
        has_equal_yaml = before.folder(output).id == after.folder(output).id
        if is_equal and has_equal_yaml:
            continue
        try:
            old, new = _State(before, folder), _State(after, folder)
        except HeadgateError:
            continue
        yield from _between(old, new, (record.name, environment), commit, has_equal_yaml=has_equal_yaml)


class _State:
    """What is landed and what is pending in one tree."""

    def __init__(self, tree: Tree, folder: str) -> None:
        """Read both. Raises HeadgateError."""
        self.landed = read_released(tree, folder) or NOTHING
        self.pending: Pending = read_pending(tree, folder, self.landed)
        self.parts: Parts = parts(self.landed.release)


def _between(
    before: _State, after: _State, owner: Owner, commit: str, *, has_equal_yaml: bool
) -> Iterator[Announcement]:
    if not has_equal_yaml or before.parts != after.parts:
        yield _landed(before, after, owner, commit)
    yield from _proposed(before.pending.proposal, after, owner, commit)
    for name, rejection in after.pending.rejected.items():
        if before.pending.rejected.get(name) != rejection:
            reasons = (f"merge request {rejection.request} was closed",) if rejection.request else ()
            found = {name: part for name, part in _accepted(before).items() if part.commit == rejection.commit}
            yield _announcement("rejected", owner, commit, found, actor=rejection.by or "", reasons=reasons, key=name)
    held = [*before.pending.held, *before.pending.diverged]
    for group in _new([*after.pending.held, *after.pending.diverged], held):
        yield _announcement("held", owner, commit, group.parts, reasons=group.record.reasons)
    for group in _new(after.pending.failed, before.pending.failed):
        failure = group.record.failure
        yield _announcement("failed", owner, commit, group.parts, reasons=(failure.message,) if failure else ())


def _landed(before: _State, after: _State, owner: Owner, commit: str) -> Announcement:
    changed = {name: part for name, part in after.parts.items() if before.parts.get(name) != part}
    pin = after.landed.release.pin
    event: AnnouncedEvent = "merged" if _is_merged(before, after) else "landed"
    if _goes_back(before.landed, after.landed):
        event = "rolled-back"
    reasons = (pin.reason,) if pin is not None and pin != before.landed.release.pin else ()
    if not changed and not reasons:
        reasons = ("the same version with other templates, values or settings",)
    return _announcement(event, owner, commit, changed or after.parts, actor=pin.by if pin else "", reasons=reasons)


def _is_merged(before: _State, after: _State) -> bool:
    """Whether a proposal landed. Where records have a branch of their own, it is there still: a run takes it away."""
    proposal = before.pending.proposal
    if proposal is None or after.pending.proposal is None:
        return proposal is not None
    return parts(_wanted(proposal, before.landed).release) == after.parts


def _wanted(proposal: Proposal, landed: Released) -> Released:
    return proposal.decided or compose(landed, proposal.groups)


def _goes_back(before: Released, after: Released) -> bool:
    """Whether a part went from the newest version that was ever released to another one."""
    newest, old = after.release.newest, parts(before.release)
    return any(
        name in newest and name in old and old[name].commit == newest[name].commit != part.commit
        for name, part in parts(after.release).items()
    )


def _proposed(before: Proposal | None, after: _State, owner: Owner, commit: str) -> Iterator[Announcement]:
    """Yield a proposal of something else than before; that it was only rendered anew is no news."""
    proposal = after.pending.proposal
    if proposal is None or (before is not None and _subject(before) == _subject(proposal)):
        return
    wanted = _wanted(proposal, after.landed)
    changed = {name: part for name, part in parts(wanted.release).items() if after.parts.get(name) != part}
    kind = proposal.record.kind
    reasons = tuple(filter(None, (kind if kind != "release" else "", proposal.record.reason or "")))
    yield _announcement(
        "proposed",
        owner,
        commit,
        changed,
        actor=proposal.record.actor or "",
        reasons=reasons,
        branch=review_branch(*owner),
    )


def _subject(proposal: Proposal) -> object:
    """Return what a proposal is about, however it is rendered."""
    decided = proposal.decided.release if proposal.decided else None
    return proposal.record.kind, decided, [_identity(group) for group in proposal.groups]


def _identity(group: Group) -> object:
    return sorted((name, part.commit, getattr(part, "digest", "")) for name, part in group.parts.items())


def _new(groups: Iterable[Group], known: Iterable[Group]) -> list[Group]:
    identities = [_identity(group) for group in known]
    return [group for group in groups if _identity(group) not in identities]


def _accepted(state: _State) -> Parts:
    groups: Sequence[Group] = state.pending.proposed
    return {name: part for group in groups for name, part in group.parts.items()}


def _announcement(
    event: AnnouncedEvent,
    owner: Owner,
    commit: str,
    found: Mapping[str, ReleasedImage | ReleasedConfig],
    *,
    actor: str = "",
    reasons: tuple[str, ...] = (),
    branch: str = "",
    key: str = "",
) -> Announcement:
    release = compose(NOTHING, [group_of(found, NOTHING.config)]).release if found else None
    people = dict.fromkeys(part.actor for part in found.values() if part.actor)
    return Announcement(
        event=event,
        app=owner[0],
        environment=owner[1],
        commit=commit,
        version=version(release),
        parts=tuple(sorted(found.items())),
        actor=actor or ", ".join(people),
        reasons=reasons,
        branch=branch,
        key=key,
    )
