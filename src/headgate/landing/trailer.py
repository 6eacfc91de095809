"""The trailer by which a repeated run finds that its intent has landed and only the answer was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.repository.git import has_commit
from headgate.repository.remote import fetch_recent, scratch

if TYPE_CHECKING:
    from headgate.landing.workspace import Workspace
    from headgate.repository.git import Repository

INTENT = "Headgate-Intent"
LOOKED_BACK = 1000
"""How many commits a run searches: people repeat it within hours, not after a thousand other commits."""


def find_intent(workspace: Workspace, intent: str, after: str = "") -> str:
    """Return the newest commit of the default branch that was made for an intent, or an empty string.

    ``after`` is a commit older than the intent: it and its ancestors do not count, whatever their trailers say.
    Unmerged proposals do not count: a run replaces them.
    """
    if not workspace.remote:
        return _find(workspace.repository, "HEAD", intent, after)
    url = workspace.repository.git("remote", "get-url", workspace.remote)
    with scratch(url, like=workspace.base) as clone:
        return _find(clone, fetch_recent(clone, f"refs/heads/{workspace.branch}", LOOKED_BACK), intent, after)


def _find(repository: Repository, head: str, intent: str, after: str) -> str:
    before = [f"^{after}"] if after and has_commit(repository, after) else []
    output = repository.git(
        *("log", "-z", f"--max-count={LOOKED_BACK}", f"--format=%H %(trailers:key={INTENT},valueonly,separator=%x01)"),
        *("--fixed-strings", f"--grep={INTENT}: {intent}", head, *before),
    )
    for line in filter(None, output.split("\0")):
        commit, _, values = line.strip("\n").partition(" ")
        if intent in values.strip("\n").split("\x01"):
            return commit
    return ""
