"""Accepted groups of an app in an environment that have not landed: proposed, held, diverged or failed. Pure.

Hand-offs and promotions are pending as groups: parts that came together, each in one group of a place at most.
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

from headgate.model import GroupRecord
from headgate.records import frozen_record
from headgate.releases.release import CONFIG, NOTHING, Released, newest_of, parts
from headgate.repository.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from headgate.model import Newest, ProposalRecord, Rejection, Release, ReleasedConfig, ReleasedImage

HELD, DIVERGED, PROPOSED, FAILED = "held", "diverged", "proposed", "failed"
REJECTED = "rejected.yaml"
GROUP, PROPOSAL = "group.yaml", "proposal.yaml"
NO_FILES = Tree({})


@frozen_record(kw_only=False)
class Group:
    """Parts that came together, and the files of the app's config if that is one of them."""

    record: GroupRecord
    files: Tree = NO_FILES

    @property
    def parts(self) -> dict[str, ReleasedImage | ReleasedConfig]:
        """The parts by name."""
        return {**self.record.images, **({CONFIG: self.record.config} if self.record.config else {})}

    @property
    def name(self) -> str:
        """The name of its folder: its first part, which no other group of the same place has."""
        return min(self.parts)

    def without(self, names: Collection[str]) -> Group | None:
        """Return the group without some parts; None when nothing is left."""
        if not any(name in names for name in self.parts):
            return self
        images = {name: image for name, image in self.record.images.items() if name not in names}
        config = None if CONFIG in names else self.record.config
        if not images and config is None:
            return None
        return self.changed(images=images, config=config)

    def joined(self, earlier: Group) -> Group:
        """Return the group merged with an earlier one, whose parts it lacks."""
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
        """Return the group with new values for fields of its record."""
        return replace(self, record=self.record.model_copy(update=fields))

    @property
    def accepted(self) -> Group:
        """The group without reasons and failure."""
        return self.changed(reasons=(), failure=None)


@frozen_record(kw_only=False)
class Proposal:
    """The content of a review branch: groups, or a person's decision (``decided`` is the release of a roll-back)."""

    record: ProposalRecord
    groups: tuple[Group, ...] = ()
    decided: Released | None = None

    @property
    def by_person(self) -> str:
        """Why everything else waits for this proposal of a person; empty for a proposal of groups."""
        if self.record.kind == "release":
            return ""
        reason = f": {self.record.reason}" if self.record.reason else ""
        return f"a {self.record.kind} by {self.record.actor or 'somebody'} is under review{reason}"


@frozen_record
class Pending:
    """Everything pending for an app in an environment, and the newest rejected version of each part.

    ``diverged`` groups are held until a person decides: they are neither older nor newer than what was accepted before.
    """

    proposal: Proposal | None = None
    held: tuple[Group, ...] = ()
    diverged: tuple[Group, ...] = ()
    failed: tuple[Group, ...] = ()
    rejected: Mapping[str, Rejection] = field(default_factory=dict)

    @property
    def proposed(self) -> tuple[Group, ...]:
        """The proposed groups."""
        return self.proposal.groups if self.proposal else ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is pending."""
        return not (self.proposal or self.held or self.diverged or self.failed)

    def with_proposal(self, proposal: Proposal | None) -> Pending:
        """Return this with a proposal, whose parts are not held any longer."""
        taken = {name for group in (proposal.groups if proposal else ()) for name in group.parts}
        return replace(self, proposal=proposal, held=without_parts(self.held, taken))

    def newest(self) -> dict[str, dict[str, Newest]]:
        """Return the versions of the parts that are proposed or held, by a phrase for their state.

        Failed and diverged versions do not count: versions older than these may still go on.
        """
        versions = {"is proposed": versions_of(self.proposed), "is held": versions_of(self.held)}
        return {phrase: newest for phrase, newest in versions.items() if newest}


NOTHING_PENDING = Pending()


def versions_of(groups: Iterable[Group]) -> dict[str, Newest]:
    """Return the version of each part of the groups."""
    return {name: newest_of(part) for group in groups for name, part in group.parts.items()}


def compose(landed: Released, groups: Sequence[Group]) -> Released:
    """Return a release with the parts of groups. Nothing else makes a release from pending groups."""
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
    """Return the release after everything proposed and held has landed."""
    return compose(landed, (*pending.proposed, *pending.held)).release


def only_parts(groups: Iterable[Group], names: Collection[str]) -> tuple[Group, ...]:
    """Return groups with only the named parts."""
    return tuple(left for group in groups if (left := group.without(group.parts.keys() - names)) is not None)


def without_parts(groups: Iterable[Group], names: Collection[str]) -> tuple[Group, ...]:
    """Return groups without the named parts."""
    return tuple(left for group in groups if (left := group.without(names)) is not None)


def absorbed(earlier: Iterable[Group], later: Group) -> tuple[tuple[Group, ...], Group]:
    """Return the earlier groups that share no part with a later one, and the later one merged with the others.

    The rest of a group must not go on alone: its config would run with an older image than it was made for.
    """
    whole: list[Group] = []
    for group in earlier:
        if group.parts.keys().isdisjoint(later.parts):
            whole.append(group)
        elif (left := group.without(later.parts.keys())) is not None:
            later = later.joined(left)
    return tuple(whole), later


def stacked(groups: Iterable[Group]) -> tuple[Group, ...]:
    """Merge groups, ordered from oldest to newest, until no part is in two of them."""
    merged: tuple[Group, ...] = ()
    for group in groups:
        whole, last = absorbed(merged, group)
        merged = (*whole, last)
    return merged


def groups_between(before: Released, after: Released) -> Iterator[Group]:
    """Yield a group, for each project and commit, of the parts that differ between two releases."""
    running = parts(before.release)
    sources: dict[tuple[str, str], dict[str, ReleasedImage | ReleasedConfig]] = {}
    for name, part in parts(after.release).items():
        if part != running.get(name):
            sources.setdefault((part.project, part.commit), {})[name] = part
    for group_parts in sources.values():
        yield group_of(group_parts, after.config, template=after.release.template)


def group_of(group_parts: Mapping[str, Any], files: Tree, **fields: Any) -> Group:
    """Return the group of parts; ``files`` belong to the config if that is one of them."""
    images = {name: part for name, part in sorted(group_parts.items()) if name != CONFIG}
    config = group_parts.get(CONFIG)
    return Group(GroupRecord(images=images, config=config, **fields), files if config is not None else NO_FILES)


def held_release(landed: Released | None, groups: Sequence[Group]) -> Release | None:
    """Return the release with these groups; None without groups."""
    return compose(landed or NOTHING, groups).release if groups else None
