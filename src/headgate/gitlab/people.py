"""User names -> numbers, as GitLab's API wants them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headgate.gitlab.api import GitLab


@dataclass(frozen=True)
class People:
    """GitLab's users by name, each asked for once."""

    gitlab: GitLab
    _known: dict[str, int] = field(default_factory=dict)

    def numbers(self, names: Iterable[str]) -> list[int]:
        """Return the numbers of those who are there: https://docs.gitlab.com/api/users/. Raises GitLabError."""
        return [number for name in names if (number := self._number(name))]

    @property
    def unknown(self) -> list[str]:
        """Those who were asked for and are not there."""
        return [name for name, number in self._known.items() if not number]

    def _number(self, name: str) -> int:
        if name not in self._known:
            found = self.gitlab.get("/users", {"username": name.removeprefix("@")})
            active = [one for one in found if one.get("state", "active") == "active"]
            self._known[name] = int(active[0]["id"]) if active else 0
        return self._known[name]
