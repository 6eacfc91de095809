"""What every intent is: a frozen record that turns the state of a manifest repository into steps."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from headgate.errors import GitError, HeadgateError, RefusedError, did_you_mean
from headgate.releases.pending import NOTHING_PENDING
from headgate.releases.pending_files import read_pending
from headgate.releases.release import RELEASE, Released, read_released

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headgate.config import AppRecord, Configuration
    from headgate.hydration.hydrate import Outcome
    from headgate.intents.outcome import Decision
    from headgate.model import ProposalRecord
    from headgate.releases.pending import Pending
    from headgate.repository.tree import Changes, Tree


class Branches(Protocol):
    """The branches for review, as they are."""

    def problem(self, branch: str, record: ProposalRecord | None) -> str:
        """Say why a branch may not be written, given what we last put on it; nothing where it may."""

    def is_there(self, branch: str, record: ProposalRecord) -> bool:
        """Whether a branch holds what we last put on it."""

    def spent(self, branches: Sequence[str]) -> tuple[str, ...]:
        """Return those of some branches that hold a commit of ours, and nothing that is not on the default branch."""

    def read_ahead(self, branches: Sequence[str]) -> None:
        """Fetch what is on many branches at once."""


class _NoBranches:
    """Where nothing is proposed: in a trial, and on the branch of a merge request."""

    def problem(self, _branch: str, _record: ProposalRecord | None) -> str:
        return ""

    def is_there(self, _branch: str, _record: ProposalRecord) -> bool:
        return True

    def spent(self, _branches: Sequence[str]) -> tuple[str, ...]:
        return ()

    def read_ahead(self, _branches: Sequence[str]) -> None:
        pass


@dataclass(frozen=True)
class State:
    """A manifest repository at one commit of its default branch, and the time.

    ``in_review``: this is the branch of a merge request, so what changes there is reviewed already.
    ``has_records_apart``: what is pending stands on a branch of its own, since the default branch may not be pushed.
    """

    commit: str
    tree: Tree
    configuration: Configuration
    branches: Branches = field(default_factory=_NoBranches)
    in_review: bool = False
    has_records_apart: bool = False
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def released(self, record: AppRecord, environment: str) -> Released | None:
        """Return what an app runs in an environment; None before its first hand-off."""
        return read_released(self.tree, record.release_folder(environment))

    def pending(self, record: AppRecord, environment: str) -> Pending:
        """Return what is pending for an app in an environment; on the branch of a merge request that is left alone."""
        if self.in_review:
            return NOTHING_PENDING
        return read_pending(self.tree, record.release_folder(environment), self.released(record, environment))

    def thawed(self, environment: str) -> State:
        """Return this as it is when an environment is not frozen any more."""
        frozen = {name: freeze for name, freeze in self.configuration.frozen.items() if name != environment}
        return replace(self, configuration=replace(self.configuration, frozen=frozen))

    def reviews(self, app: str, environment: str) -> bool:
        """Whether what changes an app's YAML in an environment is reviewed. An app that is gone: as the environment."""
        settings = self.configuration.settings
        if self.in_review or environment not in settings.environments:
            return False
        record = self.configuration.apps.get(app)
        found = record.delivery(settings, environment) if record else settings.environments[environment].delivery
        return found == "review"


@dataclass(frozen=True)
class Step:
    """What an intent does to one app in one environment.

    ``changes`` go along with its new YAML, to the branch where that goes. ``recorded`` change nothing that runs,
    so they go to the default branch at once. A step that does not hydrate says why in ``state`` and ``reasons``;
    one that ``removes`` takes the YAML away from ``folder``. ``branch`` is where it is proposed, if not on the
    app's own branch. ``otherwise`` are steps to try in turn when its YAML cannot be rendered. ``decision`` says what
    is on record when it has landed, is proposed or failed.
    """

    app: str
    environment: str
    after: Released | None = None
    changes: Changes = field(default_factory=dict)
    recorded: Changes = field(default_factory=dict)
    hydrates: bool = True
    removes: bool = False
    state: str = "unchanged"
    reasons: tuple[str, ...] = ()
    branch: str = ""
    folder: str = ""
    error: HeadgateError | None = None
    otherwise: tuple[Step, ...] = ()
    decision: Decision | None = None

    @property
    def owner(self) -> tuple[str, str]:
        """App and environment."""
        return self.app, self.environment


def failing_alone(app: str, environment: str, make: Callable[[], Step]) -> Step:
    """Return a step, or one that failed, so that the others go on. Raises GitError: that concerns all."""
    try:
        return make()
    except GitError:
        raise
    except HeadgateError as error:
        return Step(app, environment, hydrates=False, state="failed", error=error)


@dataclass(frozen=True)
class Applied:
    """An intent, applied to a state. ``recorded`` concerns no single app; ``told`` is said to the person who asked.

    ``emptied`` are branches for many apps that go when no step changes anything there any more, ``spent`` those of
    apps on which nothing is left that is not on the default branch; ``outcomes`` are known without hydrating.
    """

    steps: Sequence[Step] = ()
    recorded: Changes = field(default_factory=dict)
    told: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()
    spent: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


class Intent(Protocol):
    """What to do, resolved to absolute commits. ``verb`` begins the commit's subject, ``what`` ends it."""

    @property
    def id(self) -> str:
        """Identify it, for the trailer ``Headgate-Intent``."""

    @property
    def verb(self) -> str:
        """Say what it does in one word: ``Deliver``."""

    @property
    def what(self) -> str:
        """Name what is delivered, or why; may be empty."""

    @property
    def actor(self) -> str:
        """Name the person whom it is from; empty for what runs by itself."""

    @property
    def explicit(self) -> bool:
        """Whether it may change what is pinned or frozen, since it was asked for just these app-environments."""

    def apply(self, state: State) -> Applied:
        """Return what it does here. Raises RefusedError when it may not, or does not fit any more."""


def identify(verb: str, *facts: Any) -> str:
    """Return an id for an intent that nobody gave one: the same for the same facts."""
    text = json.dumps([verb, *facts], sort_keys=True, default=str)
    return f"{verb.lower()}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def find_app(configuration: Configuration, name: str, *environments: str) -> AppRecord:
    """Return an app by its name, which runs in all of ``environments``.

    Raises RefusedError, or what is wrong with its app.yaml.
    """
    error = configuration.apps.error(name)
    if error is not None:
        raise error
    if name not in configuration.apps:
        raise _unknown("app", name, list(configuration.apps))
    record = configuration.apps[name]
    known = record.environments(configuration.settings)
    for environment in environments:
        if environment not in known:
            raise _unknown("environment", environment, known, f" of {name}")
    return record


def check_environment(configuration: Configuration, name: str) -> None:
    """Check that there is such an environment. Raises RefusedError."""
    known = list(configuration.settings.environments)
    if name not in known:
        raise _unknown("environment", name, known)


def _unknown(what: str, name: str, known: Sequence[str], of: str = "") -> RefusedError:
    expected = ", ".join(sorted(known)) or "none is there yet"
    return RefusedError(
        f"there is no {what} '{name}'{of}, expected one of: {expected}", hint=did_you_mean(name, list(known))
    )


def expected_release(state: State, record: AppRecord, environment: str) -> str:
    """Identify an app's release as it is now, for an intent that expects it to be so still when it lands."""
    folder = record.release_folder(environment)
    path = f"{folder}/{RELEASE}"
    return state.tree.oid(path)


def check_expected(state: State, record: AppRecord, environment: str, expected: str) -> None:
    """Stop when an app's release is not the one that the intent was made for. Raises RefusedError."""
    if expected_release(state, record, environment) != expected:
        raise RefusedError(
            f"{record.name} in {environment} changed in the meantime, so nothing was done",
            hint=f"look at 'headgate status {record.name}', and run it again if it is still meant",
        )
