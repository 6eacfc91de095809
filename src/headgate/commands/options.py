"""The options of every command that changes a manifest repository. Loads nothing, so that `--help` is quick."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from headgate.records import frozen_record

if TYPE_CHECKING:
    from contextlib import ExitStack

    from headgate.intents.protocol import Intent
    from headgate.landing.workspace import Workspace

NOTHING_WRITTEN = "nothing was written (--dry-run)"

Resolve = Callable[["Workspace", "ExitStack"], "Intent"]
"""Makes an intent from the state of the repository. The stack's resources are closed after the landing."""


@frozen_record
class RunOptions:
    """The shared options. ``intent`` is an id: if a commit has it already, nothing is done. ``by`` names the actor.

    ``dry_run``: nothing is written.
    """

    manifests: str
    intent: str = ""
    diff: bool = False
    json: bool = False
    signing_key: str = ""
    by: str = ""
    dry_run: bool = False
