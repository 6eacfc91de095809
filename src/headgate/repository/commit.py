"""Changes -> a commit, by git's plumbing: no working tree, index, filters or hooks."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from headgate.errors import GitError, Location, UnsafeFileError
from headgate.records import frozen_record
from headgate.repository.git import NO_COMMIT, lines
from headgate.repository.identity import signature_line
from headgate.repository.signing import signed
from headgate.repository.tree import no_object, object_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headgate.model import CommitIdentity, Commits
    from headgate.repository.git import Repository
    from headgate.repository.tree import Changes

_MAX_NAME = 255


@frozen_record(kw_only=False)
class Identity:
    """Author, committer, and the file of the signing key of a commit. Git's configuration is the default."""

    author: CommitIdentity | None = None
    committer: CommitIdentity | None = None
    signing_key: str = ""


def commit_identity(commits: Commits | None, signing_key: str = "") -> Identity:
    """Return the identity that headgate.yaml and the command line configure."""
    if commits is None:
        return Identity(signing_key=signing_key)
    return Identity(commits.author, commits.committer, signing_key)


def make_commit(
    repository: Repository,
    base: str,
    changes: Changes,
    message: str,
    *,
    identity: Identity = Identity(),
) -> str:
    """Commit ``changes`` on top of ``base`` and return the new commit's id. Moves no branch and touches no file.

    A commit on `NO_COMMIT` has no parent. Contents are stored as they are, without filters.
    Raises the errors of `signing.signed`.
    """
    author, committer = (
        signature_line(repository, "author", identity.author),
        signature_line(repository, "committer", identity.committer),
    )
    ref = f"refs/headgate/new-{secrets.token_hex(8)}"

    def stream() -> Iterator[bytes]:
        yield f"commit {ref}\nmark :1\nauthor {author}\ncommitter {committer}\n".encode()
        yield _data(message.encode())
        if base != NO_COMMIT:
            yield f"from {base}\n".encode()
        for path, content in sorted(changes.items()):
            name = _quote(path)
            yield b"D " + name + b"\n" if content is None else b"M 100644 inline " + name + b"\n" + _data(content)
        yield f"\nget-mark :1\nreset {ref}\nfrom {no_object()}\n\n".encode()

    commit = repository.git("fast-import", "--quiet", "--date-format=raw", stdin=stream())
    repository.keep(content for content in changes.values() if content is not None)
    if not identity.signing_key:
        return commit
    return _write(repository, repository.stored([commit])[0], identity)


def make_trees(repository: Repository, folders: Sequence[Mapping[str, str]]) -> list[str]:
    """Return a tree for each mapping of paths to subtrees. Fetches no blobs in a partial clone."""
    filled = [subtrees for subtrees in folders if subtrees]
    ref = f"refs/headgate/new-{secrets.token_hex(8)}"
    stream = []
    for subtrees in filled:
        stream += [f"commit {ref}\ncommitter Headgate <headgate@headgate.invalid> 0 +0000\n".encode(), _data(b"")]
        stream += [b"deleteall\n"]
        stream += [b"M 040000 " + oid.encode() + b" " + _quote(path) + b"\n" for path, oid in sorted(subtrees.items())]
        stream += [b'ls ""\n']
    stream += [f"reset {ref}\nfrom {no_object()}\n\n".encode()]
    output = repository.git("fast-import", "--quiet", "--date-format=raw", stdin=b"".join(stream)) if filled else ""
    trees = iter([line.split("\t")[0].split(" ")[2] for line in lines(output)])
    return [next(trees) if subtrees else empty_tree() for subtrees in folders]


def empty_tree() -> str:
    """Return the id of the empty tree, which every repository has."""
    return object_id(b"tree", b"")


def commit_tree(
    repository: Repository, tree: str, message: str, *, parents: Sequence[str] = (), identity: Identity = Identity()
) -> str:
    """Commit ``tree`` and return the new commit's id. Raises the errors of `make_commit`."""
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    lines += [f"author {signature_line(repository, 'author', identity.author)}"]
    lines += [f"committer {signature_line(repository, 'committer', identity.committer)}"]
    return _write(repository, ("\n".join(lines) + f"\n\n{message}").encode("utf-8", "surrogateescape"), identity)


def _write(repository: Repository, commit: bytes, identity: Identity) -> str:
    content = signed(commit, identity.signing_key) if identity.signing_key else commit
    return repository.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=content)


def _data(content: bytes) -> bytes:
    return b"data %d\n" % len(content) + content + b"\n"


def _quote(path: str) -> bytes:
    if path.startswith("/") or any(part in ("", ".", "..", ".git") for part in path.split("/")):
        raise UnsafeFileError("not a path inside the repository", where=Location(path))
    raw = path.encode("utf-8", "surrogateescape")
    if max(map(len, raw.split(b"/"))) > _MAX_NAME:
        raise UnsafeFileError(f"a name of more than {_MAX_NAME} bytes", where=Location(path), hint="rename the file")
    raw = raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + raw + b'"'


def advance(repository: Repository, new: str, old: str) -> None:
    """Move the current branch, its index and its files from ``old`` to its descendant ``new``."""
    if repository.bare:
        repository.git("update-ref", "HEAD", new, old)
    else:
        # One process for index, files and branch; it reads only the files that differ and refuses to overwrite changes.
        try:
            repository.git("reset", "--keep", "--quiet", new)
        except GitError:
            # It takes a file for changed that was only copied or saved again: git looks at its time, not its content.
            with suppress(GitError):  # which says that some did change
                repository.git("update-index", "-q", "--refresh")
            repository.git("reset", "--keep", "--quiet", new)
