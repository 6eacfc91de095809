"""A GitLab that several tests share: what each of them does to it is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from support.gitlab.gitside import git, refs
from support.gitlab.state import Project, Protection, Variable

if TYPE_CHECKING:
    from support.gitlab.double import Double

_SHARED = ("root", "url", "lock", "keys", "violations")
"""Fields of the double that stay: where it is served, and what broke GitLab's contract."""


@contextmanager
def put_back(double: Double) -> Iterator[None]:
    """Put everything back as it was when the block ends: people, tokens, settings, projects and their repositories.

    What ended before the block (pipelines, notes) is kept by reference, since nothing changes it any more.
    """
    known = _copied(double, _SHARED)
    projects = [(one, _copied(one), refs(one)) for one in double.projects]
    try:
        yield
    finally:
        _set(double, known)
        for project, values, heads in projects:
            _set(project, values)
            _move(project, heads)


def _copied(record: Any, left_out: tuple[str, ...] = ()) -> dict[str, Any]:
    return {one.name: _copy(getattr(record, one.name)) for one in fields(record) if one.name not in left_out}


def _set(record: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(record, name, value)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: replace(one) if isinstance(one, (Protection, Variable)) else one for key, one in value.items()}
    if isinstance(value, list):
        return [dict(one) if isinstance(one, dict) else one for one in value]
    return set(value) if isinstance(value, set) else value


def _move(project: Project, heads: dict[str, str]) -> None:
    """Let all refs be where they were; objects stay, as in any repository."""
    now = refs(project)
    orders = [f"delete {ref}" for ref in now if ref not in heads]
    orders += [f"update {ref} {commit}" for ref, commit in heads.items() if now.get(ref) != commit]
    if orders:
        git(project, "update-ref", "--stdin", stdin="\n".join([*orders, ""]))
