"""Rehydrate: the app-environments whose inputs changed, and what an earlier run left to be done."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from headgate.hydration.hydrate import broken
from headgate.hydration.output import RECORD
from headgate.hydration.plan import input_paths
from headgate.intents.advance import closed_reason
from headgate.intents.protocol import Applied, Step, check_environment, failing_alone, identify
from headgate.intents.refresh import has_pending, refresh_step
from headgate.intents.template_versions import current_version, pins_template
from headgate.paths import APPS, INPUTS, group_branch, review_branch
from headgate.releases.history import release_of
from headgate.releases.release import NOTHING, write_released
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.config import AppRecord, Configuration
    from headgate.intents.protocol import State
    from headgate.releases.release import Released
    from headgate.repository.tree import Changes


@dataclass(frozen=True)
class Rehydrate:
    """All app-environments, or those of some environments. What is pinned or frozen waits."""

    environments: tuple[str, ...] = ()
    verb: str = "Hydrate"
    what: str = ""
    actor: str = ""
    explicit: bool = False

    @property
    def id(self) -> str:
        """Identify it. A rehydration is what the state asks for, so there is nothing else to know of it."""
        return identify(self.verb, self.environments)

    def apply(self, state: State) -> Applied:
        """Hydrate what is configured, deliver what waits and may come, and take away what nobody configures any more.

        All that is reviewed in an environment is one proposal, which goes when nothing is left to change.
        """
        for name in self.environments:
            check_environment(state.configuration, name)
        chosen = self.environments or tuple(state.configuration.settings.environments)
        pairs = [(record, name) for record, name in state.configuration.pairs() if name in chosen]
        concerned = {(record.name, name) for record, name in pairs if _is_concerned(state, record, name)}
        prefetch(state.tree, input_paths(state.tree, [one for one in pairs if (one[0].name, one[1]) in concerned]))
        state.branches.read_ahead([review_branch(app, name) for app, name in concerned])
        steps = [
            failing_alone(record.name, name, partial(_concerned, state, record, name))
            if (record.name, name) in concerned
            else Step(record.name, name)
            for record, name in pairs
        ]
        steps += [*_orphans(state, chosen), *_left_releases(state)]
        grouped = [step if step.decision else replace(step, branch=group_branch(step.environment)) for step in steps]
        emptied = tuple(group_branch(name) for name in chosen if _has_reviews(state, pairs, name))
        return Applied(grouped, emptied=emptied, outcomes=tuple(broken(state.configuration)))


def _has_reviews(state: State, pairs: list[tuple[AppRecord, str]], environment: str) -> bool:
    return any(name == environment and state.reviews(record.name, name) for record, name in pairs)


def _is_concerned(state: State, record: AppRecord, environment: str) -> bool:
    """Whether there is more to do than to hydrate: only then its release is read, for there are thousands."""
    pending = not state.in_review and has_pending(state, record, environment)
    return pending or pins_template(state.configuration, environment)


def _concerned(state: State, record: AppRecord, environment: str) -> Step:
    before = state.released(record, environment) or NOTHING
    if not state.pending(record, environment).is_empty:
        return refresh_step(state, record, environment)
    if before.release.pin is not None:
        return Step(record.name, environment)
    return _first_template(state, record, environment, before)


def _first_template(state: State, record: AppRecord, environment: str, before: Released) -> Step:
    """Make a release name its template, where templates travel from now on."""
    if record.app.template is None or before.release.template is not None or _waits_for_parts(record, before):
        return Step(record.name, environment)
    version, copies = current_version(state.tree, record)
    after = before.changed(template=version)
    if closed_reason(state, environment):
        return Step(record.name, environment)
    recorded = copies | write_released(state.tree, record.release_folder(environment), after)
    return Step(record.name, environment, recorded=recorded)


def _waits_for_parts(record: AppRecord, before: Released) -> bool:
    return before is NOTHING and bool(record.app.images or record.app.config)


def _orphans(state: State, environments: tuple[str, ...]) -> Iterator[Step]:
    """Find output that nobody configures any more. What belongs to an app that cannot be read is left alone."""
    configuration = state.configuration
    claimed = {configuration.output_folder(record.name, name) for record, name in configuration.pairs()}
    unread = {folder.rsplit("/", 1)[1] for folder in configuration.broken}
    for path in state.tree.paths():
        folder, _, name = path.rpartition("/")
        if name != RECORD or folder in claimed or path.split("/", 1)[0] in INPUTS:
            continue
        app, environment = owner_of(configuration, folder)
        if not app:
            if any(part in unread for part in folder.split("/")):
                continue
            app, environment = _spelled(folder)
        elif app in unread or environment not in environments:
            continue
        yield Step(app, environment, hydrates=False, removes=True, folder=folder)


def _left_releases(state: State) -> Iterator[Step]:
    """Find releases, with all that is pending there, of apps and environments that nobody configures any more."""
    if state.in_review:
        return
    configuration = state.configuration
    configured = {(record.name, name) for record, name in configuration.pairs()}
    unread = {folder.rsplit("/", 1)[1] for folder in configuration.broken}
    left: dict[tuple[str, str], list[str]] = {}
    for path in state.tree.paths(APPS):
        found = release_of(path)
        if found is not None and found[1:3] not in configured and found[1] not in unread:
            left.setdefault(found[1:3], []).append(path)
    for (app, environment), paths in left.items():
        changes: Changes = dict.fromkeys(paths)
        why = ("its release is left over, and goes",)
        yield Step(app, environment, recorded=changes, hydrates=False, reasons=why, folder=paths[0].rpartition("/")[0])


def _spelled(folder: str) -> tuple[str, str]:
    """Return app and environment for a folder that no setting explains any more, as far as its path names them."""
    parts = folder.split("/")
    return parts[-1], parts[-2] if len(parts) > 1 else ""


def owner_of(configuration: Configuration, folder: str) -> tuple[str, str]:
    """Return the app and the environment that an output folder was written for, or two empty strings."""
    for name, environment in configuration.settings.environments.items():
        pattern = re.escape(environment.output.path).replace(r"\{environment\}", re.escape(name))
        match = re.fullmatch(pattern.replace(r"\{app\}", "(?P<app>[^/]+)", 1).replace(r"\{app\}", "(?P=app)"), folder)
        if match and "app" in match.groupdict():
            return match["app"], name
    return "", ""
