"""``hydrator.metadata`` on mirrors: the commit that a branch repeats, as GitOps Promoter and Argo CD read it.

https://gitops-promoter.readthedocs.io/en/latest/advanced-usage/custom-hydrator/
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from headgate.errors import HeadgateError
from headgate.releases.release import parts, read_release
from headgate.repository import git
from headgate.repository.commit import make_commit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.configuration import Configuration, Owner
    from headgate.landing.workspace import Workspace
    from headgate.repository.commit import Identity
    from headgate.repository.git import Repository

FILE = "hydrator.metadata"
NOTES = "refs/notes/hydrator.metadata"
"""Notes on the newest commits of mirrors, with the newest commit of the default branch that they equal."""

_MAX_REFERENCES = 100
_MAX_BODY = 4000


def metadata(workspace: Workspace, configuration: Configuration, owners: Sequence[Owner]) -> bytes:
    """Return the file for a mirror of apps and environments: the commit that it repeats, and the apps' own commits."""
    form = "--format=%an <%ae>%x00%aI%x00%s%x00%b"
    shown = workspace.repository.git("log", "--no-walk", form, "--end-of-options", workspace.base)
    author, date, subject, body = shown.split("\0", 3)
    gitlab = configuration.settings.gitlab
    content = {
        "repoURL": f"{gitlab.url}/{gitlab.project}" if gitlab is not None else "",
        "drySha": workspace.base,
        "author": author,
        "date": date,
        "subject": subject,
        "body": body.strip("\n")[:_MAX_BODY],
        "references": list(_references(workspace, configuration, owners))[:_MAX_REFERENCES],
    }
    return (json.dumps({key: value for key, value in content.items() if value}, indent=2) + "\n").encode()


def _references(workspace: Workspace, configuration: Configuration, owners: Sequence[Owner]) -> Iterator[Any]:
    """Yield the commits of the apps' projects in the releases of a mirror, each once."""
    gitlab = configuration.settings.gitlab
    known = set()
    for app, environment in owners:
        try:
            release = read_release(workspace.tree, configuration.apps[app], environment)
        except (HeadgateError, KeyError):  # an app.yaml or a release that cannot be read
            continue
        for part in parts(release).values():
            if (part.project, part.commit) not in known:
                known.add((part.project, part.commit))
                place = {"repoURL": f"{gitlab.url}/{part.project}"} if gitlab is not None else {}
                yield {"commit": {"sha": part.commit, **place}}


def with_metadata(repository: Repository, tree: str, data: bytes) -> str:
    """Return a tree with the file in it."""
    blob = repository.git("hash-object", "-w", "--stdin", stdin=data)
    return _make(repository, [*_entries(repository, tree), f"100644 blob {blob}\t{FILE}"])


def without_metadata(repository: Repository, tree: str) -> tuple[str, bool]:
    """Return a tree without the file, and whether it had one."""
    entries = _entries(repository, tree)
    others = [entry for entry in entries if entry.partition("\t")[2] != FILE]
    return (_make(repository, others), True) if len(others) < len(entries) else (tree, False)


def _entries(repository: Repository, tree: str) -> list[str]:
    return [entry for entry in repository.git("ls-tree", "-z", "--full-tree", tree).split("\0") if entry]


def _make(repository: Repository, entries: Sequence[str]) -> str:
    return repository.git("mktree", "-z", "--missing", stdin="".join(f"{entry}\0" for entry in entries).encode())


def note(repository: Repository, notes: str, commits: Sequence[str], dry: str, identity: Identity) -> str:
    """Return the notes in which each of these commits equals the commit ``dry``; ``notes``, if they all say so.

    Notes on other commits and notes that others wrote stay unchanged.
    """
    exists = notes != git.NO_COMMIT
    text = json.dumps({"drySha": dry}).encode() + b"\n"
    known: dict[str, list[str]] = {}
    tree = git.tree_of_commit(repository, notes) if exists else None
    for path in tree.paths() if tree is not None else ():
        known.setdefault(path.replace("/", ""), []).append(path)  # git spreads many notes over folders
    changes: dict[str, bytes | None] = {}
    for commit in commits:
        places = known.get(commit, [])
        if tree is None or [tree.read(path) for path in places] != [text]:
            changes |= {path: None for path in places if path != commit} | {commit: text}
    return make_commit(repository, notes, changes, "Notes by Headgate\n", identity=identity) if changes else notes
