"""The trailer by which a run finds out that it was done before: its answer may have been lost, not its commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.repository.git import has_commit
from headgate.repository.remote import ORIGIN, fetch_recent, scratch

if TYPE_CHECKING:
    from headgate.landing.workspace import Workspace
    from headgate.repository.git import Repository

INTENT = "Headgate-Intent"
LOOKED_BACK = 1000
"""How many commits a run looks back: it is repeated within minutes or hours, not after a thousand others."""


def find_intent(workspace: Workspace, intent: str, after: str = "") -> str:
    """Return the newest commit of the default branch that was made for an intent, or an empty string.

    ``after`` is a commit that was there before the intent: it and those before it do not count, whatever their
    trailers say. Only commits are read, no files. Proposals that were not merged do not count: they are replaced, not
    repeated.
    """
    if not workspace.remote:
        return _find(workspace.repository, "HEAD", intent, after)
    with scratch(workspace.remote_url, like=workspace.base) as fresh:
        return _find(fresh, fetch_recent(fresh, ORIGIN, f"refs/heads/{workspace.branch}", LOOKED_BACK), intent, after)


def _find(repository: Repository, head: str, intent: str, after: str) -> str:
    before = [f"^{after}"] if after and has_commit(repository, after) else []
    told = repository.git(
        *("log", "-z", f"--max-count={LOOKED_BACK}", f"--format=%H %(trailers:key={INTENT},valueonly,separator=%x01)"),
        *("--fixed-strings", f"--grep={INTENT}: {intent}", head, *before),
    )
    for line in filter(None, told.split("\0")):
        commit, _, values = line.strip("\n").partition(" ")
        if intent in values.strip("\n").split("\x01"):
            return commit
    return ""
