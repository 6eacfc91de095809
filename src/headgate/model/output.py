"""Where final YAML is: its folder, and the copies of it."""

from __future__ import annotations

from typing import Annotated

from headgate.model.fields import Branch, SafeFolder, StrictModel, pattern

# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
_WORD = r"([a-z0-9]|\{app\}|\{environment\})+"
ArtifactRepository = Annotated[
    str,
    pattern(
        rf"^[a-z0-9.-]+(:\d{{1,5}})?(/{_WORD}([._-]+{_WORD})*)+$",
        "a repository in a registry, such as registry.example.com/platform/manifests/{environment}",
    ),
]
ArtifactTag = Annotated[str, pattern(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", "a tag such as latest")]


class Mirror(StrictModel):
    """A branch with a copy of an environment's YAML from the default branch."""

    branch: Branch
    """Branch to write; may contain `{environment}`."""
    path: SafeFolder = "{app}"
    """Folder of an app on that branch; may contain `{environment}` and `{app}`."""
    metadata: bool = False
    """Write `hydrator.metadata`, by which GitOps Promoter knows the commit that the branch repeats."""


class Artifact(StrictModel):
    """OCI artifacts with a copy of an environment's YAML from the default branch, which Flux reads."""

    repository: ArtifactRepository
    """Repository in a registry; contains `{environment}` where several have one, `{app}` for an artifact per app."""
    tag: ArtifactTag = "latest"
    """Tag of the newest artifact, in addition to the tag of its commit."""


class Output(StrictModel):
    """Location of the final YAML."""

    path: SafeFolder = "deploy/{environment}/{app}"
    """Folder of an app in an environment; may contain `{environment}` and `{app}`."""
    mirror: Mirror | None = None
    """A branch with a copy of the YAML."""
    oci: Artifact | None = None
    """OCI artifacts with a copy of the YAML."""
