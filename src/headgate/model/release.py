"""release.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from headgate.model.fields import Commit, Digest, Name, Project, StrictModel, Text, Tree, as_tuple


class Part(StrictModel):
    """Where a part of a release came from."""

    project: Project
    """Project that handed it off."""
    project_id: int | None = None
    """Number of that project in GitLab, pinned at the first hand-off."""
    commit: Commit
    """Commit it was built from."""
    ref: Text
    """Branch or tag, in full: `refs/heads/main`."""
    pipeline: int | None = None
    """Number of the pipeline that handed it off."""
    actor: Text | None = None
    """Person whose pipeline or command it was."""


class ReleasedImage(Part):
    """An image of a release."""

    repository: Text
    """Repository without tag."""
    tag: Text
    """Tag that was handed off."""
    digest: Digest
    """Digest that it stood for then; this is what runs."""

    @property
    def reference(self) -> str:
        """The image as containers name it: ``repository:tag@sha256:...``."""
        return f"{self.repository}:{self.tag}@{self.digest}"


class ReleasedDependency(StrictModel):
    """A chart or a Kustomize base from elsewhere, that an app's config was completed with."""

    url: Text
    """Where it is from: a chart repository, or a git repository."""
    name: Text | None = None
    """Name of the chart."""
    version: Text | None = None
    """Version of the chart."""
    digest: Digest | None = None
    """Digest of the chart's archive."""
    commit: Commit | None = None
    """Commit of the git repository."""
    folder: Text
    """Where its files lie in `config/`."""


class ReleasedConfig(Part):
    """The app's config in a release. Its files lie beside the release in `config/`."""

    path: Text
    """Folder in the project's repository."""
    dependencies: Annotated[
        tuple[ReleasedDependency, ...], BeforeValidator(as_tuple, json_schema_input_type=list[ReleasedDependency])
    ] = ()
    """What it was completed with from elsewhere."""


class Newest(StrictModel):
    """The newest that was ever released of a part, which a rollback does not lower."""

    commit: Commit
    """Commit it was built from."""
    ref: Text
    """Branch or tag, in full, by which tags are ordered."""
    pipeline: int | None = None
    """Number of the pipeline that handed it off."""
    tag: Text | None = None
    """Tag of the image."""
    digest: Digest | None = None
    """Digest of the image."""


class PinRecord(StrictModel):
    """Why automatic hand-offs do not reach an app here."""

    by: Text
    """Who pinned it."""
    reason: Text
    """Why."""
    since: Commit
    """Commit of the manifest repository from which on it holds."""


class FreezeRecord(StrictModel):
    """frozen.yaml: why automatic hand-offs reach no app of an environment."""

    version: Literal[1] = 1
    """Version of this file's format."""
    by: Text
    """Who froze it."""
    reason: Text
    """Why."""
    since: Commit
    """Commit of the manifest repository from which on it holds."""


class Release(StrictModel):
    """release.yaml: what one app runs in one environment. Written by Headgate, and by nobody else."""

    version: Literal[1] = 1
    """Version of this file's format."""
    images: Mapping[Name, ReleasedImage] = Field(default_factory=dict)
    """The images, by their names in app.yaml."""
    config: ReleasedConfig | None = None
    """The app's config."""
    newest: Mapping[Name, Newest] = Field(default_factory=dict)
    """The newest ever released, per part (`config` for the config)."""
    pin: PinRecord | None = None
    """Set while automatic hand-offs do not reach the app here."""
    template: Tree | None = None
    """git's id of the template's files (`templates/.versions/ID/`), where templates travel with releases."""
