"""The files next to a release.yaml for groups that are accepted and have not landed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from headgate.model.fields import Commit, ListOf, Name, StrictModel, Text, Tree
from headgate.model.release import Newest, ReleasedConfig, ReleasedImage


class FailureRecord(StrictModel):
    """Why a group could not be rendered."""

    code: int
    """Exit code of the error."""
    message: Text
    """Message of the error."""
    inputs: Text | None = None
    """Identifies the inputs of the render: a push does not retry it with the same inputs."""
    since: Commit
    """Commit of the manifest repository at the first attempt."""


class GroupRecord(StrictModel):
    """group.yaml: the parts of a hand-off or promotion that is accepted and has not landed."""

    version: Literal[1] = 1
    """Version of this file's format."""
    images: Mapping[Name, ReleasedImage] = Field(default_factory=dict)
    """Its images, by their names in app.yaml."""
    config: ReleasedConfig | None = None
    """The app's config."""
    newest: Mapping[Name, Newest] = Field(default_factory=dict)
    """Versions newer than those of the group, which a person promoted anyway."""
    template: Tree | None = None
    """Git id of the template's files, with `templates: promote`."""
    promotion: Name | None = None
    """Environment from which it was promoted."""
    reasons: ListOf[Text] = ()
    """Why it is held."""
    failure: FailureRecord | None = None
    """Why it failed."""


class ProposalRecord(StrictModel):
    """proposal.yaml: the last proposal of Headgate on a review branch, from which the branch can be recreated."""

    version: Literal[1] = 1
    """Version of this file's format."""
    kind: Literal["release", "roll-back", "removal", "templates"] = "release"
    """Type of the proposal: pending groups, a person's decision, or `templates` for a change of many apps."""
    changes: Text
    """Identifies the changes of the branch's commit: any other commit there is foreign."""
    output: Text | None = None
    """Identifies the proposed final YAML."""
    inputs: Text | None = None
    """Identifies the inputs of the render."""
    replaces: Text | None = None
    """Identifies the release and final YAML on the default branch that it replaces."""
    actor: Text | None = None
    """Person who decided it, if any."""
    reason: Text | None = None
    """The person's reason."""


class Rejection(Newest):
    """The newest rejected version of a part."""

    by: Text | None = None
    """Person who closed the merge request."""
    request: Text | None = None
    """The merge request: `!12`."""


class Rejected(StrictModel):
    """rejected.yaml: versions that people rejected by closing a merge request."""

    version: Literal[1] = 1
    """Version of this file's format."""
    parts: Mapping[Name, Rejection] = Field(default_factory=dict)
    """The newest rejected version of each part."""
