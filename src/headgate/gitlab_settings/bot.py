"""The bot: its given token, or a new access token of the manifest project; its trigger token."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from headgate.errors import ConfigError
from headgate.gitlab.api import connect, project_path

if TYPE_CHECKING:
    from headgate.gitlab.api import GitLab
    from headgate.gitlab_settings.wanted import Layout

DESCRIPTION = "headgate"
_CUT = 4
"""The length that GitLab shows of other users' trigger tokens: https://docs.gitlab.com/api/pipeline_triggers/."""


@dataclass(eq=False)
class Bot:
    """The bot. ``given`` is its given token, ``variable`` the variable for it.

    ``may_make``: where it was not given, an access token of the project is made. ``remarks`` are for people.
    """

    gitlab: GitLab
    layout: Layout
    given: str
    variable: str
    may_make: bool
    remarks: list[str] = field(default_factory=list)

    @cached_property
    def user(self) -> int:
        """The user of the given token; 0 without one. Raises GitLabError."""
        return self._own.user if self.given else 0

    @property
    def _own(self) -> GitLab:
        return connect(self.gitlab.url, self.variable, self._secret)

    def secret(self) -> str:
        """Return the token. Raises ConfigError if it must be given, GitLabError if it cannot be created."""
        return self._secret

    @cached_property
    def _secret(self) -> str:
        if self.given:
            return self.given
        if not self.may_make:
            hint = f"put it into the variable {self.variable}, and run this again"
            raise ConfigError("the bot's token is missing", hint=hint)
        # https://docs.gitlab.com/api/project_access_tokens/#create-a-project-access-token
        body = {"name": DESCRIPTION, "scopes": ["api"], "access_level": self.layout.bot_level}
        made = self.gitlab.post(f"{project_path(self.layout.manifests)}/access_tokens", body)
        self.remarks.append(
            f"{self.layout.manifests}: made the access token '{DESCRIPTION}', the bot's, which expires on "
            f"{made.get('expires_at')}: renew it before"
        )
        return str(made["token"])

    def trigger(self) -> str:
        """Return a trigger token of the bot's: the one that it has, or a new one. Raises as `secret`."""
        at = f"{project_path(self.layout.manifests)}/triggers"
        own = self._own
        for found in own.each(at):
            is_own = int((found.get("owner") or {}).get("id") or 0) == own.user
            if is_own and found.get("description") == DESCRIPTION and len(str(found["token"])) > _CUT:
                return str(found["token"])
        return str(own.post(at, {"description": DESCRIPTION})["token"])
