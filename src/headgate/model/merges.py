"""The file next to an environment's values for merges that lacked approvals."""

from __future__ import annotations

from typing import Literal

from headgate.model.fields import Commit, ListOf, Name, StrictModel, Text, Texts


class UnapprovedMerge(StrictModel):
    """A merge request that somebody merged with fewer approvals than headgate.yaml requires."""

    request: Text
    """The merge request: `!12`."""
    app: Name | None = None
    """The app; none for a change of many."""
    by: Text
    """Person who merged it."""
    commit: Commit
    """Commit that was merged."""
    merged_at: Text
    """When it was merged, as GitLab says."""
    needed: int
    """Approvals that were needed."""
    approved_by: Texts = ()
    """People whose approvals counted."""


class UnapprovedMerges(StrictModel):
    """unapproved.yaml: merges to an environment with fewer approvals than headgate.yaml requires."""

    version: Literal[1] = 1
    """Version of this file's format."""
    merges: ListOf[UnapprovedMerge] = ()
    """The merges, newest first, each until the app's next merge that has its approvals."""
