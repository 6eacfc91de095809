"""A command that somebody typed, and what it may change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer

from headgate.arguments import app
from support.manifests import git
from support.place import Place

READS = ("compare", "history", "preview", "status", "verify", "wait", "where")


@dataclass(frozen=True, kw_only=True)
class Typed:
    """A command that was typed: its verb, what it was given, and where."""

    verb: str
    given: Mapping[str, Any]
    folder: Path

    def __getitem__(self, name: str) -> Any:
        return self.given[name]

    @property
    def manifests(self) -> Path:
        """The manifest repository's folder."""
        return (self.folder / str(self.given.get("manifests") or ".")).resolve()

    @property
    def writes(self) -> bool:
        """Whether it is to change anything in repositories."""
        only_shows = self.given.get("dry_run") or self.given.get("check")
        return not only_shows and self.verb not in READS


def take_command(words: list[str]) -> tuple[list[str], Any]:
    """Take the words of a verb off a command line; return these, and the command. Raises KeyError for none."""
    verb, command = [], program()
    while hasattr(command, "commands"):
        verb.append(words.pop(0))
        command = command.commands[verb[-1]]
    return verb, command


@cache
def program() -> Any:
    """Return the program with all its commands, which takes a while to make."""
    return typer.main.get_command(app)


def parse(words: list[str], folder: Path) -> Typed:
    """Read a command line as the program does."""
    rest = list(words)
    verb, command = take_command(rest)
    given = command.make_context(" ".join(verb), rest).params
    return Typed(verb=" ".join(verb), given=given, folder=folder)


@dataclass(frozen=True)
class State:
    """What a command may change: branches of the manifest repository and of a checkout, and its files."""

    refs: str
    own: str
    files: str

    @staticmethod
    def of(place: Place, typed: Typed) -> State:
        """Look at it now."""
        refs = git(Path(place.remote), "for-each-ref", "--format=%(refname) %(objectname)")
        if not (typed.manifests / ".git").exists():
            return State(refs, "", "")
        own = git(typed.manifests, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads")
        return State(refs, own, git(typed.manifests, "status", "--porcelain"))
