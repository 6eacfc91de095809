"""What the commits of a branch changed, newest first, read from git's plumbing and never from messages."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from headgate.records import frozen_record
from headgate.repository.git import lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.repository.git import Repository

ABSENT = ""


@frozen_record(kw_only=False)
class FileChange:
    """One file of a commit: the blob ids before and after, `ABSENT` for no file."""

    path: str
    old: str
    new: str


@frozen_record
class LogEntry:
    """A commit and the requested files that it changed against its first parent.

    ``actors`` are the people whom Headgate named in its message: a squash drops them, and who may push can write any.
    """

    commit: str
    parent: str
    time: datetime
    who: str
    subject: str
    actors: tuple[str, ...]
    files: tuple[FileChange, ...]


def author_of(who: str) -> str:
    """Return the name in ``NAME <ADDRESS>``."""
    return who.rsplit(" <", 1)[0].strip()


ACTOR = "Headgate-Actor"
"""The trailer that names the person whom an intent is from."""
_FORMAT = f"tformat:%H%x00%P%x00%ct%x00%an <%ae>%x00%s%x00%(trailers:key={ACTOR},valueonly,unfold,separator=%x01)"
# Fixes the output, whatever the user's configuration says about `git log`.
_FLAGS = (
    *("--first-parent", "--diff-merges=first-parent", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff"),
    *("--no-mailmap", "--no-show-signature", "--no-notes", "--no-decorate", "--no-color", "--encoding=UTF-8"),
    f"--format={_FORMAT}",
)


def below(folder: str) -> str:
    """Return the pathspec of everything below a folder, without wildcards."""
    return f":(top,literal){folder}"


def like(pattern: str) -> str:
    """Return the pathspec of a glob (``apps/**/shop/**``): far slower than `below`."""
    return f":(top,glob){pattern}"


def log(repository: Repository, head: str, patterns: Sequence[str], *, limit: int = 0) -> list[LogEntry]:
    """Return the commits on the first-parent line of ``head`` that changed files of the patterns, newest first.

    ``patterns`` come from `below` and `like`; a ``limit`` of 0 means all commits.
    The oldest commit of a shallow repository seems to add every file: see `cut`.
    """
    max_count = [f"--max-count={limit}"] if limit else []
    # These pathspecs have magic of their own; all other commands take paths literally (GIT_LITERAL_PATHSPECS).
    printed = repository.git(
        *("-c", "log.showRoot=true", "--no-literal-pathspecs", "log", *_FLAGS, *max_count, "--end-of-options", head),
        *("--", *patterns),
    )
    return list(_entries(deque(printed.split("\0"))))


def pieces(repository: Repository, head: str, patterns: Sequence[str]) -> Iterator[list[LogEntry]]:
    """Yield the log in growing pieces, since callers seldom need all of it; without the commit of a shallow cut."""
    start, end = head, cut(repository, head)
    if start == end:
        return
    for limit in (100, 1000, 10_000, 0):
        entries = log(repository, start, patterns, limit=limit)
        yield [entry for entry in entries if entry.commit != end]
        if not limit or len(entries) < limit or not entries[-1].parent:
            break
        start = entries[-1].parent


def _entries(tokens: deque[str]) -> Iterator[LogEntry]:
    while len(tokens) > 1:
        commit, parents, seconds, who, subject, actors = (tokens.popleft() for _ in range(6))
        files = []
        while tokens and tokens[0].lstrip("\n").startswith(":"):
            _, _, old, new, _ = tokens.popleft().lstrip("\n").split(" ")
            files.append(FileChange(tokens.popleft(), _blob(old), _blob(new)))
        time = datetime.fromtimestamp(int(seconds), UTC)
        yield LogEntry(
            commit=commit,
            parent=parents.split(" ")[0],
            time=time,
            who=who,
            subject=subject,
            actors=tuple(filter(None, actors.strip("\n").split("\x01"))),
            files=tuple(files),
        )


def _blob(oid: str) -> str:
    return oid if oid.strip("0") else ABSENT


def is_shallow(repository: Repository) -> bool:
    """Whether the history is cut off."""
    return repository.git_path("shallow").is_file()


def cut(repository: Repository, head: str) -> str:
    """Return the commit at which a shallow repository cuts the first-parent line of ``head``, or an empty string."""
    file = repository.git_path("shallow")
    if not file.is_file():
        return ""
    ends = set(lines(file.read_text(encoding="ascii")))
    if head in ends:
        return head
    # Commits at the cut have no parents in this repository.
    roots = repository.git("rev-list", "--first-parent", "--max-parents=0", "--end-of-options", head)
    return next((commit for commit in lines(roots) if commit in ends), "")
