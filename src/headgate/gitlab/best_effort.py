"""What GitLab refuses to a token while reporting back: told once, and gone on with. Reports never fail a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headgate.errors import GitLabError

if TYPE_CHECKING:
    from collections.abc import Callable

_FORBIDDEN = (401, 403)


@dataclass(frozen=True)
class Refusals:
    """What was refused so far, by project and kind of report."""

    _known: dict[tuple[int, str], set[int]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    def attempt(self, project: int, kind: str, action: Callable[[], Any]) -> Any:
        """Do something, or return None where it is refused. Where the token may not, the rest is not even tried."""
        statuses = self._known.setdefault((project, kind), set())
        if not statuses.isdisjoint(_FORBIDDEN):
            return None
        try:
            return action()
        except GitLabError as error:
            if error.status not in statuses:
                statuses.add(error.status)
                self.told.append(f"{kind} of project {project}: {error}")
            return None
