"""Reports to GitLab are best effort: a refusal becomes one message and never fails a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headgate.errors import GitLabError

if TYPE_CHECKING:
    from collections.abc import Callable

_FORBIDDEN = (401, 403)


@dataclass(eq=False)
class Refusals:
    """What GitLab refused so far, by project and kind of report, with one ``messages`` entry for each reason."""

    messages: list[str] = field(default_factory=list)
    _statuses: dict[tuple[int, str], set[int]] = field(default_factory=dict)

    def attempt(self, project: int, kind: str, action: Callable[[], Any]) -> Any:
        """Return the action's result, None when GitLab refuses. After a 401 or 403 the kind is not attempted again."""
        statuses = self._statuses.setdefault((project, kind), set())
        if not statuses.isdisjoint(_FORBIDDEN):
            return None
        try:
            return action()
        except GitLabError as error:
            if error.status not in statuses:
                statuses.add(error.status)
                self.messages.append(f"{kind} of project {project}: {error}")
            return None
