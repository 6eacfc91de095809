"""Errors in files that a hand-off brought, named as their authors know them: file, project, commit. Pure."""

from __future__ import annotations

import copy
from dataclasses import replace

from headgate.errors import GitError, HeadgateError, Location, SandboxError, ToolError

_NOT_OF_FILES = (GitError, SandboxError, ToolError)
_SHORT = 8
"""Characters of a commit, as GitLab shows it."""


def origin_of(project: str, commit: str) -> str:
    """Return where a hand-off's files are from: ``acme/shop at b4c0ec9f``."""
    return f"{project} at {commit[:_SHORT]}"


def in_origin(error: HeadgateError, folder: str, path: str, origin: str, *, is_own: bool = False) -> HeadgateError:
    """Return an error with the files of ``folder`` named as in the app's repository, where they are in ``path``.

    ``is_own``: an error without a place is theirs too. Errors in other files stay as they are.
    """
    is_own = is_own and not isinstance(error, _NOT_OF_FILES)
    where = error.where or (Location(folder) if is_own else None)
    if where is None or where.origin or not f"{where.file}/".startswith(f"{folder}/"):
        return error
    # As it is written: a name such as '../x' is what the error is about.
    source = path if where.file == folder else _inside(path) + where.file.removeprefix(f"{folder}/")
    named = copy.copy(error)
    named.where = replace(where, source=source, origin=origin)
    named.what, named.hint = (_renamed(text, folder, path) for text in (error.what, error.hint))
    named.args = (named.what,)
    return named


def _renamed(text: str, folder: str, path: str) -> str:
    return text.replace(f"{folder}/", _inside(path)).replace(folder, path)


def _inside(path: str) -> str:
    return "" if path == "." else f"{path}/"
