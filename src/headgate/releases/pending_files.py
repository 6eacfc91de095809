"""The files of pending groups, in the folder of the release."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from headgate.config import parse_record, record_request
from headgate.engine.reading import read_ahead
from headgate.errors import HeadgateError
from headgate.model import GroupRecord, ProposalRecord, Rejected
from headgate.paths import APPS, ENVIRONMENTS, UNAPPROVED
from headgate.releases.pending import (
    DIVERGED,
    FAILED,
    GROUP,
    HELD,
    NOTHING_PENDING,
    PROPOSAL,
    PROPOSED,
    REJECTED,
    Group,
    Pending,
    Proposal,
    groups_between,
)
from headgate.releases.release import (
    CONFIG,
    NOTHING,
    RELEASE,
    WAITING,
    Released,
    config_files,
    read_released,
    release_files,
    replace_files,
    write_record,
)
from headgate.repository.tree import Tree, prefetch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from headgate.repository.tree import Changes

_RECORD = re.compile(
    rf"{APPS}/(?:(?!releases/)[^/]+/)+releases/[^/]+/(?:(?:{HELD}|{DIVERGED}|{PROPOSED}|{FAILED})/.+|{re.escape(REJECTED)})"
    rf"|{ENVIRONMENTS}/[^/]+/(?:{re.escape(PROPOSAL)}|{re.escape(UNAPPROVED)})"
)


def is_record(path: str) -> bool:
    """Whether a file of a manifest repository records something pending, or a merge that lacked approvals."""
    return _RECORD.fullmatch(path) is not None


def read_records_ahead(tree: Tree, folders: Iterable[str]) -> None:
    """Parse the records in many folders of releases in one batch. Errors show when each record is read."""
    files = [f"{folder}/{name}" for folder in folders for name in _names(tree, folder) if _is_record(name)]
    prefetch(tree, files)
    with suppress(HeadgateError):
        read_ahead(request for file in files if (request := record_request(tree, file)))


def read_pending(tree: Tree, folder: str, landed: Released | None) -> Pending:
    """Read the pending groups of a release. Those that waited in the format of version 1.0.0 are held."""
    if not any(path.startswith(_PLACES) for path in _names(tree, folder)):
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
    """Whether a file in a release's folder is a record, and not a file of the app's config."""
    place, _, rest = name.partition("/")
    if not rest:
        return name in (RELEASE, REJECTED)
    return rest in (PROPOSAL, RELEASE) if place == PROPOSED else place != CONFIG and rest.endswith(f"/{GROUP}")


_PLACES = (f"{HELD}/", f"{DIVERGED}/", f"{PROPOSED}/", f"{FAILED}/", f"{WAITING}/", REJECTED)


def _names(tree: Tree, folder: str) -> Iterator[str]:
    return (path[len(folder) + 1 :] for path in tree.paths(folder))


def _groups(tree: Tree, folder: str) -> Iterator[Group]:
    for path in tree.paths(folder):
        parent, _, name = path.rpartition("/")
        if name == GROUP and parent.count("/") == folder.count("/") + 1:
            yield Group(parse_record(tree.read(path), path, GroupRecord), tree.folder(f"{parent}/{CONFIG}"))


def _proposal(tree: Tree, folder: str) -> Proposal | None:
    file = f"{folder}/{PROPOSAL}"
    if file not in tree:
        return None
    record = parse_record(tree.read(file), file, ProposalRecord)
    return Proposal(record, tuple(_groups(tree, folder)), read_released(tree, folder))


def _waiting(tree: Tree, folder: str, landed: Released | None) -> Iterator[Group]:
    """Yield the groups of a release that waited as a whole."""
    waiting = read_released(tree, f"{folder}/{WAITING}")
    if waiting is not None:
        yield from groups_between(landed or NOTHING, waiting)


def write_pending(tree: Tree, folder: str, pending: Pending) -> Changes:
    """Return the changes after which a release's folder records exactly what is pending."""
    files: dict[str, bytes] = {}
    places = {HELD: pending.held, DIVERGED: pending.diverged, FAILED: pending.failed, PROPOSED: pending.proposed}
    for place, groups in places.items():
        for group in groups:
            group_folder = f"{folder}/{place}/{group.name}"
            files[f"{group_folder}/{GROUP}"] = write_record(group.record)
            files |= config_files(group_folder, group.files)
    if pending.proposal is not None:
        files[f"{folder}/{PROPOSED}/{PROPOSAL}"] = write_record(pending.proposal.record)
        if pending.proposal.decided is not None:
            files |= release_files(f"{folder}/{PROPOSED}", pending.proposal.decided)
    if pending.rejected:
        files[f"{folder}/{REJECTED}"] = write_record(Rejected(parts=dict(sorted(pending.rejected.items()))))
    old = [f"{folder}/{path}" for path in _names(tree, folder) if path.startswith(_PLACES)]
    return replace_files(tree, old, files)
