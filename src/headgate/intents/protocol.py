"""The shape of an intent: a frozen record that turns the state of a manifest repository into steps."""

from __future__ import annotations

import hashlib
import json
from dataclasses import KW_ONLY, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

from headgate.errors import ArgumentError, GitError, HeadgateError, RefusedError, did_you_mean
from headgate.paths import review_branch
from headgate.records import frozen_record
from headgate.releases.pending import NOTHING_PENDING
from headgate.releases.pending_files import read_pending
from headgate.releases.release import NOTHING, Released, read_released, release_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headgate.configuration import AppRecord, Configuration
    from headgate.hydration.outcome import Outcome
    from headgate.intents.outcome import Decision
    from headgate.model import ProposalRecord
    from headgate.releases.pending import Pending
    from headgate.repository.tree import Changes, Tree


class Branches(Protocol):
    """The review branches."""

    def problem(self, branch: str, record: ProposalRecord | None) -> str:
        """Return why Headgate may not overwrite a branch, given its record; empty if it may."""

    def matches(self, branch: str, record: ProposalRecord) -> bool:
        """Whether a branch holds the commit of a record."""

    def is_current(self, branch: str, record: ProposalRecord) -> bool:
        """Whether a branch holds the commit of a record, and the default branch still has the files that it changes."""

    def leftovers(self, branches: Sequence[str]) -> tuple[str, ...]:
        """Return the branches with a commit of Headgate's whose changes are all on the default branch."""

    def read_ahead(self, branches: Sequence[str]) -> None:
        """Fetch the commits of many branches at once."""


class _NoBranches:
    """For runs that propose nothing: a dry run, or a merge request's branch."""

    def problem(self, _branch: str, _record: ProposalRecord | None) -> str:
        return ""

    def matches(self, _branch: str, _record: ProposalRecord) -> bool:
        return True

    def is_current(self, _branch: str, _record: ProposalRecord) -> bool:
        return True

    def leftovers(self, _branches: Sequence[str]) -> tuple[str, ...]:
        return ()

    def read_ahead(self, _branches: Sequence[str]) -> None:
        pass


@frozen_record
class State:
    """A manifest repository at one commit of its default branch, and the time.

    ``in_review``: this is a merge request's branch, whose changes are under review already. ``has_records_apart``: the
    records of what is pending are on a branch of their own.
    """

    commit: str
    tree: Tree
    configuration: Configuration
    branches: Branches = field(default_factory=_NoBranches)
    in_review: bool = False
    has_records_apart: bool = False
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def at(self, record: AppRecord, environment: str) -> AppInEnvironment:
        """Return an app in an environment."""
        return AppInEnvironment(state=self, record=record, environment=environment)

    def find(self, app: str, environment: str) -> AppInEnvironment:
        """Return an app in an environment by their names. Raises the errors of `find_app`."""
        return self.at(find_app(self.configuration, app, environment), environment)

    def thawed(self, environment: str) -> State:
        """Return the state after an environment is thawed."""
        frozen = {name: freeze for name, freeze in self.configuration.frozen.items() if name != environment}
        return replace(self, configuration=replace(self.configuration, frozen=frozen))

    def reviews(self, app: str, environment: str) -> bool:
        """Whether changes of an app's YAML need a review: by the app's delivery, else by the environment's."""
        settings = self.configuration.settings
        if self.in_review or environment not in settings.environments:
            return False
        record = self.configuration.apps.get(app)
        delivery = record.delivery(settings, environment) if record else settings.environments[environment].delivery
        return delivery == "review"


@frozen_record
class AppInEnvironment:
    """An app in one environment, at a state of the manifest repository."""

    state: State
    record: AppRecord
    environment: str

    @property
    def name(self) -> str:
        """The app's name."""
        return self.record.name

    @property
    def folder(self) -> str:
        """The folder of its release."""
        return self.record.release_folder(self.environment)

    @property
    def output(self) -> str:
        """The folder of its final YAML."""
        return self.state.configuration.output_folder(self.name, self.environment)

    @property
    def branch(self) -> str:
        """Its review branch."""
        return review_branch(self.name, self.environment)

    @property
    def is_reviewed(self) -> bool:
        """Whether changes of its YAML need a review."""
        return self.state.reviews(self.name, self.environment)

    @cached_property
    def released(self) -> Released | None:
        """What it runs; None before its first hand-off."""
        return read_released(self.state.tree, self.folder)

    @property
    def landed(self) -> Released:
        """What it runs; `NOTHING` before its first hand-off."""
        return self.released or NOTHING

    @cached_property
    def pending(self) -> Pending:
        """What is pending for it; on a merge request's branch, nothing."""
        return NOTHING_PENDING if self.state.in_review else read_pending(self.state.tree, self.folder, self.released)

    @property
    def fingerprint(self) -> str:
        """Identifies its present release, for an intent that requires it when it lands."""
        return self.state.tree.oid(release_file(self.record, self.environment))

    def check_unchanged(self, expected: str) -> None:
        """Require the release that an intent was resolved for. Raises RefusedError."""
        if self.fingerprint != expected:
            raise RefusedError(
                f"{self.name} in {self.environment} changed in the meantime, so nothing was done",
                hint=f"check 'headgate status {self.name}', and repeat the command if you still want it",
            )


StepState = Literal["unchanged", "held", "superseded", "recorded", "failed"]
"""The state of a step that does not hydrate."""


@frozen_record(kw_only=False)
class Step:
    """What an intent does to one app in one environment.

    ``changes`` go with its new YAML to the branch of that. ``recorded`` changes nothing that runs, so it goes to the
    default branch at once. A step that does not hydrate has a ``state`` and ``reasons``; one that ``removes`` deletes
    the YAML in ``folder``. ``branch`` is the review branch, if not the app's own. ``alternatives`` are steps to try in
    turn when the YAML cannot be rendered. ``decision`` knows the records after it landed, is proposed or failed.
    """

    app: str
    environment: str
    _: KW_ONLY
    after: Released | None = None
    changes: Changes = field(default_factory=dict)
    recorded: Changes = field(default_factory=dict)
    hydrates: bool = True
    removes: bool = False
    state: StepState = "unchanged"
    reasons: tuple[str, ...] = ()
    branch: str = ""
    folder: str = ""
    error: HeadgateError | None = None
    alternatives: tuple[Step, ...] = ()
    decision: Decision | None = None

    @property
    def owner(self) -> tuple[str, str]:
        """App and environment."""
        return self.app, self.environment


def failing_alone(app: str, environment: str, make: Callable[[], Step]) -> Step:
    """Return a step, or a failed step, so that others go on. Raises GitError, which concerns all."""
    try:
        return make()
    except GitError:
        raise
    except HeadgateError as error:
        return Step(app, environment, hydrates=False, state="failed", error=error)


@frozen_record(kw_only=False)
class Applied:
    """An intent, applied to a state. ``recorded`` concerns no single app; ``messages`` are for the actor.

    ``group_branches`` are review branches of many apps, which go when no step changes anything there;
    ``leftover_branches`` go, since their changes are on the default branch; ``outcomes`` are known without hydrating.
    """

    steps: Sequence[Step] = ()
    _: KW_ONLY
    recorded: Changes = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    group_branches: tuple[str, ...] = ()
    leftover_branches: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


class Intent(Protocol):
    """A change to releases, resolved to absolute commits. ``verb`` begins the commit's subject, ``detail`` ends it."""

    @property
    def id(self) -> str:
        """The value of the trailer ``Headgate-Intent``."""

    @property
    def verb(self) -> str:
        """One word: ``Deliver``."""

    @property
    def detail(self) -> str:
        """What is delivered, or why; may be empty."""

    @property
    def actor(self) -> str:
        """The person who ordered it; empty for automatic intents."""

    @property
    def explicit(self) -> bool:
        """Whether it may change pinned or frozen app-environments, since a person named them."""

    def apply(self, state: State) -> Applied:
        """Return its steps. Raises RefusedError if it is not allowed, or outdated."""


def identify(verb: str, *facts: Any) -> str:
    """Return an intent's id, derived from its facts."""
    text = json.dumps([verb, *facts], sort_keys=True, default=str)
    return f"{verb.lower()}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def find_app(configuration: Configuration, name: str, *environments: str) -> AppRecord:
    """Return an app that runs in all of ``environments``. Raises RefusedError, or the error in its app.yaml."""
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
    """Require an environment of this name. Raises ArgumentError."""
    known = list(configuration.settings.environments)
    if name not in known:
        raise _unknown("environment", name, known)


def _unknown(kind: str, name: str, known: Sequence[str], of: str = "") -> ArgumentError:
    expected = f"expected one of: {', '.join(sorted(known))}" if known else "none exists yet"
    return ArgumentError(f"there is no {kind} '{name}'{of}, {expected}", hint=did_you_mean(name, list(known)))
