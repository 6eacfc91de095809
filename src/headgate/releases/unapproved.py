"""The record of merges that lacked approvals, in the folder of each environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.config import parse_record
from headgate.model import UnapprovedMerge, UnapprovedMerges
from headgate.paths import ENVIRONMENTS, UNAPPROVED
from headgate.releases.release import write_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.repository.tree import Changes, Tree


def read_unapproved(tree: Tree, environment: str) -> tuple[UnapprovedMerge, ...]:
    """Return the recorded merges of an environment. Raises ConfigError, YamlError."""
    file = _file(environment)
    return parse_record(tree.read(file), file, UnapprovedMerges).merges if file in tree else ()


def write_unapproved(tree: Tree, environment: str, merges: Sequence[UnapprovedMerge]) -> Changes:
    """Return the changes after which exactly these merges are on record."""
    file = _file(environment)
    if not merges:
        return {file: None} if file in tree else {}
    return {file: write_record(UnapprovedMerges(merges=tuple(merges)))}


def _file(environment: str) -> str:
    return f"{ENVIRONMENTS}/{environment}/{UNAPPROVED}"


def unapproved_text(merge: UnapprovedMerge) -> str:
    """Return the finding: ``!12 was merged by dana with 1 of 2 approvals``."""
    return f"{merge.request} was merged by {merge.by} with {len(merge.approved_by)} of {merge.needed} approvals"
