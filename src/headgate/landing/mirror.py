"""Branches that repeat an environment's final YAML. Derived from the default branch, by folders' ids alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.errors import GitError, HeadgateError
from headgate.landing.workspace import Delivered, refreshed, until_landed
from headgate.message import compose, one_line, subject
from headgate.model.fields import LABEL
from headgate.paths import SETTINGS
from headgate.repository import git
from headgate.repository.commit import commit_identity, commit_tree, empty_tree, make_trees
from headgate.repository.remote import RefUpdate, push

if TYPE_CHECKING:
    from headgate.config import Configuration
    from headgate.landing.workspace import Workspace
    from headgate.model import Commits

TRAILER = "Headgate-Mirror"
"""Names the commit that was repeated; a branch whose newest commit lacks it is not ours."""


@dataclass(frozen=True)
class Mirrored:
    """The mirrors that were written, and why another was not: the first error."""

    delivered: tuple[Delivered, ...] = ()
    error: HeadgateError | None = None


@dataclass(frozen=True)
class _MirrorTarget:
    """What a mirror branch is to hold: the ids of folders by their paths there, and whose they are."""

    branch: str
    folders: dict[str, str]
    apps: list[str]
    environments: list[str]

    @property
    def ref(self) -> str:
        """The branch's full name."""
        return f"refs/heads/{self.branch}"


def write_mirrors(workspace: Workspace, configuration: Configuration) -> Mirrored:
    """Bring every mirror to what the newest commit of the default branch holds; one commit each, if anything differs.

    ``configuration`` is that of the workspace's commit, or of one after it. All is derived from the default branch,
    so that any later run completes what an earlier one left out; nothing is written from another branch. A branch
    that Headgate does not own is left alone. Errors are returned and not raised, since what came before has landed.
    """
    if not any(one.output.mirror for one in configuration.settings.environments.values()):
        return Mirrored()
    known = workspace.base
    try:
        return until_landed(workspace, lambda newest: _attempt(newest, configuration, known))
    except HeadgateError as error:
        return Mirrored(error=error)


def _attempt(workspace: Workspace, configuration: Configuration, known: str) -> Mirrored:
    """Write the mirrors once. Raises ConflictError when somebody else wrote one in the meantime."""
    # First where the mirrors are, then where the default branch is: it is at least as new as what they repeat,
    # and with the lease no mirror goes back.
    default, tips = _state(workspace)
    if default != workspace.branch:
        return Mirrored()
    newest = refreshed(workspace)
    configuration = _current(newest, configuration, known)
    wanted = _wanted(newest, configuration)
    _fetch(newest, [tips[one.ref] for one in wanted if one.ref in tips])
    moves: list[RefUpdate] = []
    errors: list[HeadgateError] = []
    for one, tree in zip(wanted, make_trees(newest.repository, [one.folders for one in wanted]), strict=True):
        try:
            moves += _moves(newest, configuration.settings.commits, one, tree, tips.get(one.ref, git.NO_COMMIT))
        except GitError as error:
            errors.append(error)
    landed, refused = _bring(newest, moves)
    delivered = tuple(Delivered(move.ref.removeprefix("refs/heads/"), move.new) for move in landed)
    return Mirrored(delivered, next(iter([*errors, *refused]), None))


def _state(workspace: Workspace) -> tuple[str, dict[str, str]]:
    """Return the default branch's name and where all branches are.

    In a repository without any remote, the branch that is worked on is the default one; beside remotes, one that is
    pushed to none of them is not.
    """
    repository = workspace.repository
    if not workspace.remote:
        return "" if repository.git("remote") else workspace.branch, git.local_refs(repository)
    told = repository.git("ls-remote", "--symref", "--quiet", "--end-of-options", workspace.remote, "HEAD", _HEADS)
    tips, default = {}, "" if workspace.is_checkout else workspace.branch
    for value, ref in (line.split("\t", 1) for line in git.lines(told)):
        if value.startswith("ref: "):
            default = value.removeprefix("ref: refs/heads/") if ref == "HEAD" else default
        else:
            tips[ref] = value
    return default, tips


_HEADS = "refs/heads/*"


def _current(newest: Workspace, configuration: Configuration, known: str) -> Configuration:
    """Return the newest commit's configuration: the one at hand, unless a file of it changed since ``known``."""
    changed = newest.repository.git("diff-tree", "-r", "-z", "--name-only", "--no-renames", known, newest.base)
    if not any(path == SETTINGS or path.endswith("/app.yaml") for path in changed.split("\0")):
        return configuration
    return newest.configuration


def _wanted(workspace: Workspace, configuration: Configuration) -> list[_MirrorTarget]:
    """Return what each mirror is to hold, in the order of the environments."""
    mirrored = [(*pair, mirror) for pair in _pairs(configuration) if (mirror := configuration.mirror(*pair))]
    sources = [configuration.output_folder(app, environment) for app, environment, _ in mirrored]
    found = _folder_ids(workspace, sources)
    every = [configuration.mirror("", environment) for environment in configuration.settings.environments]
    wanted = {one.branch: _MirrorTarget(one.branch, {}, [], []) for one in every if one is not None}
    for (app, environment, mirror), source in zip(mirrored, sources, strict=True):
        one = wanted[mirror.branch]
        if source in found:
            one.folders.setdefault(mirror.path, found[source])
            one.apps.append(app)
            one.environments.append(environment)
    return list(wanted.values())


def _pairs(configuration: Configuration) -> list[tuple[str, str]]:
    """Return apps with their environments. An app whose app.yaml is broken keeps what it has, wherever that is."""
    pairs = [(record.name, environment) for record, environment in configuration.pairs()]
    broken = [folder.rsplit("/", 1)[1] for folder in configuration.broken]
    names = [app for app in broken if re.fullmatch(LABEL, app)]  # another folder never was an app
    pairs += [(app, name) for app in names for name in configuration.settings.environments]
    return list(dict.fromkeys(pairs))


def _folder_ids(workspace: Workspace, folders: list[str]) -> dict[str, str]:
    """Return the ids of those of the folders that are there, by one process."""
    asked = "".join(f"{workspace.base}:{folder}\n" for folder in folders).encode()
    told = workspace.repository.git("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=asked)
    answers = zip(folders, git.lines(told), strict=True)
    return {folder: answer.split(" ")[0] for folder, answer in answers if answer.endswith(" tree")}


def _fetch(workspace: Workspace, tips: list[str]) -> None:
    """Fetch the newest commits of mirrors, without what came before them, unless the user's checkout has them."""
    missing = [one for one in tips if not workspace.is_checkout or not git.has_commit(workspace.repository, one)]
    if workspace.remote and missing:
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1", "--end-of-options")
        workspace.repository.git("fetch", *options, workspace.remote, *missing)


def _moves(workspace: Workspace, commits: Commits, one: _MirrorTarget, tree: str, tip: str) -> list[RefUpdate]:
    """Return the move of one mirror: none when it holds this already, or when there is nothing to repeat yet.

    Raises GitError when its newest commit is not Headgate's.
    """
    exists = tip != git.NO_COMMIT
    if exists:
        _check_ours(workspace, one.branch, tip)
    if tree == (workspace.repository.git("rev-parse", f"{tip}^{{tree}}") if exists else empty_tree()):
        return []
    by, parents = commit_identity(commits, workspace.signing_key), [tip] if exists else []
    message = _message(workspace, one, commits.message)
    return [RefUpdate(one.ref, commit_tree(workspace.repository, tree, message, parents=parents, identity=by), tip)]


def _check_ours(workspace: Workspace, branch: str, tip: str) -> None:
    ours = f"--format=%(trailers:key={TRAILER},valueonly)"
    if not workspace.repository.git("show", "--no-patch", ours, "--end-of-options", tip).strip():
        raise GitError(
            f"the mirror {branch} holds a commit that Headgate did not make ({tip[:12]}), so it was not written",
            hint=f"delete the branch {branch}, or name another one in {SETTINGS}, then run this again",
        )


def _message(workspace: Workspace, one: _MirrorTarget, template: str | None) -> str:
    source = f"{workspace.branch}@{workspace.base[:12]}"
    apps, environments = list(dict.fromkeys(one.apps)), list(dict.fromkeys(one.environments))
    title = subject("Mirror", apps, environments, what=source, template=template)
    told = one_line(f"Repeats {workspace.branch} at {workspace.base}. Change it there: a commit here stops the mirror.")
    return compose(title, [told], [f"{TRAILER}: {workspace.base}"])


def _bring(workspace: Workspace, moves: list[RefUpdate]) -> tuple[list[RefUpdate], list[HeadgateError]]:
    """Move all at once, or, when that is refused, each for itself. Return what moved and what was refused."""
    try:
        _push(workspace, moves)
    except GitError as error:
        if len(moves) == 1:
            return [], [error]
        each = [_bring(workspace, [move]) for move in moves]
        return [move for landed, _ in each for move in landed], [error for _, refused in each for error in refused]
    return moves, []


def _push(workspace: Workspace, moves: list[RefUpdate]) -> None:
    if workspace.remote and moves:
        push(workspace.repository, workspace.remote, moves)
    for move in moves if not workspace.remote else ():
        workspace.repository.git("update-ref", move.ref, move.new, move.old)
