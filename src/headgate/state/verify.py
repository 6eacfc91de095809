"""Compares the committed final YAML with a fresh hydration, and finds who changed the differences."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from headgate.hydration.hydrate import HydrateOptions, hydrate
from headgate.hydration.plan import hold_reason
from headgate.hydration.record import RECORD, read_record
from headgate.paths import INPUTS
from headgate.records import frozen_record
from headgate.releases.release import read_release
from headgate.repository.gitlog import below, pieces
from headgate.state.status import is_edited

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from headgate.configuration import Configuration
    from headgate.errors import HeadgateError
    from headgate.hydration.hydrate import Target
    from headgate.hydration.object_changes import ObjectChange
    from headgate.hydration.outcome import Outcome
    from headgate.notice import Notice
    from headgate.repository.git import Repository
    from headgate.repository.gitlog import LogEntry
    from headgate.repository.tree import Tree


VerificationState = Literal["equal", "stale", "edited", "waits", "empty", "failed", "orphaned"]
"""``stale``: the inputs changed since the hydration. ``edited``: by hand. ``waits``: stale, but pinned or frozen.
``empty``: nothing handed off yet. ``orphaned``: a folder of a removed app or environment.
"""
DifferenceKind = Literal["changed", "missing", "left", "added", "record"]
"""``left``: hydration wrote it once and would not now. ``added``: only a person can have added it. ``record``:
Headgate's record does not match the files.
"""


@frozen_record
class Difference:
    """One file that is not as hydrated.

    ``last_commit`` is the last one that changed it, None when git does not reach back so far; ``by_hand`` says that it
    was no hydration.
    """

    file: str
    kind: DifferenceKind
    change: ObjectChange | None = None
    last_commit: LogEntry | None = None
    by_hand: bool = False


@frozen_record
class Verification:
    """How one app in one environment compares."""

    app: str
    environment: str
    folder: str
    state: VerificationState
    differences: tuple[Difference, ...] = ()
    error: HeadgateError | None = None
    warnings: tuple[Notice, ...] = ()

    @property
    def is_wrong(self) -> bool:
        """Whether the committed files are wrong."""
        return self.state in ("stale", "edited", "orphaned")


def verdicts(
    tree: Tree,
    configuration: Configuration,
    targets: Sequence[Target],
    progress: Callable[[str, str], None] = lambda _app, _environment: None,
) -> list[Verification]:
    """Hydrate the targets and compare, without writing. Raises LockError, ToolError."""
    options = HydrateOptions(everything=True, allow_removals=True, explicit=True, repeats_findings=True)
    outcomes = hydrate(tree, configuration, targets, options, progress)
    return [
        _verification(tree, configuration, target, outcome) for target, outcome in zip(targets, outcomes, strict=True)
    ]


_STATES: dict[str, VerificationState] = {"failed": "failed", "waiting": "empty"}


def _verification(tree: Tree, configuration: Configuration, target: Target, outcome: Outcome) -> Verification:
    verification = Verification(
        app=outcome.app,
        environment=outcome.environment,
        folder=outcome.folder,
        state=_STATES.get(outcome.state, "equal"),
        error=outcome.error,
        warnings=outcome.warnings,
    )
    if outcome.state in _STATES:
        return verification
    kinds: dict[str, DifferenceKind] = {"added": "missing", "changed": "changed", "removed": "left"}
    differences = [
        Difference(file=f"{outcome.folder}/{change.file}", kind=kinds[change.action], change=change)
        for change in outcome.objects
    ]
    added = _added_files(tree, outcome.folder)
    edited = is_edited(tree, outcome.folder)
    if edited and not differences and not added:
        differences = [Difference(file=f"{outcome.folder}/{RECORD}", kind="record")]
    if not differences and not added:
        return verification
    release = read_release(tree, *target)
    is_held = bool(hold_reason(configuration, target[0], outcome.environment, release))
    state: VerificationState = "edited" if edited or added else "waits" if is_held else "stale"
    return replace(verification, state=state, differences=(*differences, *added))


def _added_files(tree: Tree, folder: str) -> list[Difference]:
    ours = {f"{folder}/{name}" for name in (*read_record(tree, folder).files, RECORD)}
    return [Difference(file=path, kind="added") for path in tree.paths(folder) if path not in ours]


def orphans(tree: Tree, configuration: Configuration) -> list[Verification]:
    """Return the output folders of removed apps and environments. A broken app counts as present."""
    environments = list(configuration.settings.environments)
    unknown = [path.rsplit("/", 1)[1] for path in configuration.broken]
    alive = {configuration.output_folder(record.name, name) for record, name in configuration.pairs()}
    alive |= {configuration.output_folder(app, name) for app in unknown for name in environments}
    orphaned = []
    for path in tree.paths():
        folder = path.removesuffix(f"/{RECORD}")
        if folder != path and folder not in alive and path.split("/", 1)[0] not in INPUTS:
            differences = tuple(Difference(file=file, kind="left") for file in tree.paths(folder) if file != path)
            differences = differences or (Difference(file=path, kind="left"),)
            orphan = Verification(app="", environment="", folder=folder, state="orphaned", differences=differences)
            orphaned.append(orphan)
    return orphaned


def strays(
    tree: Tree, configuration: Configuration, target: Configuration, base: Tree, unrendered: Collection[str]
) -> list[Verification]:
    """Return what a merge request changes in and next to output folders and no hydration wrote: Flux applies it too.

    ``base`` is its target, with the configuration ``target``: files that are equal there are not the merge request's,
    and folders that Flux applies now count even when the merge request gives them up. In the folders ``unrendered``
    nothing was hydrated to compare with, so that their records prove nothing.
    """
    outputs = _outputs(configuration)
    rendered = outputs.keys() - unrendered
    ours = {f"{folder}/{name}" for folder in rendered for name in (*read_record(tree, folder).files, RECORD)}
    outputs = _outputs(target) | outputs
    differences: dict[str, list[Difference]] = {}
    for path in tree.paths():
        if path in ours or base.oid(path) == tree.oid(path) or not path.endswith(_APPLIED):
            continue
        folder = _nearest_output(path, outputs)  # last, since it is slow
        if folder is not None:
            kind: DifferenceKind = "changed" if path in base else "added"
            differences.setdefault(folder, []).append(Difference(file=path, kind=kind))
    for folder in unrendered:
        if RECORD in {path.rpartition("/")[2] for path in tree.paths(folder)}:  # otherwise it is not here yet
            gone = [Difference(file=path, kind="missing") for path in base.paths(folder) if path not in tree]
            differences.setdefault(folder, []).extend(gone)
    return [
        Verification(
            app="", environment=outputs.get(folder, ""), folder=folder, state="edited", differences=tuple(files)
        )
        for folder, files in differences.items()
        if files
    ]


def _outputs(configuration: Configuration) -> dict[str, str]:
    """Return the environments of all output folders."""
    return {configuration.output_folder(record.name, name): name for record, name in configuration.pairs()}


def without(verifications: Sequence[Verification], files: Collection[str]) -> list[Verification]:
    """Return the verifications without these files, and without those that have no other differences."""
    remaining = [
        replace(
            verification,
            differences=tuple(difference for difference in verification.differences if difference.file not in files),
        )
        for verification in verifications
    ]
    return [verification for verification in remaining if verification.differences]


_APPLIED = (".yaml", ".yml", ".json", "/Kustomization", "/.sourceignore")
"""The endings of file names that Flux and Kustomize read. What the last one excludes leaves the cluster."""


def _nearest_output(path: str, outputs: Mapping[str, str]) -> str | None:
    """Return the output folder that contains a file, else the parent of output folders that does, or None."""
    above = path.split("/")[:-1]
    for depth in range(len(above), 0, -1):
        folder = "/".join(above[:depth])
        if folder in outputs:
            return folder
    parents = {folder.rpartition("/")[0] for folder in outputs} - {""}
    return next((parent for parent in sorted(parents, key=len) if path.startswith(f"{parent}/")), None)


def with_last_commits(verifications: Sequence[Verification], repository: Repository, head: str) -> list[Verification]:
    """Return the verifications with the last commit of each file that differs, as far as git reaches back."""
    files = {difference.file for verification in verifications for difference in verification.differences}
    last_commits = _last_commits(
        repository, head, files, [verification.folder for verification in verifications if verification.differences]
    )
    return [
        replace(verification, differences=_with_commits(verification, last_commits)) for verification in verifications
    ]


def _last_commits(
    repository: Repository, head: str, files: Collection[str], folders: Sequence[str]
) -> dict[str, LogEntry]:
    commits: dict[str, LogEntry] = {}
    for logged in pieces(repository, head, [below(folder) for folder in folders]) if folders else ():
        for commit in logged:
            for change in commit.files:
                if change.path in files:
                    commits.setdefault(change.path, commit)
        if len(commits) == len(files):
            break
    return commits


def _with_commits(verification: Verification, last_commits: Mapping[str, LogEntry]) -> tuple[Difference, ...]:
    """Distinguish edits by hand from hydrations, which write their record in the same commit."""
    record = f"{verification.folder}/{RECORD}"
    differences = []
    for difference in verification.differences:
        commit = last_commits.get(difference.file)
        is_alone = commit is not None and all(change.path != record for change in commit.files)
        differences.append(
            replace(difference, last_commit=commit, by_hand=difference.kind in ("added", "record") or is_alone)
        )
    if verification.state == "edited" and not any(difference.by_hand for difference in differences):
        differences = [replace(difference, by_hand=True) for difference in differences]  # squashed with a hydration
    return tuple(differences)


def has_all_commits(verifications: Sequence[Verification]) -> bool:
    """Whether the last commit of each difference is known."""
    return all(
        difference.last_commit is not None for verification in verifications for difference in verification.differences
    )
