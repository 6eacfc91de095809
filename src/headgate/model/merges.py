"""The file next to an environment's values for merges that lacked approvals."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator

from headgate.model.fields import Commit, Name, StrictModel, Text, Texts, as_tuple


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
    """unapproved.yaml: what runs in an environment and was merged with fewer approvals than headgate.yaml requires."""

    version: Literal[1] = 1
    """Version of this file's format."""
    merges: Annotated[
        tuple[UnapprovedMerge, ...], BeforeValidator(as_tuple, json_schema_input_type=list[UnapprovedMerge])
    ] = ()
    """The merges, newest first, each until the app's next merge that has its approvals."""
