"""What is committed against what its inputs give: hydrated anew, compared, and who touched what differs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headgate.hydration import output
from headgate.hydration.hydrate import Options, hydrate
from headgate.hydration.output import RECORD
from headgate.hydration.plan import held
from headgate.layout import INPUTS
from headgate.releases.release import read_release
from headgate.repository.gitlog import below, pieces
from headgate.state.status import is_edited

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from headgate.config import Configuration
    from headgate.errors import HeadgateError
    from headgate.hydration.hydrate import Outcome, Target
    from headgate.hydration.output import ObjectChange
    from headgate.repository.git import Repository
    from headgate.repository.gitlog import Logged
    from headgate.repository.tree import Tree


@dataclass(frozen=True)
class Difference:
    """One file that is not as it should be.

    ``kind`` is ``changed``, ``missing``, ``left`` (hydration wrote it once and would not now), ``added`` (nobody but
    a person can have put it there) or ``record`` (what Headgate notes there does not fit the files). ``touched`` is
    the last commit that changed it, None when git does not reach back so far; ``by_hand`` says that this commit was
    no hydration.
    """

    file: str
    kind: str
    change: ObjectChange | None = None
    touched: Logged | None = None
    by_hand: bool = False


@dataclass(frozen=True)
class Verdict:
    """How one app in one environment compares.

    ``state`` is ``equal``, ``stale`` (its inputs changed and it was not hydrated since), ``edited`` (by hand),
    ``waits`` (it is pinned or frozen, and a change of its inputs waits), ``empty`` (nothing was handed off yet),
    ``failed`` (see ``error``) or ``orphaned`` (a folder whose app or environment is gone).
    """

    app: str
    environment: str
    folder: str
    state: str
    differences: tuple[Difference, ...] = ()
    error: HeadgateError | None = None
    warnings: tuple[str, ...] = ()

    @property
    def is_wrong(self) -> bool:
        """Whether what is committed is not what it should be."""
        return self.state in ("stale", "edited", "orphaned")


def verdicts(
    tree: Tree,
    configuration: Configuration,
    targets: Sequence[Target],
    progress: Callable[[str, str], None] = lambda _app, _environment: None,
) -> list[Verdict]:
    """Hydrate the targets anew and compare. Nothing is written. Raises LockError, ToolError."""
    options = Options(everything=True, allow_removals=True, explicit=True, tells_all=True)
    outcomes = hydrate(tree, configuration, targets, options, progress)
    return [_verdict(tree, configuration, target, one) for target, one in zip(targets, outcomes, strict=True)]


_STATES = {"failed": "failed", "waiting": "empty"}


def _verdict(tree: Tree, configuration: Configuration, target: Target, one: Outcome) -> Verdict:
    blank = Verdict(
        one.app, one.environment, one.folder, _STATES.get(one.state, "equal"), error=one.error, warnings=one.warnings
    )
    if one.state in _STATES:
        return blank
    kinds = {"added": "missing", "changed": "changed", "removed": "left"}
    found = [Difference(f"{one.folder}/{change.file}", kinds[change.action], change) for change in one.objects]
    added = _added(tree, one.folder)
    edited = is_edited(tree, one.folder)
    if edited and not found and not added:
        found = [Difference(f"{one.folder}/{RECORD}", "record")]
    if not found and not added:
        return blank
    release = read_release(tree, *target)
    state = (
        "edited"
        if edited or added
        else "waits"
        if held(configuration, target[0], one.environment, release)
        else "stale"
    )
    return replace(blank, state=state, differences=(*found, *added))


def _added(tree: Tree, folder: str) -> list[Difference]:
    """Find files in an output folder that no hydration wrote."""
    ours = {f"{folder}/{name}" for name in (*output.read_record(tree, folder).files, RECORD)}
    return [Difference(path, "added") for path in tree.paths(folder) if path not in ours]


def orphans(tree: Tree, configuration: Configuration) -> list[Verdict]:
    """Return the output folders whose app or environment is gone. Of a broken app nothing is known."""
    environments = list(configuration.settings.environments)
    unknown = [path.rsplit("/", 1)[1] for path in configuration.broken]
    alive = {configuration.output_folder(record.name, name) for record, name in configuration.pairs()}
    alive |= {configuration.output_folder(app, name) for app in unknown for name in environments}
    found = []
    for path in tree.paths():
        folder = path.removesuffix(f"/{RECORD}")
        if folder != path and folder not in alive and path.split("/", 1)[0] not in INPUTS:
            differences = tuple(Difference(one, "left") for one in tree.paths(folder) if one != path)
            found.append(Verdict("", "", folder, "orphaned", differences or (Difference(path, "left"),)))
    return found


def strays(tree: Tree, configuration: Configuration, base: Tree) -> list[Verdict]:
    """Return what a merge request brings in and beside output folders that no hydration wrote: Flux applies it too.

    ``base`` is what it is merged into: what is there already is nothing that it brings.
    """
    outputs = {configuration.output_folder(record.name, name): name for record, name in configuration.pairs()}
    ours = {f"{folder}/{name}" for folder in outputs for name in (*output.read_record(tree, folder).files, RECORD)}
    found: dict[str, list[Difference]] = {}
    for path in tree.paths():
        if path in ours or base.oid(path) == tree.oid(path) or not path.endswith(_APPLIED):
            continue
        folder = _around(path, outputs)  # last: it looks at every output folder
        if folder is not None:
            found.setdefault(folder, []).append(Difference(path, "added"))
    return [Verdict("", outputs.get(folder, ""), folder, "edited", tuple(files)) for folder, files in found.items()]


def without(found: Sequence[Verdict], files: Collection[str]) -> list[Verdict]:
    """Return verdicts without files of which is told already, and without those of which nothing is left."""
    left = [
        replace(one, differences=tuple(difference for difference in one.differences if difference.file not in files))
        for one in found
    ]
    return [one for one in left if one.differences]


_APPLIED = (".yaml", ".yml", ".json", "/Kustomization")
"""How the names end of what Flux and Kustomize read."""


def _around(path: str, outputs: Mapping[str, str]) -> str | None:
    """Return the output folder that a file is in, or the folder of output folders that it is beside of; or None."""
    above = path.split("/")[:-1]
    for depth in range(len(above), 0, -1):
        folder = "/".join(above[:depth])
        if folder in outputs:
            return folder
    parents = {folder.rpartition("/")[0] for folder in outputs} - {""}
    return next((parent for parent in sorted(parents, key=len) if path.startswith(f"{parent}/")), None)


def with_touches(found: Sequence[Verdict], repository: Repository, head: str) -> list[Verdict]:
    """Return the verdicts with the last commit that touched each file that differs, as far as git reaches back."""
    files = {difference.file for one in found for difference in one.differences}
    touches = _last_touches(repository, head, files, [one.folder for one in found if one.differences])
    return [replace(one, differences=_touched(one, touches)) for one in found]


def _last_touches(
    repository: Repository, head: str, files: Collection[str], folders: Sequence[str]
) -> dict[str, Logged]:
    found: dict[str, Logged] = {}
    for logged in pieces(repository, head, [below(folder) for folder in folders]) if folders else ():
        for one in logged:
            for change in one.files:
                if change.path in files:
                    found.setdefault(change.path, one)
        if len(found) == len(files):
            break
    return found


def _touched(verdict: Verdict, touches: Mapping[str, Logged]) -> tuple[Difference, ...]:
    """Tell by hand from hydration: a hydration writes its record in the same commit."""
    record = f"{verdict.folder}/{RECORD}"
    told = []
    for one in verdict.differences:
        touched = touches.get(one.file)
        alone = touched is not None and all(change.path != record for change in touched.files)
        told.append(replace(one, touched=touched, by_hand=one.kind in ("added", "record") or alone))
    if verdict.state == "edited" and not any(one.by_hand for one in told):
        told = [replace(one, by_hand=True) for one in told]  # squashed together with a hydration
    return tuple(told)


def is_whole(found: Sequence[Verdict]) -> bool:
    """Whether the last commit is known of all that differs."""
    return all(difference.touched is not None for one in found for difference in one.differences)
