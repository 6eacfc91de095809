"""Roll back: what an environment ran before, with its template, and it stays until somebody says otherwise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.config import load
from headgate.errors import HeadgateError, RefusedError
from headgate.intents.advance import decided_by_person
from headgate.intents.protocol import (
    Applied,
    Step,
    check_expected,
    expected_release,
    find_app,
    identify,
)
from headgate.intents.template_versions import carried_version, current_version, pins_template
from headgate.model import PinRecord
from headgate.paths import ENVIRONMENTS, SETTINGS, TEMPLATES
from headgate.releases.handoff import check_person
from headgate.releases.release import NOTHING, Released, missing_parts, parts, read_released, write_released
from headgate.repository import git
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from headgate.config import AppRecord
    from headgate.intents.protocol import State
    from headgate.releases.history import ReleaseHistory, ReleaseStep
    from headgate.repository.tree import Changes, Tree


@dataclass(frozen=True)
class RollBack:
    """An earlier release that an environment goes back to, where the release ``expected`` is still there."""

    app: str
    environment: str
    after: Released
    copies: Changes
    commit: str
    by: str
    reason: str
    expected: str
    verb: str = "Roll back"
    explicit: bool = True

    @property
    def id(self) -> str:
        """Identify it by where it goes to, and from what."""
        return identify(self.verb.replace(" ", "-"), self.app, self.environment, self.commit, self.expected)

    @property
    def what(self) -> str:
        """Name the commit of the manifest repository that it goes back to, and why."""
        return f"to {self.commit[:12]}: {self.reason}"

    @property
    def actor(self) -> str:
        """Name who asked for it."""
        return self.by

    def apply(self, state: State) -> Applied:
        """Write the release, pinned. Raises RefusedError when the environment runs something else by now."""
        record = find_app(state.configuration, self.app, self.environment)
        now = state.released(record, self.environment) or NOTHING
        if now.release.pin is not None and now.runs == self.after.runs:
            return Applied([Step(self.app, self.environment, hydrates=False)])
        check_expected(state, record, self.environment, self.expected)
        pin = PinRecord(by=self.by, reason=self.reason, since=state.commit)
        after = self.after.changed(pin=pin, newest=now.release.newest)
        changes = write_released(state.tree, record.release_folder(self.environment), after)
        step = decided_by_person(
            state,
            record,
            self.environment,
            after,
            changes,
            kind="roll-back",
            actor=self.by,
            reason=self.reason,
            recorded=self.copies,
        )
        return Applied([step])


@dataclass(frozen=True)
class RollBackRequest:
    """What a person asks for: back ``to`` a commit (ours or the app's) or so many steps, with its template or not."""

    app: str
    environment: str
    to: str
    by: str
    reason: str
    current_template: bool = False


def roll_back(state: State, wanted: RollBackRequest, past: ReleaseHistory) -> RollBack:
    """Resolve a roll-back. ``past`` is the history of the app's release in the environment, as far as needed.

    Raises RefusedError when there is no such release, or when steps are counted from one that was rolled back
    already, so that the same command given twice does not go back twice.
    """
    check_person(wanted.by, wanted.reason)
    record = find_app(state.configuration, wanted.app, wanted.environment)
    now = state.released(record, wanted.environment)
    if now is None:
        raise RefusedError(f"{wanted.app} was never released in {wanted.environment}")
    step = (
        _by_steps(wanted, past, now, (record, wanted.environment))
        if _is_number(wanted.to)
        else _by_commit(wanted, past)
    )
    tree = git.tree_of_commit(past.repository, step.commit)
    folders = [step.folder, TEMPLATES, f"{ENVIRONMENTS}/{wanted.environment}", SETTINGS]
    prefetch(tree, folders)
    found = read_released(tree, step.folder)
    if found is None:
        raise RefusedError(f"{wanted.app} was not released in {wanted.environment} at {step.commit[:12]}")
    missing = missing_parts(found.release, record, wanted.environment)
    if missing:
        raise RefusedError(
            f"{wanted.app} in {wanted.environment} did not run at {step.commit[:12]}: "
            f"it had no {' and no '.join(missing)}",
            hint=f"expected a release that ran: {_known(past)}",
        )
    version, copies = _template(state, tree, record, found, wanted)
    expected = expected_release(state, record, wanted.environment)
    after = found.changed(template=version)
    return RollBack(wanted.app, wanted.environment, after, copies, step.commit, wanted.by, wanted.reason, expected)


def _is_number(text: str) -> bool:
    return text.isdigit() and len(text) < _SHORTEST_COMMIT


_SHORTEST_COMMIT = 5


def _by_steps(wanted: RollBackRequest, past: ReleaseHistory, now: Released, app: tuple[AppRecord, str]) -> ReleaseStep:
    pinned = now.release.pin
    newest = now.release.newest
    if pinned and any(
        name in newest and part.commit != newest[name].commit for name, part in parts(now.release).items()
    ):
        raise RefusedError(
            f"{wanted.app} in {wanted.environment} was rolled back already, by {pinned.by}: {pinned.reason}",
            hint=f"to go further back, name the commit with --to: {_known(past)}",
        )
    different = []
    seen = {past.versions[0].runs} if past.versions else set()
    for step in past.versions:
        if step.runs not in seen and step.release is not None and not missing_parts(step.release, *app):
            different.append(step)
            seen.add(step.runs)
    steps = int(wanted.to)
    if not 1 <= steps <= len(different):
        have = f"there are {len(different)} earlier releases" if different else "there is no earlier release"
        raise RefusedError(f"{wanted.app} in {wanted.environment} cannot go {steps} steps back: {have}")
    return different[steps - 1]


def _by_commit(wanted: RollBackRequest, past: ReleaseHistory) -> ReleaseStep:
    if not re.fullmatch(rf"[0-9a-f]{{{_SHORTEST_COMMIT},64}}", wanted.to):
        raise RefusedError(
            f"'{wanted.to}' is no number of steps and no commit", hint=f"expected one such as {_known(past)}"
        )
    for step in past.steps:
        if step.commit.startswith(wanted.to) and step.release is not None:
            return step
    for step in past.versions:
        if step.release is not None and any(part.commit.startswith(wanted.to) for part in parts(step.release).values()):
            return step
    raise RefusedError(
        f"no release of {wanted.app} in {wanted.environment} came with the commit '{wanted.to}'",
        hint=f"expected one of the manifest repository's or of the app's commits: {_known(past)}",
    )


def _known(past: ReleaseHistory) -> str:
    told = [step.commit[:12] for step in past.versions if step.release is not None][:8]
    return ", ".join(told) or "there is none"


def _template(
    state: State, tree: Tree, record: AppRecord, found: Released, wanted: RollBackRequest
) -> tuple[str | None, Changes]:
    """Return the version of the template to name, and its files: none where it is the current one anyway."""
    if record.app.template is None:
        return None, {}
    current, kept = current_version(state.tree, record)
    follows = not pins_template(state.configuration, wanted.environment)
    if wanted.current_template:
        return (None, {}) if follows else (current, kept)
    version, copies = carried_version(tree, _record_then(tree, record), found)
    return (None, {}) if follows and version == current else (version, copies)


def _record_then(tree: Tree, record: AppRecord) -> AppRecord:
    """Return the app as it was configured in a tree, for its template may have been another one."""
    try:
        return load(tree).apps.get(record.name, record)
    except HeadgateError:
        return record
