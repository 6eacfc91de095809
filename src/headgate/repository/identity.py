"""Who makes a commit. Git is asked only where neither headgate.yaml nor environment nor settings say it in full."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from headgate.errors import GitError
from headgate.repository.git import git

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headgate.model import CommitIdentity
    from headgate.repository.git import Repository

Role = Literal["author", "committer"]

_PLAIN = re.compile(r"[^\x00- .,:;<>\"'\\]([^\x00-\x1f<>]*[^\x00- .,:;<>\"'\\])?")
"""A name or an address in which git drops no character."""


def author_name(folder: str) -> str:
    """Return the author that git is configured with in a folder. Raises GitError when there is none."""
    known = _known("author", dict)
    if known:
        return known[0]
    cwd = Path(folder) if Path(folder).is_dir() else Path()
    ident = git(["-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT"], cwd=cwd).decode("utf-8", "replace")
    return ident.rsplit(" <", 1)[0].strip()


def signature_line(repository: Repository, role: Role, person: CommitIdentity | None) -> str:
    """Return name, address and time as a commit has them: from headgate.yaml, else from git, else Headgate's own."""
    who, now = (person.name, person.email) if person else _known(role, lambda: repository.settings), _now(role)
    if who and now:
        return f"{who[0]} <{who[1]}> {now}"
    try:
        ident = repository.git("var", f"GIT_{role.upper()}_IDENT")
    except GitError:
        ident = f"Headgate <headgate@headgate.invalid> {int(time.time())} +0000"
    return ident if person is None else f"{person.name} <{person.email}> {ident.rpartition('> ')[2]}"


def _known(role: Role, settings: Callable[[], Mapping[str, str]]) -> tuple[str, str] | None:
    """Return name and address where environment or settings have both, as git would take them; else git must guess.

    https://git-scm.com/docs/git-commit#_commit_information
    """
    found = [_part(role, part, settings) for part in ("name", "email")]
    return (found[0], found[1]) if all(_PLAIN.fullmatch(text) for text in found) else None


def _part(role: Role, part: str, settings: Callable[[], Mapping[str, str]]) -> str:
    given = os.environ.get(f"GIT_{role}_{part}".upper())
    if given is not None:
        return given
    return settings().get(f"{role}.{part}") or settings().get(f"user.{part}", "")


def _now(role: Role) -> str:
    """Return the time as git writes it; empty where git has to read one, or runs in another time zone than this."""
    if f"GIT_{role}_DATE".upper() in os.environ or "TZ" in os.environ:
        return ""
    return f"{int(time.time())} {time.strftime('%z')}"
