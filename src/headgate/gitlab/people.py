"""User names -> user ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headgate.gitlab.api import GitLab


@dataclass(eq=False)
class People:
    """GitLab's users by name, each looked up once."""

    gitlab: GitLab
    _ids: dict[str, int] = field(default_factory=dict)

    def ids(self, names: Iterable[str]) -> list[int]:
        """Return the ids of the users who exist: https://docs.gitlab.com/api/users/. Raises GitLabError."""
        return [user for name in names if (user := self._id(name))]

    @property
    def unknown(self) -> list[str]:
        """The names that were looked up without success."""
        return [name for name, user in self._ids.items() if not user]

    def _id(self, name: str) -> int:
        if name not in self._ids:
            users = self.gitlab.get("/users", {"username": name.removeprefix("@")})
            active = [user for user in users if user.get("state", "active") == "active"]
            self._ids[name] = int(active[0]["id"]) if active else 0
        return self._ids[name]
