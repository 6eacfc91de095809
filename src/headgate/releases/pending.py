"""What is accepted for an app in an environment and has not landed: proposed, held, failed; and what was rejected.

All of it stands on the default branch, in the folder of the release, so that one commit says everything. What hand-offs
and promotions bring stands there by groups: the parts that came together, each in one group of a place at most.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from headgate.config import parse_record
from headgate.engine.reading import documents_request, read_ahead
from headgate.errors import HeadgateError
from headgate.model import GroupRecord, ProposalRecord, Rejected
from headgate.paths import APPS, ENVIRONMENTS
from headgate.releases.release import (
    CONFIG,
    NOTHING,
    RELEASE,
    WAITING,
    Released,
    newest_of,
    parts,
    read_released,
    write_record,
)
from headgate.repository.tree import Tree, prefetch
from headgate.yamltext.plain import read_plain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from headgate.model import Newest, Rejection, Release, ReleasedConfig, ReleasedImage
    from headgate.repository.tree import Changes

HELD, DIVERGED, PROPOSED, FAILED = "held", "diverged", "proposed", "failed"
REJECTED = "rejected.yaml"
GROUP, PROPOSAL = "group.yaml", "proposal.yaml"
NO_FILES = Tree({})
_RECORD = re.compile(
    rf"{APPS}/(?:(?!releases/)[^/]+/)+releases/[^/]+/(?:(?:{HELD}|{DIVERGED}|{PROPOSED}|{FAILED})/.+|{re.escape(REJECTED)})"
    rf"|{ENVIRONMENTS}/[^/]+/{re.escape(PROPOSAL)}"
)


def is_record(path: str) -> bool:
    """Whether a file of a manifest repository says what is pending."""
    return _RECORD.fullmatch(path) is not None


@dataclass(frozen=True)
class Group:
    """Parts that came together, with the files of the app's config where that is one of them."""

    record: GroupRecord
    files: Tree = NO_FILES

    @property
    def parts(self) -> dict[str, ReleasedImage | ReleasedConfig]:
        """Return its parts by their names."""
        return {**self.record.images, **({CONFIG: self.record.config} if self.record.config else {})}

    @property
    def name(self) -> str:
        """Name its folder: by its first part, which no other group of the same place has."""
        return min(self.parts)

    def without(self, names: Collection[str]) -> Group | None:
        """Return it without some parts; None when nothing is left."""
        if not any(name in names for name in self.parts):
            return self
        images = {name: image for name, image in self.record.images.items() if name not in names}
        config = None if CONFIG in names else self.record.config
        if not images and config is None:
            return None
        return self.changed(images=images, config=config)

    def joined(self, earlier: Group) -> Group:
        """Return it with the parts of an earlier group that it does not bring itself: from now on they are one."""
        mine, theirs = self.record, earlier.record
        config, files = (mine.config, self.files) if mine.config else (theirs.config, earlier.files)
        record = mine.model_copy(
            update={
                "images": dict(sorted({**theirs.images, **mine.images}.items())),
                "config": config,
                "newest": {**theirs.newest, **mine.newest},
                "template": mine.template or theirs.template,
            }
        )
        return Group(record, files)

    def changed(self, **fields: Any) -> Group:
        """Return it with other values for fields of its record."""
        return replace(self, record=self.record.model_copy(update=fields))

    @property
    def accepted(self) -> Group:
        """Return it as it was accepted: without what became of it."""
        return self.changed(reasons=(), failure=None)


@dataclass(frozen=True)
class Proposal:
    """What is on a branch for review: groups, or what a person decided.

    ``decided`` is the release of a proposed roll-back.
    """

    record: ProposalRecord
    groups: tuple[Group, ...] = ()
    decided: Released | None = None

    @property
    def by_person(self) -> str:
        """Say what a person proposed that everything else has to wait for; nothing where it is groups only."""
        if self.record.kind == "release":
            return ""
        why = f": {self.record.reason}" if self.record.reason else ""
        return f"a {self.record.kind} by {self.record.actor or 'somebody'} is under review{why}"


@dataclass(frozen=True, kw_only=True)
class Pending:
    """All that is pending for an app in an environment, and the newest version of each part that was rejected.

    ``diverged`` is held too, until a person decides: it is neither older nor newer than what was accepted before it.
    """

    proposal: Proposal | None = None
    held: tuple[Group, ...] = ()
    diverged: tuple[Group, ...] = ()
    failed: tuple[Group, ...] = ()
    rejected: Mapping[str, Rejection] = field(default_factory=dict)

    @property
    def proposed(self) -> tuple[Group, ...]:
        """Return the groups that are proposed."""
        return self.proposal.groups if self.proposal else ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits and nothing failed."""
        return not (self.proposal or self.held or self.diverged or self.failed)

    def with_proposal(self, proposal: Proposal | None) -> Pending:
        """Return it with a proposal; what that brings is held no more."""
        taken = {name for group in (proposal.groups if proposal else ()) for name in group.parts}
        return replace(self, proposal=proposal, held=without_parts(self.held, taken))

    def newest(self) -> dict[str, dict[str, Newest]]:
        """Return the newest version of each part that is proposed or held, by what became of it in words.

        What failed or diverged is not in it: what is older than that may go on all the same.
        """
        found = {"is proposed": versions_of(self.proposed), "is held": versions_of(self.held)}
        return {words: newest for words, newest in found.items() if newest}


NOTHING_PENDING = Pending()


def versions_of(groups: Iterable[Group]) -> dict[str, Newest]:
    """Return the version of each part of some groups."""
    return {name: newest_of(part) for group in groups for name, part in group.parts.items()}


def compose(landed: Released, groups: Sequence[Group]) -> Released:
    """Return a release with the parts of some groups in it. Nothing else makes a release of what is pending."""
    images, newest = dict(landed.release.images), dict(landed.release.newest)
    config, files, template = landed.release.config, landed.config, landed.release.template
    for group in groups:
        images |= group.record.images
        newest |= {name: newest_of(part) for name, part in group.parts.items()} | dict(group.record.newest)
        template = group.record.template or template
        if group.record.config is not None:
            config, files = group.record.config, group.files
    release = landed.release.model_copy(
        update={
            "images": dict(sorted(images.items())),
            "config": config,
            "newest": dict(sorted(newest.items())),
            "template": template,
        }
    )
    return Released(release, files)


def with_pending(landed: Released, pending: Pending) -> Release:
    """Return what an app comes to when all that is proposed and held has landed."""
    return compose(landed, (*pending.proposed, *pending.held)).release


def only_parts(groups: Iterable[Group], names: Collection[str]) -> tuple[Group, ...]:
    """Return groups without parts that the app does not have any more."""
    return tuple(left for one in groups if (left := one.without(one.parts.keys() - names)) is not None)


def without_parts(groups: Iterable[Group], names: Collection[str]) -> tuple[Group, ...]:
    """Return groups without some parts."""
    return tuple(left for one in groups if (left := one.without(names)) is not None)


def absorbed(earlier: Iterable[Group], later: Group) -> tuple[tuple[Group, ...], Group]:
    """Return earlier groups that a later one leaves whole, and the later one with what is left of the others.

    What is left of a group may not go on alone: its config would run with an older image than it was made for.
    """
    whole: list[Group] = []
    for group in earlier:
        if group.parts.keys().isdisjoint(later.parts):
            whole.append(group)
        elif (left := group.without(later.parts.keys())) is not None:
            later = later.joined(left)
    return tuple(whole), later


def stacked(groups: Iterable[Group]) -> tuple[Group, ...]:
    """Return groups, of which later ones are newer, so that no part is in two of them."""
    found: tuple[Group, ...] = ()
    for group in groups:
        whole, last = absorbed(found, group)
        found = (*whole, last)
    return found


def read_records_ahead(tree: Tree, folders: Iterable[str]) -> None:
    """Let all records in the folders of releases be read when they are asked for. What is wrong shows then."""
    files = [f"{folder}/{name}" for folder in folders for name in _names(tree, folder) if _is_record(name)]
    prefetch(tree, files)
    with suppress(HeadgateError):
        read_ahead(documents_request(data, file) for file in files if read_plain(data := tree.read(file)) is None)


def read_pending(tree: Tree, folder: str, landed: Released | None) -> Pending:
    """Read what is pending beside a release. What waited in the form of version 1.0.0 is held."""
    if not any(path.startswith(_OURS) for path in _names(tree, folder)):
        return NOTHING_PENDING
    prefetch(tree, [f"{folder}/{place}" for place in (HELD, DIVERGED, PROPOSED, FAILED, WAITING, REJECTED)])
    file = f"{folder}/{REJECTED}"
    rejected = parse_record(tree.read(file), file, Rejected).parts if file in tree else {}
    diverged, failed = (tuple(_groups(tree, f"{folder}/{place}")) for place in (DIVERGED, FAILED))
    return Pending(
        proposal=_proposal(tree, f"{folder}/{PROPOSED}"),
        held=(*_groups(tree, f"{folder}/{HELD}"), *_waiting(tree, folder, landed)),
        diverged=diverged,
        failed=failed,
        rejected=rejected,
    )


def _is_record(name: str) -> bool:
    """Whether a file in a release's folder is Headgate's own, and not one of the app's config."""
    place, _, rest = name.partition("/")
    if not rest:
        return name in (RELEASE, REJECTED)
    return rest in (PROPOSAL, RELEASE) if place == PROPOSED else place != CONFIG and rest.endswith(f"/{GROUP}")


_OURS = (f"{HELD}/", f"{DIVERGED}/", f"{PROPOSED}/", f"{FAILED}/", f"{WAITING}/", REJECTED)


def _names(tree: Tree, folder: str) -> Iterator[str]:
    return (path[len(folder) + 1 :] for path in tree.paths(folder))


def _groups(tree: Tree, folder: str) -> Iterator[Group]:
    for path in tree.paths(folder):
        at, _, name = path.rpartition("/")
        if name == GROUP and at.count("/") == folder.count("/") + 1:
            yield Group(parse_record(tree.read(path), path, GroupRecord), tree.folder(f"{at}/{CONFIG}"))


def _proposal(tree: Tree, folder: str) -> Proposal | None:
    file = f"{folder}/{PROPOSAL}"
    if file not in tree:
        return None
    record = parse_record(tree.read(file), file, ProposalRecord)
    return Proposal(record, tuple(_groups(tree, folder)), read_released(tree, folder))


def _waiting(tree: Tree, folder: str, landed: Released | None) -> Iterator[Group]:
    """Yield the groups of a whole release that waited."""
    waiting = read_released(tree, f"{folder}/{WAITING}")
    if waiting is None:
        return
    yield from groups_between(landed or NOTHING, waiting)


def groups_between(before: Released, after: Released) -> Iterator[Group]:
    """Yield the groups that one whole release has and another has not: its other parts, by where they are from."""
    running = parts(before.release)
    sources: dict[tuple[str, str], dict[str, ReleasedImage | ReleasedConfig]] = {}
    for name, part in parts(after.release).items():
        if part != running.get(name):
            sources.setdefault((part.project, part.commit), {})[name] = part
    for found in sources.values():
        yield group_of(found, after.config, template=after.release.template)


def group_of(found: Mapping[str, Any], files: Tree, **fields: Any) -> Group:
    """Return the group of some parts; ``files`` are those of the config, where that is one of them."""
    images = {name: part for name, part in sorted(found.items()) if name != CONFIG}
    config = found.get(CONFIG)
    return Group(GroupRecord(images=images, config=config, **fields), files if config is not None else NO_FILES)


def write_pending(tree: Tree, folder: str, pending: Pending) -> Changes:
    """Return the changes that make a release's folder hold just what is pending. Nothing when it does already."""
    files: dict[str, bytes] = {}
    places = {HELD: pending.held, DIVERGED: pending.diverged, FAILED: pending.failed, PROPOSED: pending.proposed}
    for place, groups in places.items():
        for group in groups:
            files |= _group_files(f"{folder}/{place}/{group.name}", group)
    if pending.proposal is not None:
        files[f"{folder}/{PROPOSED}/{PROPOSAL}"] = write_record(pending.proposal.record)
        files |= _decided_files(f"{folder}/{PROPOSED}", pending.proposal.decided)
    if pending.rejected:
        files[f"{folder}/{REJECTED}"] = write_record(Rejected(parts=dict(sorted(pending.rejected.items()))))
    ours = [f"{folder}/{path}" for path in _names(tree, folder) if path.startswith(_OURS)]
    changes: Changes = {path: None for path in ours if path not in files}
    return changes | {path: data for path, data in files.items() if path not in tree or tree.read(path) != data}


def _group_files(folder: str, group: Group) -> dict[str, bytes]:
    files = {f"{folder}/{GROUP}": write_record(group.record)}
    return files | {f"{folder}/{CONFIG}/{path}": group.files.read(path) for path in group.files.paths()}


def _decided_files(folder: str, decided: Released | None) -> dict[str, bytes]:
    if decided is None:
        return {}
    files = {f"{folder}/{RELEASE}": write_record(decided.release)}
    return files | {f"{folder}/{CONFIG}/{path}": decided.config.read(path) for path in decided.config.paths()}


def held_release(landed: Released | None, groups: Sequence[Group]) -> Release | None:
    """Return what the app would run with these groups; None where there are none."""
    return compose(landed or NOTHING, groups).release if groups else None
