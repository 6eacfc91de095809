"""Changes -> a commit, by git's plumbing: no work tree, no index, no filters, no hooks."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.errors import GitError, Location, UnsafeFileError
from headgate.repository.git import NO_COMMIT, git, lines
from headgate.repository.signing import signed
from headgate.repository.tree import no_object, object_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.model import CommitIdentity, Commits
    from headgate.repository.git import Repository
    from headgate.repository.tree import Changes

_MAX_NAME = 255


@dataclass(frozen=True)
class Identity:
    """Who a commit is by, and the file of the key that signs it. What is left out, git's configuration says."""

    author: CommitIdentity | None = None
    committer: CommitIdentity | None = None
    signing_key: str = ""


def identity(commits: Commits | None, signing_key: str = "") -> Identity:
    """Return what headgate.yaml and the command line say of whom commits are by."""
    if commits is None:
        return Identity(signing_key=signing_key)
    return Identity(commits.author, commits.committer, signing_key)


def make_commit(
    repository: Repository,
    base: str,
    changes: Changes,
    message: str,
    *,
    parents: Sequence[str] = (),
    by: Identity = Identity(),
) -> str:
    """Make a commit of ``changes`` on top of ``base`` and return its id. No branch and no file is touched.

    On top of `NO_COMMIT` it is the first one.

    ``changes`` name full paths; contents are stored as they are, without filters.
    Raises what `signing.signed` raises when the commit is to be signed.
    """
    author, committer = _person(repository, "AUTHOR", by.author), _person(repository, "COMMITTER", by.committer)
    ref = f"refs/headgate/new-{secrets.token_hex(8)}"
    stream = [
        f"commit {ref}\nmark :1\nauthor {author}\ncommitter {committer}\n".encode(),
        _data(message.encode()),
    ]
    stream += [f"from {base}\n".encode()] if base != NO_COMMIT else []
    stream += [f"merge {parent}\n".encode() for parent in parents]
    for path, content in sorted(changes.items()):
        name = _quote(path)
        if content is None:
            stream.append(b"D " + name + b"\n")
        else:
            stream += [b"M 100644 inline " + name + b"\n", _data(content)]
    stream.append(f"\nget-mark :1\nreset {ref}\nfrom {no_object()}\n\n".encode())
    commit = repository.git("fast-import", "--quiet", "--date-format=raw", stdin=b"".join(stream))
    if not by.signing_key:
        return commit
    return _write(repository, git(["cat-file", "commit", commit], cwd=repository.path), by)


def make_trees(repository: Repository, folders: Sequence[Mapping[str, str]]) -> list[str]:
    """Return a tree for each mapping of paths to the trees that stand there.

    Only folders are read and written: in a repository without files' contents none of them is asked for.
    """
    filled = [one for one in folders if one]
    ref = f"refs/headgate/new-{secrets.token_hex(8)}"
    stream = []
    for one in filled:
        stream += [f"commit {ref}\ncommitter Headgate <headgate@headgate.invalid> 0 +0000\n".encode(), _data(b"")]
        stream += [b"deleteall\n"]
        stream += [b"M 040000 " + oid.encode() + b" " + _quote(path) + b"\n" for path, oid in sorted(one.items())]
        stream += [b'ls ""\n']
    stream += [f"reset {ref}\nfrom {no_object()}\n\n".encode()]
    told = repository.git("fast-import", "--quiet", "--date-format=raw", stdin=b"".join(stream)) if filled else ""
    made = iter([line.split("\t")[0].split(" ")[2] for line in lines(told)])
    return [next(made) if one else empty_tree() for one in folders]


def empty_tree() -> str:
    """Return the id of the tree without files, which git knows without being told."""
    return object_id(b"tree", b"")


def commit_tree(
    repository: Repository, tree: str, message: str, *, parents: Sequence[str] = (), by: Identity = Identity()
) -> str:
    """Make a commit that holds exactly ``tree`` and return its id. Errors as for `make_commit`."""
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    lines += [f"author {_person(repository, 'AUTHOR', by.author)}"]
    lines += [f"committer {_person(repository, 'COMMITTER', by.committer)}"]
    return _write(repository, ("\n".join(lines) + f"\n\n{message}").encode("utf-8", "surrogateescape"), by)


def _write(repository: Repository, commit: bytes, by: Identity) -> str:
    content = signed(commit, by.signing_key) if by.signing_key else commit
    return repository.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=content)


def _person(repository: Repository, role: str, person: CommitIdentity | None) -> str:
    """Return who it is by, and when: of the configuration, of git, or ourselves where git does not know either."""
    try:
        told = repository.git("var", f"GIT_{role}_IDENT")
    except GitError:
        told = f"Headgate <headgate@headgate.invalid> {int(time.time())} +0000"
    if person is None:
        return told
    return f"{person.name} <{person.email}> {told.rpartition('> ')[2]}"


def _data(content: bytes) -> bytes:
    return b"data %d\n" % len(content) + content + b"\n"


def _quote(path: str) -> bytes:
    if path.startswith("/") or any(part in ("", ".", "..", ".git") for part in path.split("/")):
        raise UnsafeFileError("not a path inside the repository", where=Location(path))
    raw = path.encode("utf-8", "surrogateescape")
    if max(map(len, raw.split(b"/"))) > _MAX_NAME:
        raise UnsafeFileError(f"a name above {_MAX_NAME} bytes, which no file system holds", where=Location(path))
    raw = raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + raw + b'"'


def advance(repository: Repository, new: str, old: str) -> None:
    """Move the current branch, its index and its files from ``old`` to ``new``, a child of it."""
    if repository.bare:
        repository.git("update-ref", "HEAD", new, old)
    else:
        # One process for index, files and branch, that looks at no file which stays as it is. It refuses to
        # touch what somebody changed.
        repository.git("reset", "--keep", "--quiet", new)
