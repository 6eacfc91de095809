"""Remove: takes an app out of some environments, or altogether, with its final YAML."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from headgate.intents.advance import decided_by_person
from headgate.intents.edit_app_yaml import without_environments
from headgate.intents.protocol import Applied, find_app, identify
from headgate.records import frozen_record
from headgate.releases.release import NOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.intents.protocol import AppInEnvironment, State, Step
    from headgate.repository.tree import Changes


@frozen_record(kw_only=False)
class Remove:
    """Takes an app out of some environments, or, if none is named, out of all."""

    app: str
    environments: tuple[str, ...] = ()
    actor: str = ""
    detail: ClassVar[str] = ""
    verb: ClassVar[str] = "Remove"
    explicit: ClassVar[bool] = True

    @property
    def id(self) -> str:
        """Derived from the app and the environments."""
        return identify(self.verb, self.app, self.environments)

    def apply(self, state: State) -> Applied:
        """Remove the app's releases, YAML and entries in app.yaml; the last environment removes the app's folder.

        Each reviewed environment gets its own proposal, on top of the direct removals.
        """
        record = find_app(state.configuration, self.app, *self.environments)
        runs_in = record.environments(state.configuration.settings)
        removed = [name for name in runs_in if not self.environments or name in self.environments]
        direct = [name for name in removed if not state.reviews(self.app, name)]
        reviewed = [name for name in removed if name not in direct]
        steps = [removal(state.at(record, name), direct, runs_in, self.actor) for name in direct]
        steps += [removal(state.at(record, name), [*direct, name], runs_in, self.actor) for name in reviewed]
        return Applied(steps)


def removal(app: AppInEnvironment, gone: Sequence[str], runs_in: Sequence[str], actor: str = "") -> Step:
    """Return the step that takes an app out of one environment, when it has left all ``gone`` ones."""
    tree, record = app.state.tree, app.record
    left = [name for name in runs_in if name not in gone]
    file = f"{record.folder}/app.yaml"
    changes: Changes = dict.fromkeys(tree.paths(app.folder if left else record.folder))
    if left:
        changes[file] = without_environments(tree.read(file), record, left)
    step = decided_by_person(app, NOTHING, changes, kind="removal", actor=actor or "somebody")
    return replace(step, after=None, hydrates=False, removes=True)
