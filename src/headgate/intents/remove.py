"""Remove: an app, or some environments of it, with all that was hydrated there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headgate.intents.advance import decided_by_person
from headgate.intents.edit_app_yaml import without_environments
from headgate.intents.protocol import Applied, find_app, identify
from headgate.releases.release import NOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.config import AppRecord
    from headgate.intents.protocol import State, Step
    from headgate.repository.tree import Changes


@dataclass(frozen=True)
class Remove:
    """An app that goes from some environments, or, when none is named, from all."""

    app: str
    environments: tuple[str, ...] = ()
    actor: str = ""
    what: str = ""
    verb: str = "Remove"
    explicit: bool = True

    @property
    def id(self) -> str:
        """Identify it by what goes."""
        return identify(self.verb, self.app, self.environments)

    def apply(self, state: State) -> Applied:
        """Take the app's releases and YAML away, and its environments out of app.yaml; the last takes its folder along.

        Reviewed environments are proposed each on its own, on top of what goes at once.
        """
        record = find_app(state.configuration, self.app, *self.environments)
        runs_in = record.environments(state.configuration.settings)
        going = [name for name in runs_in if not self.environments or name in self.environments]
        at_once = [name for name in going if not state.reviews(self.app, name)]
        steps = [removal(state, record, [*at_once], name, runs_in, self.actor) for name in at_once]
        steps += [
            removal(state, record, [*at_once, name], name, runs_in, self.actor) for name in going if name not in at_once
        ]
        return Applied(steps)


def removal(
    state: State, record: AppRecord, gone: Sequence[str], environment: str, runs_in: Sequence[str], by: str = ""
) -> Step:
    """Return the step that takes an app from one environment, when it is out of all ``gone`` ones by then."""
    left = [name for name in runs_in if name not in gone]
    file = f"{record.folder}/app.yaml"
    changes: Changes = dict.fromkeys(state.tree.paths(record.release_folder(environment) if left else record.folder))
    if left:
        changes[file] = without_environments(state.tree.read(file), record, left)
    step = decided_by_person(state, record, environment, NOTHING, changes, kind="removal", actor=by or "somebody")
    return replace(step, after=None, hydrates=False, removes=True)
