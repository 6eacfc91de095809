"""What a job did with apps, as a file for the job that waits for their health. Pure.

Version 1; keys are only ever added.
"""

from __future__ import annotations

import json
from dataclasses import field
from typing import TYPE_CHECKING, Any

from headgate.errors import ConfigError, Location
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.configuration import Owner


@frozen_record
class LandedApps:
    """The ids of the folders that came to the default branch, and what became of the apps that did not: a word."""

    folders: Mapping[Owner, str] = field(default_factory=dict)
    elsewhere: Mapping[Owner, str] = field(default_factory=dict)

    def followed_by(self, later: LandedApps) -> LandedApps:
        """Return it with what happened afterwards. An app that landed is waited for, whatever else became of it."""
        return LandedApps(
            folders={**self.folders, **later.folders},
            elsewhere={**self.elsewhere, **later.elsewhere},
        )


def landed_text(landed: LandedApps) -> str:
    """Return the text of the file."""
    apps = [_app(owner, "landed", folder) for owner, folder in landed.folders.items()]
    apps += [_app(owner, state) for owner, state in landed.elsewhere.items() if owner not in landed.folders]
    return json.dumps({"version": 1, "apps": apps}, indent=2) + "\n"


def parse_landed(text: str, file: str) -> LandedApps:
    """Return what a file says. Raises ConfigError."""
    try:
        apps = [((app["app"], app["environment"]), app) for app in json.loads(text)["apps"]]
        return LandedApps(
            folders={owner: app["folder"] for owner, app in apps if app["state"] == "landed"},
            elsewhere={owner: app["state"] for owner, app in apps if app["state"] != "landed"},
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"it is no report of what a job landed: {type(error).__name__}: {error}",
            where=Location(file),
            hint="leave the file as 'headgate ci' writes it",
        ) from None


def _app(owner: Owner, state: str, folder: str = "") -> dict[str, Any]:
    known = {"app": owner[0], "environment": owner[1], "state": state}
    return {**known, "folder": folder} if folder else known
