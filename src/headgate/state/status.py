"""The status of each app in each environment: what runs, since when, and what is wrong or waits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from headgate.errors import HeadgateError, LockError, ToolError
from headgate.hydration import output
from headgate.hydration.hydrate import HydrateOptions, hydrate
from headgate.hydration.record import read_record
from headgate.records import frozen_record
from headgate.releases.decide import cleaned
from headgate.releases.deepen import RECENT_DEPTHS, deepening
from headgate.releases.last_change import last_changes
from headgate.releases.pending import NOTHING_PENDING, held_release
from headgate.releases.pending_files import read_pending, read_records_ahead
from headgate.releases.release import CONFIG, NOTHING, known_parts, read_released, release_file
from headgate.releases.unapproved import read_unapproved
from headgate.releases.windows import closed
from headgate.repository.tree import prefetch
from headgate.state.proposals import open_proposals

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from headgate.configuration import AppRecord, Configuration, Owner
    from headgate.flux.verdict import Health
    from headgate.hydration.hydrate import Target
    from headgate.hydration.outcome import Outcome
    from headgate.hydration.record import OutputRecord
    from headgate.landing.workspace import Workspace
    from headgate.model import FreezeRecord, PinRecord, Release, UnapprovedMerge
    from headgate.releases.pending import Group, Pending
    from headgate.releases.release import Released
    from headgate.repository.gitlog import LogEntry
    from headgate.repository.tree import Tree
    from headgate.state.proposals import Proposed


StatusState = Literal["current", "stale", "held", "failed", "empty", "unknown"]


@frozen_record
class AppStatus:
    """One app in one environment.

    ``state`` describes the final YAML: ``stale``, its inputs changed; ``held``, stale but pinned or frozen;
    ``failed``, it cannot be rendered (``error``); ``empty``, it waits for the first hand-off of ``waits_for``.
    ``edited``: the final YAML is not as hydrated. ``waiting`` is the release together with what is ``held``;
    ``failed`` are groups that could not be rendered; ``closed`` says that the windows are closed. ``foreign`` are
    files in its folder that Headgate did not write, which Flux applies too. ``flags`` are the risks of the final YAML,
    as it stands. ``health`` is Flux's verdict; None where nothing is landed, or nothing reports it. ``unapproved`` are
    merges of it that lacked approvals.
    """

    app: str
    environment: str
    release: Release | None
    state: StatusState
    last_change: LogEntry | None = None
    freeze: FreezeRecord | None = None
    waiting: Release | None = None
    held: tuple[Group, ...] = ()
    failed: tuple[Group, ...] = ()
    closed: str = ""
    proposed: Proposed | None = None
    edited: bool = False
    foreign: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    error: HeadgateError | None = None
    health: Health | None = None
    unapproved: tuple[UnapprovedMerge, ...] = ()

    @property
    def pin(self) -> PinRecord | None:
        """The pin that holds hand-offs."""
        return self.release.pin if self.release else None


@frozen_record(kw_only=False)
class Status:
    """The status of all apps. ``notes`` say what is unknown."""

    apps: tuple[AppStatus, ...]
    notes: tuple[str, ...] = ()


def read_status(
    workspace: Workspace,
    tree: Tree,
    configuration: Configuration,
    targets: Sequence[Target],
    progress: Callable[[str, str], None] = lambda _app, _environment: None,
) -> Status:
    """Return the status of the targets. Hydrates those with changed inputs to see whether the final YAML changes."""
    notes: list[str] = []
    outcomes = _outcomes(tree, configuration, targets, progress, notes)
    landed = find_last_changes(workspace, {_owner(target) for target in targets if release_file(*target) in tree})
    proposed = _proposals(workspace, configuration, tree, notes)
    folders = [record.release_folder(environment) for record, environment in targets]
    read_records_ahead(tree, folders)
    prefetch(tree, [f"{folder}/{CONFIG}" for folder in folders])
    environments = {name: _here(tree, configuration, name) for name in {name for _, name in targets}}
    apps = [
        _app_status(
            tree,
            target,
            environments[target[1]],
            outcomes.get(_owner(target)),
            landed.get(_owner(target)),
            proposed.get(_owner(target)),
            configuration.output_folder(target[0].name, target[1]),
        )
        for target in targets
    ]
    return Status(tuple(apps), tuple(notes))


@frozen_record(kw_only=False)
class _Here:
    """The facts that all apps of an environment share."""

    freeze: FreezeRecord | None
    closed: str
    unapproved: tuple[UnapprovedMerge, ...]


def _here(tree: Tree, configuration: Configuration, environment: str) -> _Here:
    windows = configuration.environment(environment).windows
    return _Here(
        freeze=configuration.frozen.get(environment),
        closed=closed(environment, windows, datetime.now(UTC)),
        unapproved=_unapproved(tree, environment),
    )


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
        outcomes = hydrate(tree, configuration, targets, HydrateOptions(allow_removals=True, explicit=True), progress)
    except (LockError, ToolError) as error:
        notes.append(f"cannot tell whether the final YAML is current: {error}")
        return {}
    return {(outcome.app, outcome.environment): outcome for outcome in outcomes}


def find_last_changes(workspace: Workspace, owners: Collection[Owner]) -> dict[Owner, LogEntry]:
    """Return the last change of each release, when recent; fetches history only as far as needed."""
    changes: dict[Owner, LogEntry] = {}
    if not owners:
        return changes
    with deepening(workspace.repository, workspace.remote, workspace.base, RECENT_DEPTHS) as repositories:
        try:
            for repository in repositories:
                changes = last_changes(repository, workspace.base, owners)
                if len(changes) == len(owners):
                    break
        except HeadgateError:  # the remote does not answer: use the local history
            pass
    return changes


def _proposals(
    workspace: Workspace, configuration: Configuration, tree: Tree, notes: list[str]
) -> Mapping[Owner, Proposed]:
    try:
        return open_proposals(workspace, configuration, tree)
    except HeadgateError as error:
        notes.append(f"cannot tell what is proposed: {error}")
        return {}


def _app_status(
    tree: Tree,
    target: Target,
    here: _Here,
    outcome: Outcome | None,
    last_change: LogEntry | None,
    proposed: Proposed | None,
    folder: str,
) -> AppStatus:
    record, environment = target
    landed, pending, problem = _read(tree, record, environment)
    release = landed.release if landed else None
    held = here.freeze is not None or (release is not None and release.pin is not None)
    written = _written(tree, folder)
    return AppStatus(
        app=record.name,
        environment=environment,
        release=release,
        state=_state(outcome, held=held),
        last_change=last_change,
        freeze=here.freeze,
        waiting=held_release(landed, pending.held),
        held=(*pending.held, *pending.diverged),
        failed=pending.failed,
        closed=here.closed,
        proposed=proposed,
        edited=written is None or _differs(tree, folder, written),
        foreign=tuple(output.foreign_files(tree, folder, written)) if written is not None else (),
        waits_for=outcome.waits_for if outcome else (),
        flags=written.flags if written is not None else (),
        unapproved=tuple(merge for merge in here.unapproved if merge.app in (None, record.name)),
        error=problem or (outcome.error if outcome else None),
    )


_STATES: dict[str, StatusState] = {"unchanged": "current", "changed": "stale", "waiting": "empty", "failed": "failed"}


def _state(outcome: Outcome | None, *, held: bool) -> StatusState:
    state: StatusState = _STATES[outcome.state] if outcome else "unknown"
    return "held" if held and state == "stale" else state


def _read(tree: Tree, record: AppRecord, environment: str) -> tuple[Released | None, Pending, HeadgateError | None]:
    """Return the landed and pending records as far as readable, and the error."""
    folder, landed = record.release_folder(environment), None
    try:
        landed = read_released(tree, folder)
        pending = cleaned(landed or NOTHING, read_pending(tree, folder, landed), known_parts(record, environment))
    except HeadgateError as error:
        return landed, NOTHING_PENDING, error
    return landed, pending, None


def _unapproved(tree: Tree, environment: str) -> tuple[UnapprovedMerge, ...]:
    try:
        return read_unapproved(tree, environment)
    except HeadgateError:
        return ()


def is_edited(tree: Tree, folder: str) -> bool:
    """Whether the final YAML differs from what hydration wrote, or its record is unreadable."""
    record = _written(tree, folder)
    return record is None or _differs(tree, folder, record)


def _written(tree: Tree, folder: str) -> OutputRecord | None:
    """Return hydration's record of a folder; None if it is unreadable."""
    try:
        return read_record(tree, folder)
    except HeadgateError:
        return None


def _differs(tree: Tree, folder: str, record: OutputRecord) -> bool:
    return record.output != "" and record.output != output.output_id(tree, folder, record.files)
