"""Rehydrate: app-environments whose inputs changed, and everything that an earlier run left behind."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from headgate.hydration.hydrate import broken
from headgate.hydration.plan import input_paths
from headgate.hydration.record import RECORD
from headgate.intents.advance import closed_reason
from headgate.intents.protocol import Applied, Step, check_environment, failing_alone, identify
from headgate.intents.refresh import has_pending, refresh_step
from headgate.intents.template_versions import current_version, pins_template
from headgate.paths import APPS, INPUTS, group_branch, review_branch
from headgate.records import frozen_record
from headgate.releases.history import parse_release_path
from headgate.releases.release import NOTHING, write_released
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.configuration import AppRecord, Configuration
    from headgate.intents.protocol import AppInEnvironment, State
    from headgate.releases.release import Released
    from headgate.repository.tree import Changes


@frozen_record(kw_only=False)
class Rehydrate:
    """Hydrates all app-environments, or those of some environments, except for pinned and frozen ones."""

    environments: tuple[str, ...] = ()
    verb: ClassVar[str] = "Hydrate"
    detail: ClassVar[str] = ""
    actor: ClassVar[str] = ""
    explicit: ClassVar[bool] = False

    @property
    def id(self) -> str:
        """Derived from the environments; all else depends on the state alone."""
        return identify(self.verb, self.environments)

    def apply(self, state: State) -> Applied:
        """Hydrate what is configured, deliver what is no longer held, and remove what is no longer configured.

        All reviewed changes of an environment form one proposal, which goes when nothing is left to change.
        """
        for name in self.environments:
            check_environment(state.configuration, name)
        chosen = self.environments or tuple(state.configuration.settings.environments)
        pairs = [(record, name) for record, name in state.configuration.pairs() if name in chosen]
        special = [(record, name) for record, name in pairs if _needs_release(state.at(record, name))]
        owners = {(record.name, name) for record, name in special}
        prefetch(state.tree, input_paths(special))
        state.branches.read_ahead([review_branch(app, name) for app, name in owners])
        steps = [
            failing_alone(record.name, name, partial(_step, state.at(record, name)))
            if (record.name, name) in owners
            else Step(record.name, name)
            for record, name in pairs
        ]
        steps += [*_orphans(state, chosen), *_left_releases(state)]
        grouped = [step if step.decision else replace(step, branch=group_branch(step.environment)) for step in steps]
        group_branches = tuple(group_branch(name) for name in chosen if _has_reviews(state, pairs, name))
        return Applied(grouped, group_branches=group_branches, outcomes=tuple(broken(state.configuration)))


def _has_reviews(state: State, pairs: list[tuple[AppRecord, str]], environment: str) -> bool:
    return any(name == environment and state.reviews(record.name, name) for record, name in pairs)


def _needs_release(app: AppInEnvironment) -> bool:
    """Whether a step depends on the release. Only then is it read: there are thousands."""
    pending = not app.state.in_review and has_pending(app)
    return pending or pins_template(app.state.configuration, app.environment)


def _step(app: AppInEnvironment) -> Step:
    if not app.pending.is_empty:
        return refresh_step(app)
    if app.landed.release.pin is not None:
        return Step(app.name, app.environment)
    return _first_template(app, app.landed)


def _first_template(app: AppInEnvironment, before: Released) -> Step:
    """Pin the template of a release in an environment that began to pin templates."""
    unchanged, tree = Step(app.name, app.environment), app.state.tree
    if app.record.app.template is None or before.release.template is not None or _waits_for_parts(app.record, before):
        return unchanged
    version, copies = current_version(tree, app.record)
    if closed_reason(app.state, app.environment):
        return unchanged
    recorded = copies | write_released(tree, app.folder, before.changed(template=version))
    return replace(unchanged, recorded=recorded)


def _waits_for_parts(record: AppRecord, before: Released) -> bool:
    return before is NOTHING and bool(record.app.images or record.app.config)


def _orphans(state: State, environments: tuple[str, ...]) -> Iterator[Step]:
    """Remove output that is no longer configured, except for apps with a broken app.yaml."""
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
            app, environment = _names_in_path(folder)
        elif app in unread or environment not in environments:
            continue
        yield Step(app, environment, hydrates=False, removes=True, folder=folder)


def _left_releases(state: State) -> Iterator[Step]:
    """Remove releases, and everything pending, of apps and environments that are no longer configured."""
    if state.in_review:
        return
    configuration = state.configuration
    configured = {(record.name, name) for record, name in configuration.pairs()}
    unread = {folder.rsplit("/", 1)[1] for folder in configuration.broken}
    left: dict[tuple[str, str], list[str]] = {}
    for path in state.tree.paths(APPS):
        parsed = parse_release_path(path)
        if parsed is not None and parsed.owner not in configured and parsed.app not in unread:
            left.setdefault(parsed.owner, []).append(path)
    for (app, environment), paths in left.items():
        changes: Changes = dict.fromkeys(paths)
        reasons = ("it is no longer configured: its release is removed",)
        folder = paths[0].rpartition("/")[0]
        yield Step(app, environment, recorded=changes, hydrates=False, reasons=reasons, folder=folder)


def _names_in_path(folder: str) -> tuple[str, str]:
    """Guess app and environment of an output folder that no setting matches."""
    parts = folder.split("/")
    return parts[-1], parts[-2] if len(parts) > 1 else ""


def owner_of(configuration: Configuration, folder: str) -> tuple[str, str]:
    """Return the app and the environment of an output folder, or two empty strings."""
    for name, environment in configuration.settings.environments.items():
        pattern = re.escape(environment.output.path).replace(r"\{environment\}", re.escape(name))
        match = re.fullmatch(pattern.replace(r"\{app\}", "(?P<app>[^/]+)", 1).replace(r"\{app\}", "(?P=app)"), folder)
        if match and "app" in match.groupdict():
            return match["app"], name
    return "", ""
