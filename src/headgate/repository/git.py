"""git: small questions and orders to the git binary, by plumbing with explicit flags and a scrubbed environment."""

from __future__ import annotations

import atexit
import os
import re
import stat
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from headgate import process
from headgate.errors import DirtyError, GitError, Location
from headgate.repository.login import has_logins, login_config, refusal
from headgate.repository.tree import (
    EXECUTABLE,
    GITLINK,
    MAX_FILE,
    REGULAR,
    SYMLINK,
    DiskBlob,
    MemoryBlob,
    StoredBlob,
    Tree,
    name_objects_as,
)
from headgate.retry import persistently

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headgate.repository.tree import Blob

NO_COMMIT = "0" * 40

# What git needs of our environment to reach remotes as the user does. GIT_DIR and its like are left out:
# they would lead every command to another repository.
_INHERITED = (
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "XDG_CONFIG_HOME", "SSH_AUTH_SOCK", "SSH_AGENT_PID"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_ASKPASS", "SSH_ASKPASS"),
    *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
    *("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE"),
    *("GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_COMMITTER_DATE"),
)
_FIXED = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",  # what is missing is asked for in bulk, never one by one behind our back
    "GIT_ALLOW_PROTOCOL": "file:http:https:ssh",  # never ext:: or fd::, which run what an address says
}
# Nothing that a repository brings along is run: no hooks, no file system monitor.
_WORDS = 5
# What counts for a repository of the user's own, whose settings git reads whatever we say.
_OWN = ("push.gpgSign=false", "push.followTags=false", "push.recurseSubmodules=no", "fetch.recurseSubmodules=false")
_CONFIG = (
    *(word for setting in ("safe.bareRepository=all", *_OWN) for word in ("-c", setting)),
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.auto=0"),
)


# The user's settings that say who he is and how remotes are reached. All others are for his own work with git: a
# format, a signature, a hook or a default of his would change what a commit is, or stop a push.
_SETTINGS = (
    *("user.", "author.", "committer.", "credential.", "http.", "https.", "url.", "ssh.", "safe.directory"),
    *("core.sshcommand", "core.askpass", "core.gitproxy"),
)


@cache
def user_settings(folder: str) -> str:
    """Write the settings of user and system that count, as they hold in a folder, to a file; return its path."""
    env = {**process.inherited(_INHERITED), **_FIXED}
    place = Path(folder) if folder and Path(folder).is_dir() else Path("/")
    try:
        listed = process.run(
            ["git", "-c", "safe.bareRepository=all", "config", "--list", "-z", "--show-scope", "--includes"],
            env=env,
            cwd=place,
        ).stdout.decode("utf-8", "surrogateescape")
    except process.ProcessError:
        listed = ""
    tokens = listed.split("\0")
    lines = []
    for scope, entry in zip(tokens[::2], tokens[1::2], strict=False):
        key, _, value = entry.partition("\n")
        if scope in ("system", "global") and key.lower().startswith(_SETTINGS):
            lines.append(_setting(key, value))
    return str(_settings_file("".join(lines)))


def _setting(key: str, value: str) -> str:
    """Write a setting as https://git-scm.com/docs/git-config#_syntax says."""
    section, _, name = key.rpartition(".")
    section, _, rest = section.partition(".")
    head = f'[{section} "{escaped(rest)}"]' if rest else f"[{section}]"
    return f'{head}\n\t{name} = "{escaped(value)}"\n'


def escaped(text: str) -> str:
    """Return a value as it stands in quotes: https://git-scm.com/docs/git-config#_syntax."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@cache
def _settings_file(text: str) -> Path:
    if not text:
        return Path(os.devnull)
    descriptor, name = tempfile.mkstemp(prefix="headgate-", suffix=".gitconfig")
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))
    atexit.register(Path(name).unlink, missing_ok=True)
    return Path(name)


def author_name(folder: str) -> str:
    """Return who git says is at work in a folder, which may be no repository. Raises GitError when it is unknown."""
    place = Path(folder) if Path(folder).is_dir() else Path()
    ident = git(["-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT"], cwd=place).decode("utf-8", "replace")
    return ident.rsplit(" <", 1)[0].strip()


def git(args: Sequence[str], *, cwd: Path | None = None, stdin: bytes = b"", most: int = 0) -> bytes:
    """Run git and return what it printed. ``most``: bytes that it may write into one file; 0 is no limit.

    Raises GitError with git's words, passwords in addresses masked.
    """
    env = {**process.inherited(_INHERITED), **_FIXED, **login_config()}
    env |= {"GIT_CONFIG_GLOBAL": user_settings(str(cwd) if cwd else ""), "GIT_CONFIG_NOSYSTEM": "1"}
    if has_logins():
        env["HOME"] = os.devnull  # in a pipeline git has the logins that it was given, and none of ~/.netrc
    try:
        done = process.run(["git", *_CONFIG, *args], env=env, cwd=cwd, stdin=stdin, limits=process.Limits(output=most))
    except process.ProcessError as error:
        words = mask(error.stderr)
        told = words.removeprefix("fatal: ").splitlines()[:_WORDS]
        refused = refusal(args, words)
        if refused:
            told[-1] = refused.what  # in place of git's, which tells of a prompt or of a number
        why = "; ".join(told) or error.completed.code
        raise GitError(f"git {args[0]} failed: {why}", hint=refused.hint if refused else "") from None
    return done.stdout


def mask(text: str) -> str:
    """Hide user names and passwords in addresses."""
    return re.sub(r"(\w+://)[^/@\s]+@", r"\1", text)


@dataclass(frozen=True)
class Repository:
    """A repository on this machine: ``path`` is its working tree, or the repository itself when it is bare.

    Contents that are not here are fetched from where the rest came from; ``most`` limits the bytes of one fetch.
    """

    path: Path
    bare: bool = False
    most: int = 0
    _sizes: dict[str, int] = field(default_factory=dict, repr=False, compare=False)
    _contents: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    def git(self, *args: str, stdin: bytes = b"") -> str:
        """Run git in this repository and return what it printed as text, without the last newline."""
        return git(args, cwd=self.path, stdin=stdin).decode("utf-8", "surrogateescape").rstrip("\n")

    def measure(self, oids: Sequence[str]) -> Mapping[str, int]:
        """Return the sizes of blobs, all that are not known by one process. Raises GitError for a missing one."""
        if len(oids) == 1 and oids[0] in self._sizes:
            return self._sizes
        unknown = [oid for oid in dict.fromkeys(oids) if oid not in self._sizes]
        if unknown:
            self._sizes.update(_sizes(self, unknown))
        return self._sizes

    def load(self, oids: Sequence[str]) -> Mapping[str, bytes]:
        """Return the contents of blobs that are not too large, all that are not at hand by one process."""
        if len(oids) == 1 and oids[0] in self._contents:
            return self._contents
        sizes = self.measure(oids)
        missing = [oid for oid in dict.fromkeys(oids) if oid not in self._contents and sizes[oid] <= MAX_FILE]
        if missing:
            out = git(["cat-file", "--batch"], cwd=self.path, stdin=_lines(missing))
            self._contents.update(_batch(out))
        return self._contents


def _lines(oids: Sequence[str]) -> bytes:
    return "\n".join(oids).encode() + b"\n"


def _sizes(repository: Repository, oids: Sequence[str]) -> dict[str, int]:
    """Return the sizes of blobs, after fetching those that are missing."""
    reason = None
    try:
        known = _measured(repository, oids)
    except GitError as error:  # which older versions of git say where they would have fetched, had we let them
        known, reason = {}, error
    lacking = [oid for oid in oids if oid not in known]
    if lacking:
        _fetch_blobs(repository, lacking, reason or _missing(repository, lacking[0]))
        known |= _measured(repository, lacking)
    for oid in lacking:
        if oid not in known:
            raise _missing(repository, oid)
    return known


def _measured(repository: Repository, oids: Sequence[str]) -> dict[str, int]:
    """Return the sizes of those blobs that are here."""
    out = git(["cat-file", "--batch-check"], cwd=repository.path, stdin=_lines(oids)).decode()
    rows = [line.split(" ") for line in lines(out)]
    return {row[0]: int(row[2]) for row in rows if row[1] != "missing"}


def _missing(repository: Repository, oid: str) -> GitError:
    return GitError(f"the object {oid} is missing in the repository", where=Location(str(repository.path)))


def _fetch_blobs(repository: Repository, oids: Sequence[str], reason: GitError) -> None:
    """Fetch blobs in one request, from the remote that the rest of a partial clone came from; else raise ``reason``."""
    told = git(["config", "--list", "--name-only"], cwd=repository.path).decode("utf-8", "surrogateescape")
    listed = lines(told)
    remotes = [key.removeprefix("remote.").removesuffix(".promisor") for key in listed if key.endswith(".promisor")]
    if not remotes:
        raise reason
    # Without negotiation: the ids are all that is asked for. The filter keeps git from asking for more.
    args = ["-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head"]
    args += ["--no-auto-maintenance", "--filter=blob:none", "--stdin", "--end-of-options", remotes[-1]]
    persistently(lambda: git(args, cwd=repository.path, stdin=_lines(oids), most=repository.most))


def _batch(out: bytes) -> Iterator[tuple[str, bytes]]:
    position = 0
    while position < len(out):
        end = out.index(b"\n", position)
        oid, _, size = out[position:end].decode().split(" ")
        yield oid, out[end + 1 : end + 1 + int(size)]
        position = end + int(size) + 2


def open_repository(path: Path) -> Repository:
    """Find the repository that ``path`` is in. Raises GitError when there is none."""
    if not path.is_dir():
        raise GitError("no such folder", where=Location(str(path)))
    try:
        answer = git(["rev-parse", "--is-bare-repository", "--show-toplevel"], cwd=path).decode(
            "utf-8", "surrogateescape"
        )
        return Repository(Path(lines(answer)[1]))
    except GitError:
        pass
    try:
        bare = git(["rev-parse", "--is-bare-repository", "--absolute-git-dir"], cwd=path).decode(
            "utf-8", "surrogateescape"
        )
    except GitError as error:
        hint = "run it inside a checkout of the manifest repository, or name one with --repo"
        if "dubious ownership" in error.what:
            hint = "the repository belongs to another user: git config --global --add safe.directory DIR"
        raise GitError("not a git repository", where=Location(str(path)), hint=hint) from None
    return Repository(Path(lines(bare)[1]), bare=True)


def use_names_of(repository: Repository) -> None:
    """Name objects as a repository does, whose manifests a run works on: by SHA-1, or by SHA-256."""
    name_objects_as(repository.git("rev-parse", "--show-object-format"))


def head(repository: Repository, revision: str = "HEAD") -> str:
    """Return the commit id of a revision. Raises GitError when there is no such commit."""
    return repository.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")


def has_commit(repository: Repository, revision: str) -> bool:
    """Whether a revision names a commit that is here."""
    try:
        head(repository, revision)
    except GitError:
        return False
    return True


def current_branch(repository: Repository) -> str:
    """Return the name of the branch that HEAD is on, or an empty string when it is detached."""
    try:
        return repository.git("symbolic-ref", "--quiet", "--short", "HEAD")
    except GitError:
        return ""


def tree_of_commit(repository: Repository, commit: str, folder: str = "") -> Tree:
    """Return the files of a commit below ``folder``, with paths from there. No content is read, nor fetched."""
    listing = repository.git("ls-tree", "-r", "-z", "--full-tree", commit, "--", folder or ".")
    blobs: dict[str, Blob] = {}
    skip = len(folder) + 1 if folder else 0
    for line in listing.split("\0"):
        if line:  # "100644 blob ID<tab>PATH", cut by positions: there are tens of thousands
            tab = line.index("\t")
            blobs[line[tab + 1 + skip :]] = StoredBlob(repository, line[line.index(" ", 7) + 1 : tab], line[:6])
    return Tree(blobs)


def tree_of_folder(repository: Repository) -> Tree:
    """Return the files of the working tree as they are now: those that git tracks or would add."""
    listed = _listed(repository)
    blobs: dict[str, Blob] = {}
    for path, oid in listed.items():
        full = f"{repository.path}/{path}"
        try:
            found = os.lstat(full)
        except OSError:
            continue  # deleted in the working tree, or below a file that took a folder's place
        mode = _mode(found.st_mode)
        if mode == GITLINK:
            blobs[path] = MemoryBlob(b"", GITLINK)
        else:
            blobs[path] = DiskBlob(full, mode, found.st_size, oid)
    return Tree(blobs)


def _listed(repository: Repository) -> dict[str, str]:
    """Return each file that git tracks or would add, with its object id where git knows that it is still that.

    One process tells all, by ``-t`` with a letter before each line: H and S for the file as git has it, another one
    once more for a file that changed.
    """
    what = ("--stage", "--others", "--exclude-standard", "--modified", "--deleted")
    entries = repository.git("ls-files", "-z", "-t", *what).split("\0")
    listed: dict[str, str] = {}
    for entry in filter(None, entries):
        tag, _, rest = entry.partition(" ")
        meta, _, path = rest.partition("\t") if tag != "?" else ("", "", rest)
        listed[path] = meta.split(" ")[1] if tag in "HS" and path not in listed else ""
    return listed


def _mode(bits: int) -> str:
    if stat.S_ISLNK(bits):
        return SYMLINK
    if stat.S_ISDIR(bits):
        return GITLINK
    return EXECUTABLE if bits & stat.S_IXUSR else REGULAR


def check_clean(repository: Repository, paths: Sequence[str] = ()) -> None:
    """Raise DirtyError when the working tree differs from HEAD in a file that git would see, or in one of ``paths``."""
    status = repository.git(
        *("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"), *(["--", *paths] if paths else [])
    )
    files = [line[3:] for line in status.split("\0") if line]
    if files:
        more = f" and {len(files) - 3} more" if len(files) > 3 else ""  # noqa: PLR2004
        raise DirtyError(
            f"uncommitted changes: {', '.join(files[:3])}{more}",
            where=Location(str(repository.path)),
            hint="commit or stash them first, so that the commit holds what was hydrated and nothing else",
        )


def local_refs(repository: Repository) -> dict[str, str]:
    """Return where the local branches are."""
    told = repository.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/")
    return dict(line.rsplit(" ", 1) for line in lines(told))


@dataclass(frozen=True)
class CommitDetails:
    """What a commit holds: its tree, the commits that it stands on, and its message."""

    tree: str
    parents: tuple[str, ...]
    message: str


def commit_details(repository: Repository, commit: str) -> CommitDetails:
    """Return a commit as it is stored, wherever history is cut off. Raises GitError when it is not here."""
    return parse_commit(git(["cat-file", "commit", commit], cwd=repository.path, most=repository.most), commit)


def parse_commit(data: bytes, commit: str) -> CommitDetails:
    """Read a commit by git's own rules: its tree first, then its parents, and nothing further down is one.

    https://git-scm.com/docs/git-fsck (missingTree, badParentSha1). Raises GitError for what git does not take for one.
    """
    header, _, message = data.partition(b"\n\n")
    rows = header.split(b"\n")
    tree = _HEADER.fullmatch(rows[0])
    if tree is None or tree[1] != b"tree":
        raise GitError(f"the commit {commit[:12]} names no tree")
    parents: list[str] = []
    for row in rows[1:]:
        found = _HEADER.fullmatch(row)
        if found is None or found[1] != b"parent":
            break
        parents.append(found[2].decode())
    return CommitDetails(tree[2].decode(), tuple(parents), message.decode("utf-8", "surrogateescape"))


_HEADER = re.compile(rb"(tree|parent) ([0-9a-f]{40}(?:[0-9a-f]{24})?)")


def lines(told: str) -> list[str]:
    """Return the lines of what git told: they end with a newline, and with nothing else that is called a line's end.

    A branch may have U+2028 in its name.
    """
    found = told.split("\n")
    return found[:-1] if found[-1] == "" else found


def message_of(repository: Repository, commit: str) -> str:
    """Return a commit's message."""
    return commit_details(repository, commit).message


def changed_files(repository: Repository, old: str, new: str) -> dict[str, str]:
    """Return the files in which two commits differ, with git's id of the new content; zeros where it is gone."""
    tokens = repository.git("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", old, new).split("\0")
    return {path: meta.split(" ")[3] for meta, path in zip(tokens[::2], tokens[1::2], strict=False)}


def same_tree(repository: Repository, one: str, other: str) -> bool:
    """Whether two commits hold the same files."""
    return repository.git("rev-parse", f"{one}^{{tree}}") == repository.git("rev-parse", f"{other}^{{tree}}")


def is_ancestor(repository: Repository, old: str, new: str) -> bool:
    """Whether ``new`` is ``old`` or comes after it. Raises GitError when one of them is not here."""
    for commit in (old, new):
        head(repository, commit)
    # Commits that are reachable from the old one and not from the new one: none, or it is no ancestor.
    return repository.git("rev-list", "--max-count=1", old, f"^{new}") == ""


def is_shallow(repository: Repository) -> bool:
    """Whether history is cut off somewhere."""
    return repository.git("rev-parse", "--is-shallow-repository") == "true"
