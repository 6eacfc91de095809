"""Changes -> a commit, by git's plumbing: no work tree, no index, no filters, no hooks."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from headgate.errors import GitError, Place, UnsafeFileError
from headgate.git import NO_COMMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.git import Repository
    from headgate.tree import Changes


def make_commit(
    repository: Repository, base: str, changes: Changes, message: str, *, parents: Sequence[str] = ()
) -> str:
    """Make a commit of ``changes`` on top of ``base`` and return its id. No branch and no file is touched.

    ``changes`` name full paths; contents are stored as they are, without filters. Authored by whom git's
    own configuration names.
    """
    author, committer = _identity(repository, "AUTHOR"), _identity(repository, "COMMITTER")
    ref = f"refs/headgate/new-{secrets.token_hex(8)}"
    stream = [
        f"commit {ref}\nmark :1\nauthor {author}\ncommitter {committer}\n".encode(),
        _data(message.encode()),
    ]
    stream += [f"from {base}\n".encode()]
    stream += [f"merge {parent}\n".encode() for parent in parents]
    for path, content in sorted(changes.items()):
        name = _quote(path)
        if content is None:
            stream.append(b"D " + name + b"\n")
        else:
            stream += [b"M 100644 inline " + name + b"\n", _data(content)]
    stream.append(f"\nget-mark :1\nreset {ref}\nfrom {NO_COMMIT}\n\n".encode())
    return repository.git("fast-import", "--quiet", "--date-format=raw", stdin=b"".join(stream))


def _identity(repository: Repository, role: str) -> str:
    """Return who git says we are, and when; ourselves where nobody has told git, as in a fresh job."""
    try:
        return repository.git("var", f"GIT_{role}_IDENT")
    except GitError:
        return f"Headgate <headgate@headgate.invalid> {int(time.time())} +0000"


def _data(content: bytes) -> bytes:
    return b"data %d\n" % len(content) + content + b"\n"


def _quote(path: str) -> bytes:
    if path.startswith("/") or any(part in ("", ".", "..", ".git") for part in path.split("/")):
        raise UnsafeFileError("not a path inside the repository", where=Place(path))
    raw = path.encode("utf-8", "surrogateescape")
    raw = raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + raw + b'"'


def advance(repository: Repository, new: str, old: str) -> None:
    """Move the current branch, its index and its files from ``old`` to ``new``, a child of it."""
    if repository.bare:
        repository.git("update-ref", "HEAD", new, old)
    else:
        repository.git("merge", "--ff-only", "--quiet", "--no-verify-signatures", new)
