"""Roll back: an earlier release of an environment, with its template, pinned until a person unpins it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from headgate.config import load
from headgate.errors import HeadgateError, RefusedError
from headgate.intents.advance import decided_by_person
from headgate.intents.protocol import (
    Applied,
    Step,
    identify,
)
from headgate.intents.template_versions import carried_version, current_version, pins_template
from headgate.model import PinRecord
from headgate.paths import ENVIRONMENTS, SETTINGS, TEMPLATES
from headgate.records import frozen_record
from headgate.releases.handoff import check_person
from headgate.releases.release import Released, missing_parts, parts, read_released, write_released
from headgate.repository import git
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from headgate.configuration import AppRecord
    from headgate.intents.protocol import State
    from headgate.releases.history import ReleaseHistory, ReleaseStep
    from headgate.repository.tree import Changes, Tree


@frozen_record
class RollBack:
    """An earlier release that an environment goes back to, if it still has the release ``expected``."""

    app: str
    environment: str
    after: Released
    copies: Changes
    commit: str
    actor: str
    reason: str
    expected: str
    verb: ClassVar[str] = "Roll back"
    explicit: ClassVar[bool] = True

    @property
    def id(self) -> str:
        """Derived from the target commit and the present release."""
        return identify(self.verb.replace(" ", "-"), self.app, self.environment, self.commit, self.expected)

    @property
    def detail(self) -> str:
        """The commit of the manifest repository, and the reason."""
        return f"to {self.commit[:12]}: {self.reason}"

    def apply(self, state: State) -> Applied:
        """Write the release, pinned. Raises RefusedError if the environment now has another release."""
        app = state.find(self.app, self.environment)
        now = app.landed
        if now.release.pin is not None and now.runs == self.after.runs:
            return Applied([Step(self.app, self.environment, hydrates=False)])
        app.check_unchanged(self.expected)
        pin = PinRecord(by=self.actor, reason=self.reason, since=state.commit)
        after = self.after.changed(pin=pin, newest=now.release.newest)
        step = decided_by_person(
            app,
            after,
            write_released(state.tree, app.folder, after),
            kind="roll-back",
            actor=self.actor,
            reason=self.reason,
            recorded=self.copies,
        )
        return Applied([step])


@frozen_record
class RollBackRequest:
    """A person's request: back ``to`` a commit (ours or the app's) or by a number of steps."""

    app: str
    environment: str
    to: str
    actor: str
    reason: str
    current_template: bool = False


def roll_back(state: State, request: RollBackRequest, history: ReleaseHistory) -> RollBack:
    """Resolve a roll-back by the history of the app's release in the environment.

    Raises RefusedError when there is no such release, and for a number of steps from a release that was rolled back
    already, so that a repeated command does not go back twice.
    """
    check_person(request.actor, request.reason)
    app = state.find(request.app, request.environment)
    record, now = app.record, app.released
    if now is None:
        raise RefusedError(f"{request.app} was never released in {request.environment}")
    step = (
        _by_steps(request, history, now, (record, request.environment))
        if _is_number(request.to)
        else _by_commit(request, history)
    )
    tree = git.tree_of_commit(history.repository, step.commit)
    folders = [step.folder, TEMPLATES, f"{ENVIRONMENTS}/{request.environment}", SETTINGS]
    prefetch(tree, folders)
    earlier = read_released(tree, step.folder)
    if earlier is None:
        raise RefusedError(f"{request.app} was not released in {request.environment} at {step.commit[:12]}")
    missing = missing_parts(earlier.release, record, request.environment)
    if missing:
        raise RefusedError(
            f"{request.app} in {request.environment} did not run at {step.commit[:12]}: "
            f"it had no {' and no '.join(missing)}",
            hint=f"expected a complete release: {_known(history)}",
        )
    version, copies = _template(state, tree, record, earlier, request)
    return RollBack(
        app=request.app,
        environment=request.environment,
        after=earlier.changed(template=version),
        copies=copies,
        commit=step.commit,
        actor=request.actor,
        reason=request.reason,
        expected=app.fingerprint,
    )


def _is_number(text: str) -> bool:
    return text.isdigit() and len(text) < _SHORTEST_COMMIT


_SHORTEST_COMMIT = 5


def _by_steps(
    request: RollBackRequest, history: ReleaseHistory, now: Released, app: tuple[AppRecord, str]
) -> ReleaseStep:
    pinned = now.release.pin
    newest = now.release.newest
    if pinned and any(
        name in newest and part.commit != newest[name].commit for name, part in parts(now.release).items()
    ):
        raise RefusedError(
            f"{request.app} in {request.environment} was already rolled back by {pinned.by}: {pinned.reason}",
            hint=f"to go further back, name the commit with --to: {_known(history)}",
        )
    different = []
    seen = {history.versions[0].runs} if history.versions else set()
    for step in history.versions:
        if step.runs not in seen and step.release is not None and not missing_parts(step.release, *app):
            different.append(step)
            seen.add(step.runs)
    steps = int(request.to)
    if not 1 <= steps <= len(different):
        count = f"there are {len(different)} earlier releases" if different else "there is no earlier release"
        raise RefusedError(f"{request.app} in {request.environment} cannot go {steps} steps back: {count}")
    return different[steps - 1]


def _by_commit(request: RollBackRequest, history: ReleaseHistory) -> ReleaseStep:
    if not re.fullmatch(rf"[0-9a-f]{{{_SHORTEST_COMMIT},64}}", request.to):
        raise RefusedError(
            f"'{request.to}' is neither a number of steps nor a commit", hint=f"expected one of: {_known(history)}"
        )
    for step in history.steps:
        if step.commit.startswith(request.to) and step.release is not None:
            return step
    for step in history.versions:
        if step.release is not None and any(
            part.commit.startswith(request.to) for part in parts(step.release).values()
        ):
            return step
    raise RefusedError(
        f"no release of {request.app} in {request.environment} belongs to commit '{request.to}'",
        hint=f"expected a commit of the manifest repository or of the app: {_known(history)}",
    )


def _known(history: ReleaseHistory) -> str:
    commits = [step.commit[:12] for step in history.versions if step.release is not None][:8]
    return ", ".join(commits) or "none"


def _template(
    state: State, tree: Tree, record: AppRecord, earlier: Released, request: RollBackRequest
) -> tuple[str | None, Changes]:
    """Return the version of the template to record, and its files; none for the current template."""
    if record.app.template is None:
        return None, {}
    current, kept = current_version(state.tree, record)
    follows = not pins_template(state.configuration, request.environment)
    if request.current_template:
        return (None, {}) if follows else (current, kept)
    version, copies = carried_version(tree, _record_then(tree, record), earlier)
    return (None, {}) if follows and version == current else (version, copies)


def _record_then(tree: Tree, record: AppRecord) -> AppRecord:
    """Return the app's configuration in an older tree, whose template may have been another one."""
    try:
        return load(tree).apps.get(record.name, record)
    except HeadgateError:
        return record
