"""Compares the Flux objects with headgate.yaml, and checks that each output folder is read exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.errors import GuardError, Location
from headgate.flux.files import ClusterFiles, writes_flux_objects
from headgate.flux.readers import misread
from headgate.hydration.plan import hold_reason
from headgate.releases.release import read_release
from headgate.repository.tree import blob_id
from headgate.state.verify import Difference, Verification

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.configuration import Configuration
    from headgate.repository.tree import Tree
    from headgate.state.verify import VerificationState


def flux_verdicts(tree: Tree, configuration: Configuration) -> list[Verification]:
    """Return what is wrong below ``clusters/``, and output folders that Flux does not read, or reads twice."""
    found = _verdicts(tree, configuration) if writes_flux_objects(configuration.settings) else []
    for finding in misread(tree, configuration):
        error = GuardError(
            finding.problem, where=Location(finding.folder), hint="let exactly one Kustomization read it"
        )
        found.append(
            Verification(
                app=finding.app,
                environment=finding.environment,
                folder=finding.folder,
                state="failed",
                error=error,
            )
        )
    return found


def _verdicts(tree: Tree, configuration: Configuration) -> list[Verification]:
    by_folder: dict[str, list[Difference]] = {}
    held = _held(tree, configuration)
    for difference in _differences(tree, ClusterFiles(tree, configuration), held):
        by_folder.setdefault(difference.file.rpartition("/")[0], []).append(difference)
    return [
        Verification(app="", environment="", folder=folder, state=_state(found), differences=tuple(found))
        for folder, found in sorted(by_folder.items())
    ]


def _state(found: list[Difference]) -> VerificationState:
    """Return the state of a cluster's folder: files that differ were edited, or headgate.yaml changed."""
    return "edited" if any(difference.kind == "changed" for difference in found) else "stale"


def _held(tree: Tree, configuration: Configuration) -> set[tuple[str, str]]:
    """Return the held apps and environments, whose Flux objects may therefore be older."""
    return {
        (record.name, name)
        for record, name in configuration.pairs()
        if hold_reason(configuration, record, name, read_release(tree, record, name))
    }


def _differences(tree: Tree, files: ClusterFiles, held: set[tuple[str, str]]) -> Iterator[Difference]:
    for path, data in sorted(files.expected(without=held).items()):
        if path not in tree:
            yield Difference(file=path, kind="missing")
        elif tree.oid(path) != blob_id(data):
            yield Difference(file=path, kind="changed")
    yield from (Difference(file=path, kind="left") for path in files.leftovers())
