"""What the commits of a branch changed, newest first, told by git's plumbing and never by messages."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from headgate.repository.git import lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.repository.git import Repository

ABSENT = ""


@dataclass(frozen=True)
class FileChange:
    """One file of a commit: the ids of its content before and after, `ABSENT` where there was none."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Logged:
    """A commit and those of its files that were asked for, against its first parent."""

    commit: str
    parent: str
    time: datetime
    who: str
    subject: str
    files: tuple[FileChange, ...]


_FORMAT = "tformat:%H%x00%P%x00%ct%x00%an <%ae>%x00%s"
# Whatever a user's configuration says of `git log`, this is what is printed.
_FLAGS = (
    *("--first-parent", "--diff-merges=first-parent", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff"),
    *("--no-mailmap", "--no-show-signature", "--no-notes", "--no-decorate", "--no-color", "--encoding=UTF-8"),
    f"--format={_FORMAT}",
)


def below(folder: str) -> str:
    """Return git's pattern for all that is below a folder, taken as it stands."""
    return f":(top,literal){folder}"


def like(pattern: str) -> str:
    """Return git's pattern for the paths that fit a glob (``apps/**/shop/**``): far slower than `below`."""
    return f":(top,glob){pattern}"


def log(repository: Repository, head: str, patterns: Sequence[str], *, most: int = 0) -> list[Logged]:
    """Return the commits on the first-parent line of ``head`` that changed files of the patterns, newest first.

    ``patterns`` are of `below` and `like`; ``most`` limits how many commits there are.
    The oldest commit of a shallow repository seems to add every file: see `cut`.
    """
    limit = [f"--max-count={most}"] if most else []
    # Patterns say themselves what they are; everywhere else a path is taken as it stands (GIT_LITERAL_PATHSPECS).
    printed = repository.git(
        *("-c", "log.showRoot=true", "--no-literal-pathspecs", "log", *_FLAGS, *limit, "--end-of-options", head),
        *("--", *patterns),
    )
    return list(_entries(deque(printed.split("\0"))))


def pieces(repository: Repository, head: str, patterns: Sequence[str]) -> Iterator[list[Logged]]:
    """Yield the log in growing pieces, since most of it is seldom needed; without what a shallow repository adds."""
    start, end = head, cut(repository, head)
    for most in (100, 1000, 10_000, 0):
        logged = log(repository, start, patterns, most=most)
        yield [one for one in logged if one.commit != end]
        if not most or len(logged) < most or not logged[-1].parent:
            break
        start = logged[-1].parent


def _entries(tokens: deque[str]) -> Iterator[Logged]:
    while len(tokens) > 1:
        commit, parents, seconds, who, subject = (tokens.popleft() for _ in range(5))
        files = []
        while tokens and tokens[0].lstrip("\n").startswith(":"):
            _, _, old, new, _ = tokens.popleft().lstrip("\n").split(" ")
            files.append(FileChange(tokens.popleft(), _known(old), _known(new)))
        time = datetime.fromtimestamp(int(seconds), UTC)
        yield Logged(commit, parents.split(" ")[0], time, who, subject, tuple(files))


def _known(oid: str) -> str:
    return oid if oid.strip("0") else ABSENT


def cut(repository: Repository, head: str) -> str:
    """Return the commit at which the first-parent line of ``head`` is cut off (a shallow repository), or nothing."""
    file = repository.path / repository.git("rev-parse", "--git-path", "shallow")
    if not file.is_file():
        return ""
    ends = set(lines(file.read_text(encoding="ascii")))
    # No parent is here of the commits at the cut, so that the line ends there.
    told = repository.git("rev-list", "--first-parent", "--max-parents=0", "--end-of-options", head)
    return next((commit for commit in lines(told) if commit in ends), "")


def contents(repository: Repository, oids: Sequence[str]) -> dict[str, bytes]:
    """Return the content of files by their ids; those that a repository without files lacks are fetched at once."""
    return dict(repository.load(oids))
