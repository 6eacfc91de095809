"""OCI artifacts with the default branch's final YAML: git stays the truth, and any later run completes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from headgate.clusters import clusters_of
from headgate.errors import ConfigError, HeadgateError, Location
from headgate.landing.workspace import refreshed
from headgate.paths import SETTINGS
from headgate.records import frozen_record
from headgate.registry.artifact import flux_artifact
from headgate.registry.repository import open_repository
from headgate.registry.signature import VARIABLE, read_key
from headgate.registry.upload import push_artifact, sign, tagged_artifact
from headgate.repository.tree import Tree, prefetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    from headgate.configuration import Configuration
    from headgate.landing.workspace import Workspace
    from headgate.model import Settings
    from headgate.registry.credentials import RegistryAccess

_TRIES = 5


@frozen_record
class _ArtifactTarget:
    """What an artifact should hold: files by their paths in it. ``verifier``: a cluster that takes signed ones only."""

    repository: str
    tag: str
    files: Tree
    verifier: str = ""


def write_artifacts(
    workspace: Workspace, access: Callable[[Settings], RegistryAccess], key_file: str = ""
) -> Iterator[str]:
    """Bring all artifacts to the newest commit of the default branch, and yield a message for each that is pushed.

    With a ``key_file`` they are signed, also those that were pushed before without it.
    Looks again at the end, since another run may have been faster: the last one to look sees the newest. Raises the
    first error, when all others are done.
    """
    environments = workspace.configuration.settings.environments.values()
    if workspace.target is not None or not any(environment.output.oci for environment in environments):
        return
    key = read_key(key_file) if key_file else None
    errors: list[HeadgateError] = []
    for _ in range(_TRIES):
        newest = refreshed(workspace)
        registries = access(newest.configuration.settings)
        for target in _targets(newest):
            try:
                yield from _write(newest, target, registries, key)
            except HeadgateError as error:
                errors.append(error)
        if errors or refreshed(newest).base == newest.base:
            break
    if errors:
        raise errors[0]


def _targets(workspace: Workspace) -> list[_ArtifactTarget]:
    """Return the files of each artifact, in the order of the environments. No files mean an empty artifact."""
    configuration: Configuration = workspace.configuration
    found: dict[tuple[str, str], Tree] = {}
    verifiers: dict[tuple[str, str], str] = {}
    for name, settings in configuration.settings.environments.items():
        oci = settings.output.oci
        if oci is not None and "{app}" not in oci.repository:
            found[oci.repository.replace("{environment}", name), oci.tag] = Tree({})
    for record, environment in configuration.pairs():
        if (placed := configuration.artifact(record.name, environment)) is not None:
            artifact, folder = placed
            files = workspace.tree.folder(configuration.output_folder(record.name, environment))
            inside = Tree({f"{folder}/{path}" if folder else path: files.blob(path) for path in files.paths()})
            key = (artifact.repository, artifact.tag)
            found[key] = found.get(key, Tree({})).joined(inside)
            verifiers.setdefault(key, _verifier(configuration.settings, environment))
    return [
        _ArtifactTarget(repository=key[0], tag=key[1], files=files, verifier=verifiers.get(key, ""))
        for key, files in found.items()
    ]


def _verifier(settings: Settings, environment: str) -> str:
    """Return the name of a cluster of an environment that accepts only signed artifacts; empty if none does."""
    clusters = clusters_of(settings, environment).items()
    return next((name for name, cluster in clusters if cluster.flux is not None and cluster.flux.cosign), "")


def _write(
    workspace: Workspace, target: _ArtifactTarget, access: RegistryAccess, key: EllipticCurvePrivateKey | None
) -> Iterator[str]:
    """Push one artifact, unless the tag names one with these files, and sign it. Raises RegistryError, ConfigError.

    The tag that Flux reads is pushed last, so Flux never finds an artifact without its signature.
    """
    if target.verifier and key is None:
        raise ConfigError(
            f"the cluster '{target.verifier}' takes signed artifacts only, and there is no key to sign with",
            where=Location(SETTINGS, key=f"clusters.{target.verifier}.flux.cosign"),
            hint=f"give the project the variable {VARIABLE}: type File, protected, with the private key in PEM",
        )
    with open_repository(target.repository, access, "pull,push") as repository:
        known, digest = tagged_artifact(repository, target.tag)
        if known == target.files.id or (not known and not len(target.files)):
            if known and key is not None and sign(repository, digest, key):
                yield f"signed {target.repository}@{digest}"
            return
        prefetch(target.files)
        algorithm = "sha1" if len(workspace.base) == _SHA1 else "sha256"
        gitlab = workspace.configuration.settings.gitlab
        artifact = flux_artifact(
            {path: target.files.read(path) for path in target.files.paths()},
            source=f"{gitlab.url}/{gitlab.project}.git" if gitlab is not None else "",
            revision=f"{workspace.branch}@{algorithm}:{workspace.base}",
            created=_time_of(workspace),
            tree=target.files.id,
        )
        push_artifact(repository, artifact, (workspace.base,))
        if key is not None:
            sign(repository, artifact.digest, key)
        push_artifact(repository, artifact, (target.tag,))
    signed = ", signed" if key is not None else ""
    yield f"pushed {target.repository}:{workspace.base[:12]}@{artifact.digest}{signed}"


_SHA1 = 40


def _time_of(workspace: Workspace) -> str:
    """Return when the commit was made, in UTC: the same commit gives the same artifact."""
    seconds = workspace.repository.git("log", "--no-walk", "--format=%ct", "--end-of-options", workspace.base)
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
