"""Where each app stands in each environment: what runs, since when, and what keeps it from being what it should."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from headgate.errors import HeadgateError, LockError, ToolError
from headgate.hydration import output
from headgate.hydration.hydrate import HydrateOptions, hydrate
from headgate.releases.decide import cleaned
from headgate.releases.deepen import deepening
from headgate.releases.last_change import last_changes
from headgate.releases.pending import NOTHING_PENDING, held_release, read_pending, read_records_ahead
from headgate.releases.release import NOTHING, known_parts, read_released, release_file
from headgate.releases.windows import closed
from headgate.state.proposals import open_proposals

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from headgate.config import AppRecord, Configuration
    from headgate.flux.verdict import Health
    from headgate.hydration.hydrate import Outcome, Target
    from headgate.landing.workspace import Workspace
    from headgate.model import FreezeRecord, PinRecord, Release
    from headgate.releases.last_change import LastChange, Owner
    from headgate.releases.pending import Group, Pending
    from headgate.releases.release import Released
    from headgate.repository.tree import Tree
    from headgate.state.proposals import Proposed


@dataclass(frozen=True)
class AppStatus:
    """One app in one environment.

    ``state`` is ``current``, ``stale`` (what is there is not what its inputs give now), ``held`` (the same, but it is
    pinned or frozen: a change of a template or of values waits), ``failed`` (it cannot be rendered, see ``error``),
    ``empty`` (for the first hand-off of a part, see ``waits_for``) or ``unknown``. ``edited`` names files of the
    final YAML that are not as they were written. ``waiting`` is the release that it comes to with what is ``held``;
    ``failed`` is what could not be rendered, and ``closed`` says that its windows are. ``foreign`` are files of
    somebody else's in the folder of its final YAML, which Flux applies too. ``health`` is Flux' verdict, None where
    nothing is landed, or nothing says.
    """

    app: str
    environment: str
    release: Release | None
    state: str
    landing: LastChange | None = None
    freeze: FreezeRecord | None = None
    waiting: Release | None = None
    held: tuple[Group, ...] = ()
    failed: tuple[Group, ...] = ()
    closed: str = ""
    proposed: Proposed | None = None
    edited: bool = False
    foreign: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()
    error: HeadgateError | None = None
    health: Health | None = None

    @property
    def pin(self) -> PinRecord | None:
        """Why no hand-off reaches it by itself."""
        return self.release.pin if self.release else None


@dataclass(frozen=True)
class Status:
    """All standings. ``notes`` say what could not be found out."""

    standings: tuple[AppStatus, ...]
    notes: tuple[str, ...] = ()


def read_status(
    workspace: Workspace,
    tree: Tree,
    configuration: Configuration,
    targets: Sequence[Target],
    progress: Callable[[str, str], None] = lambda _app, _environment: None,
) -> Status:
    """Return where the targets stand. What is not current is rendered, to see whether that changes anything."""
    notes: list[str] = []
    outcomes = _outcomes(tree, configuration, targets, progress, notes)
    landed = find_arrivals(workspace, {_owner(target) for target in targets if release_file(*target) in tree})
    proposed = _proposals(workspace, configuration, tree, notes)
    read_records_ahead(tree, [record.release_folder(environment) for record, environment in targets])
    standings = [
        _standing(tree, configuration, target, outcomes, landed.get(_owner(target)), proposed.get(_owner(target)))
        for target in targets
    ]
    return Status(tuple(standings), tuple(notes))


def _owner(target: Target) -> Owner:
    return target[0].name, target[1]


def _outcomes(
    tree: Tree,
    configuration: Configuration,
    targets: Sequence[Target],
    progress: Callable[[str, str], None],
    notes: list[str],
) -> dict[Owner, Outcome]:
    try:
        found = hydrate(tree, configuration, targets, HydrateOptions(allow_removals=True, explicit=True), progress)
    except (LockError, ToolError) as error:
        notes.append(f"whether the final YAML is current is not known: {error}")
        return {}
    return {(one.app, one.environment): one for one in found}


_DEPTHS = (50, 500)  # ages are worth no more


def find_arrivals(workspace: Workspace, wanted: Collection[Owner]) -> dict[Owner, LastChange]:
    """Return when what runs last changed, where that is not long ago; the past is fetched as far as it is needed."""
    found: dict[Owner, LastChange] = {}
    if not wanted:
        return found
    with deepening(workspace.repository, workspace.remote, workspace.base, _DEPTHS) as repositories:
        try:
            for repository in repositories:
                found = last_changes(repository, workspace.base, wanted)
                if len(found) == len(wanted):
                    break
        except HeadgateError:  # the remote does not answer: what is here must do
            pass
    return found


def _proposals(
    workspace: Workspace, configuration: Configuration, tree: Tree, notes: list[str]
) -> Mapping[Owner, Proposed]:
    try:
        return open_proposals(workspace, configuration, tree)
    except HeadgateError as error:
        notes.append(f"what is proposed is not known: {error}")
        return {}


def _standing(
    tree: Tree,
    configuration: Configuration,
    target: Target,
    outcomes: Mapping[Owner, Outcome],
    arrival: LastChange | None,
    proposed: Proposed | None,
) -> AppStatus:
    record, environment = target
    landed, pending, problem = _read(tree, record, environment)
    release = landed.release if landed else None
    outcome = outcomes.get(_owner(target))
    freeze = configuration.frozen.get(environment)
    held = freeze is not None or (release is not None and release.pin is not None)
    folder = configuration.output_folder(record.name, environment)
    return AppStatus(
        record.name,
        environment,
        release,
        _state(outcome, held=held),
        arrival,
        freeze,
        held_release(landed, pending.held),
        (*pending.held, *pending.diverged),
        pending.failed,
        closed(environment, configuration.environment(environment).windows, datetime.now(UTC)),
        proposed,
        is_edited(tree, folder),
        _foreign(tree, folder),
        outcome.waits_for if outcome else (),
        problem or (outcome.error if outcome else None),
    )


_STATES = {"unchanged": "current", "changed": "stale", "waiting": "empty", "failed": "failed"}


def _state(outcome: Outcome | None, *, held: bool) -> str:
    state = _STATES[outcome.state] if outcome else "unknown"
    return "held" if held and state == "stale" else state


def _read(tree: Tree, record: AppRecord, environment: str) -> tuple[Released | None, Pending, HeadgateError | None]:
    """Return what is landed and what is pending, as far as it can be read, and what is wrong with them."""
    folder, landed = record.release_folder(environment), None
    try:
        landed = read_released(tree, folder)
        pending = cleaned(landed or NOTHING, read_pending(tree, folder, landed), known_parts(record, environment))
    except HeadgateError as error:
        return landed, NOTHING_PENDING, error
    return landed, pending, None


def _foreign(tree: Tree, folder: str) -> tuple[str, ...]:
    try:
        return tuple(output.foreign_files(tree, folder, output.read_record(tree, folder)))
    except HeadgateError:
        return ()


def is_edited(tree: Tree, folder: str) -> bool:
    """Whether files of the final YAML are not as a hydration wrote them, or the record of it cannot be read."""
    try:
        record = output.read_record(tree, folder)
    except HeadgateError:
        return True
    return record.output != "" and record.output != output.output_id(tree, folder, record.files)
