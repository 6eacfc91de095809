"""What is accepted and has not landed: the files beside a release.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from headgate.model.fields import Commit, Name, StrictModel, Text, Tree, as_tuple
from headgate.model.release import Newest, ReleasedConfig, ReleasedImage


class FailureRecord(StrictModel):
    """Why a group could not be rendered."""

    code: int
    """Exit code of that kind of error."""
    message: Text
    """What was wrong."""
    inputs: Text | None = None
    """Identifies what it was rendered from: with the same inputs it is not tried again by each push."""
    since: Commit
    """Commit of the manifest repository on which it was first tried."""


class GroupRecord(StrictModel):
    """group.yaml: the parts that one hand-off or promotion brought, accepted and not landed."""

    version: Literal[1] = 1
    """Version of this file's format."""
    images: Mapping[Name, ReleasedImage] = Field(default_factory=dict)
    """Its images, by their names in app.yaml."""
    config: ReleasedConfig | None = None
    """The app's config."""
    newest: Mapping[Name, Newest] = Field(default_factory=dict)
    """Newer than what it brings, which a person promoted all the same."""
    template: Tree | None = None
    """git's id of the template's files, where templates travel with releases."""
    promotion: Name | None = None
    """Environment that it was promoted from."""
    reasons: Annotated[tuple[Text, ...], BeforeValidator(as_tuple, json_schema_input_type=list[Text])] = ()
    """Why it is held."""
    failure: FailureRecord | None = None
    """Why it failed."""


class ProposalRecord(StrictModel):
    """proposal.yaml: what Headgate last put on a branch for review. The branch is made from it, not the other way."""

    version: Literal[1] = 1
    """Version of this file's format."""
    kind: Literal["release", "roll-back", "removal", "templates"] = "release"
    """What is proposed: pending groups, or a person's word; `templates` is a change of many apps."""
    changes: Text
    """Identifies what the branch's commit changes: another commit there is somebody else's."""
    output: Text | None = None
    """Identifies the final YAML that is proposed."""
    inputs: Text | None = None
    """Identifies what it was rendered from."""
    replaces: Text | None = None
    """Identifies the release and the final YAML on the default branch that it was made for."""
    actor: Text | None = None
    """Who decided it, where a person did."""
    reason: Text | None = None
    """Why, where a person decided it."""


class Rejection(Newest):
    """The newest version of a part that a person rejected."""

    by: Text | None = None
    """Who closed the merge request."""
    request: Text | None = None
    """The merge request: `!12`."""


class Rejected(StrictModel):
    """rejected.yaml: what people rejected by closing a merge request."""

    version: Literal[1] = 1
    """Version of this file's format."""
    parts: Mapping[Name, Rejection] = Field(default_factory=dict)
    """The newest rejected version of each part."""
