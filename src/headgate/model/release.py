"""release.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from headgate.model.fields import Commit, Digest, ListOf, Name, Project, StrictModel, Text, Tree


class Part(StrictModel):
    """The source of a part of a release."""

    project: Project
    """Project that handed it off."""
    project_id: int | None = None
    """Id of that project in GitLab, fixed at the first hand-off."""
    commit: Commit
    """Commit it was built from."""
    ref: Text
    """Full name of the branch or tag: `refs/heads/main`."""
    pipeline: int | None = None
    """Id of the pipeline that handed it off."""
    actor: Text | None = None
    """Person who started the pipeline or command."""


class ReleasedImage(Part):
    """An image of a release."""

    repository: Text
    """Repository without tag."""
    tag: Text
    """Tag in the hand-off."""
    digest: Digest
    """Digest of the tag at that time; containers run this digest."""

    @property
    def reference(self) -> str:
        """The reference in containers: ``repository:tag@sha256:...``."""
        return f"{self.repository}:{self.tag}@{self.digest}"


class ReleasedDependency(StrictModel):
    """An external chart or Kustomize base that completes an app's config."""

    url: Text
    """Chart repository or git repository."""
    name: Text | None = None
    """Name of the chart."""
    version: Text | None = None
    """Version of the chart."""
    digest: Digest | None = None
    """Digest of the chart's archive."""
    commit: Commit | None = None
    """Commit of the git repository."""
    folder: Text
    """Folder of its files in `config/`."""


class ReleasedConfig(Part):
    """The app's config in a release. Its files are next to the release, in `config/`."""

    path: Text
    """Folder in the project's repository."""
    dependencies: ListOf[ReleasedDependency] = ()
    """External charts and bases that complete it."""


class Newest(StrictModel):
    """The newest version of a part that was ever released, which a roll-back does not lower."""

    commit: Commit
    """Commit it was built from."""
    ref: Text
    """Full name of the branch or tag, by which tags are ordered."""
    pipeline: int | None = None
    """Id of the pipeline that handed it off."""
    tag: Text | None = None
    """Tag of the image."""
    digest: Digest | None = None
    """Digest of the image."""


class PinRecord(StrictModel):
    """A pin, which holds automatic hand-offs of an app in an environment."""

    by: Text
    """Person who pinned it."""
    reason: Text
    """Reason for the pin."""
    since: Commit
    """Commit of the manifest repository at that time."""


class FreezeRecord(StrictModel):
    """frozen.yaml: a freeze, which holds automatic hand-offs of all apps in an environment."""

    version: Literal[1] = 1
    """Version of this file's format."""
    by: Text
    """Person who froze it."""
    reason: Text
    """Reason for the freeze."""
    since: Commit
    """Commit of the manifest repository at that time."""


class Release(StrictModel):
    """release.yaml: what an app runs in an environment. Only Headgate writes it."""

    version: Literal[1] = 1
    """Version of this file's format."""
    images: Mapping[Name, ReleasedImage] = Field(default_factory=dict)
    """The images, by their names in app.yaml."""
    config: ReleasedConfig | None = None
    """The app's config."""
    newest: Mapping[Name, Newest] = Field(default_factory=dict)
    """The newest version ever released, by part (`config` for the config)."""
    pin: PinRecord | None = None
    """Set while the app is pinned here."""
    template: Tree | None = None
    """Git id of the template's files (`templates/.versions/ID/`), with `templates: promote`."""
