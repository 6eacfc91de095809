"""Mirror branches, which repeat an environment's final YAML. Derived from the default branch by tree ids alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from headgate.errors import GitError, HeadgateError
from headgate.landing.hydrator import NOTES, metadata, note, with_metadata, without_metadata
from headgate.landing.publish import Delivered
from headgate.landing.workspace import refreshed, until_landed
from headgate.message import compose, one_line, subject
from headgate.model.fields import LABEL
from headgate.paths import SETTINGS
from headgate.records import frozen_record
from headgate.repository import git
from headgate.repository.commit import commit_identity, commit_tree, empty_tree, make_trees
from headgate.repository.difference import changed_files
from headgate.repository.remote import RefUpdate, has_remotes, push

if TYPE_CHECKING:
    from headgate.configuration import Configuration
    from headgate.landing.workspace import Workspace
    from headgate.model import Commits

TRAILER = "Headgate-Mirror"
"""Names the source commit; a branch whose newest commit lacks it is foreign."""


@frozen_record(kw_only=False)
class Mirrored:
    """The mirrors that were written, and the first error."""

    delivered: tuple[Delivered, ...] = ()
    error: HeadgateError | None = None


@frozen_record
class _MirrorTarget:
    """The target content of a mirror branch: tree ids by path, and the apps and environments that they belong to.

    With ``has_metadata`` it says in a file which commit it repeats.
    """

    branch: str
    folders: dict[str, str]
    apps: list[str]
    environments: list[str]
    has_metadata: bool = False

    @property
    def ref(self) -> str:
        """The branch's full name."""
        return f"refs/heads/{self.branch}"


def write_mirrors(workspace: Workspace, configuration: Configuration) -> Mirrored:
    """Update every mirror to the newest commit of the default branch, by one commit each.

    ``configuration`` is that of the workspace's commit, or of a later one. Mirrors derive from the default branch
    alone, so any later run completes this one. Foreign branches stay as they are. Errors are returned and not raised,
    since the intent has landed already.
    """
    if not any(environment.output.mirror for environment in configuration.settings.environments.values()):
        return Mirrored()
    known = workspace.base
    try:
        return until_landed(workspace, lambda newest: _attempt(newest, configuration, known))
    except HeadgateError as error:
        return Mirrored(error=error)


def _attempt(workspace: Workspace, configuration: Configuration, known: str) -> Mirrored:
    """Write the mirrors once. Raises ConflictError when another run wrote one in the meantime."""
    # Read the mirrors first and the default branch second: it is then at least as new as what they repeat, and the
    # lease keeps a mirror from going back.
    default, tips = _read_branches(workspace)
    if default != workspace.branch:
        return Mirrored()
    newest = refreshed(workspace)
    configuration = _current(newest, configuration, known)
    targets = _targets(newest, configuration)
    has_notes = any(target.has_metadata for target in targets)
    read = [target.ref for target in targets] + ([NOTES] if has_notes else [])
    _fetch(newest, [tips[ref] for ref in read if ref in tips])
    updates: list[RefUpdate] = []
    noted: list[str] = []
    errors: list[HeadgateError] = []
    trees = make_trees(newest.repository, [target.folders for target in targets])
    for target, tree in zip(targets, trees, strict=True):
        tip = tips.get(target.ref, git.NO_COMMIT)
        try:
            made = _updates(newest, configuration, target, tree, tip)
        except GitError as error:
            errors.append(error)
            continue
        updates += made
        noted += [made[0].new if made else tip] if target.has_metadata else []
    if noted:
        updates += _notes(newest, configuration.settings.commits, tips.get(NOTES, git.NO_COMMIT), noted)
    landed, refused = _update_refs(newest, updates)
    branches = [update for update in landed if update.ref != NOTES]
    delivered = tuple(Delivered(update.ref.removeprefix("refs/heads/"), update.new) for update in branches)
    return Mirrored(delivered, next(iter([*errors, *refused]), None))


def _read_branches(workspace: Workspace) -> tuple[str, dict[str, str]]:
    """Return the default branch's name, and the commits of all branches by full name.

    Without any remote, the workspace's branch is the default one; with remotes, a branch without one is not.
    """
    repository = workspace.repository
    if not workspace.remote:
        notes = git.lines(repository.git("for-each-ref", "--format=%(objectname)", NOTES))
        known = {**git.local_refs(repository), **({NOTES: notes[0]} if notes else {})}
        return "" if has_remotes(repository) else workspace.branch, known
    args = ("ls-remote", "--symref", "--quiet", "--end-of-options", workspace.remote, "HEAD", "refs/heads/*", NOTES)
    tips, default = {}, "" if workspace.is_checkout else workspace.branch
    for value, ref in (line.split("\t", 1) for line in git.lines(repository.git(*args))):
        if value.startswith("ref: "):
            default = value.removeprefix("ref: refs/heads/") if ref == "HEAD" else default
        else:
            tips[ref] = value
    return default, tips


def _current(newest: Workspace, configuration: Configuration, known: str) -> Configuration:
    """Return the newest commit's configuration: the given one, unless one of its files changed since ``known``."""
    changed = changed_files(newest.repository, known, newest.base)
    if not any(path == SETTINGS or path.endswith("/app.yaml") for path in changed):
        return configuration
    return newest.configuration


def _targets(workspace: Workspace, configuration: Configuration) -> list[_MirrorTarget]:
    """Return the target content of each mirror, in the order of the environments."""
    mirrored = [(*pair, mirror) for pair in _pairs(configuration) if (mirror := configuration.mirror(*pair))]
    sources = [configuration.output_folder(app, environment) for app, environment, _ in mirrored]
    trees = _tree_ids(workspace, sources)
    mirrors = [configuration.mirror("", environment) for environment in configuration.settings.environments]
    branches = {mirror.branch: mirror.metadata for mirror in mirrors if mirror is not None}
    targets = {
        name: _MirrorTarget(branch=name, folders={}, apps=[], environments=[], has_metadata=has_metadata)
        for name, has_metadata in branches.items()
    }
    for (app, environment, mirror), source in zip(mirrored, sources, strict=True):
        target = targets[mirror.branch]
        if source in trees:
            target.folders.setdefault(mirror.path, trees[source])
            target.apps.append(app)
            target.environments.append(environment)
    return list(targets.values())


def _pairs(configuration: Configuration) -> list[tuple[str, str]]:
    """Return apps with their environments. An app with a broken app.yaml keeps its folders in all environments."""
    pairs = [(record.name, environment) for record, environment in configuration.pairs()]
    broken = [folder.rsplit("/", 1)[1] for folder in configuration.broken]
    names = [app for app in broken if re.fullmatch(LABEL, app)]  # other folders cannot be apps
    pairs += [(app, name) for app in names for name in configuration.settings.environments]
    return list(dict.fromkeys(pairs))


def _tree_ids(workspace: Workspace, folders: list[str]) -> dict[str, str]:
    """Return the tree ids of the existing folders."""
    found = workspace.repository.look_up([f"{workspace.base}:{folder}" for folder in folders])
    return {
        folder: stored.oid for folder, stored in zip(folders, found, strict=True) if stored and stored.kind == "tree"
    }


def _fetch(workspace: Workspace, tips: list[str]) -> None:
    """Fetch the newest commits of mirrors without their history, unless the user's checkout has them."""
    missing = [tip for tip in tips if not workspace.is_checkout or not git.has_commit(workspace.repository, tip)]
    if workspace.remote and missing:
        workspace.repository.fetch("--depth=1", "--end-of-options", workspace.remote, *missing)


def _updates(
    workspace: Workspace, configuration: Configuration, target: _MirrorTarget, tree: str, tip: str
) -> list[RefUpdate]:
    """Return the update of one mirror, if it differs. Raises GitError when its newest commit is not Headgate's."""
    exists = tip != git.NO_COMMIT
    if exists:
        _check_ours(workspace, target.branch, tip)
    repository, commits = workspace.repository, configuration.settings.commits
    known = repository.resolve(f"{tip}^{{tree}}")[0] if exists else empty_tree()
    if target.has_metadata:
        rest, has_file = without_metadata(repository, known)
        if tree == rest and has_file:
            return []
        owners = list(zip(target.apps, target.environments, strict=True))
        tree = with_metadata(repository, tree, metadata(workspace, configuration, owners))
    elif tree == known:
        return []
    identity = commit_identity(commits, workspace.signing_key)
    message, parents = _message(workspace, target, commits.message), [tip] if exists else []
    commit = commit_tree(workspace.repository, tree, message, parents=parents, identity=identity)
    return [RefUpdate(target.ref, commit, tip)]


def _notes(workspace: Workspace, commits: Commits, notes: str, noted: list[str]) -> list[RefUpdate]:
    """Return the update of the notes on mirrors that equal the newest commit, which did not change them."""
    new = note(workspace.repository, notes, noted, workspace.base, commit_identity(commits, workspace.signing_key))
    return [RefUpdate(NOTES, new, notes)] if new != notes else []


def _check_ours(workspace: Workspace, branch: str, tip: str) -> None:
    trailer = f"--format=%(trailers:key={TRAILER},valueonly)"
    if not workspace.repository.git("show", "--no-patch", trailer, "--end-of-options", tip).strip():
        raise GitError(
            f"the mirror {branch} holds a commit that Headgate did not make ({tip[:12]}), so it was not written",
            hint=f"delete the branch {branch}, or name another one in {SETTINGS}, then run this again",
        )


def _message(workspace: Workspace, target: _MirrorTarget, template: str | None) -> str:
    source = f"{workspace.branch}@{workspace.base[:12]}"
    apps, environments = list(dict.fromkeys(target.apps)), list(dict.fromkeys(target.environments))
    title = subject("Mirror", apps, environments, what=source, template=template)
    body = one_line(f"Repeats {workspace.branch} at {workspace.base}. Change it there: a commit here stops the mirror.")
    return compose(title, [body], [f"{TRAILER}: {workspace.base}"])


def _update_refs(workspace: Workspace, updates: list[RefUpdate]) -> tuple[list[RefUpdate], list[HeadgateError]]:
    """Update all refs at once, or, after a refusal, one by one. Return the landed updates and the errors."""
    try:
        _push(workspace, updates)
    except GitError as error:
        if len(updates) == 1:
            return [], [error]
        results = [_update_refs(workspace, [update]) for update in updates]
        landed = [update for moved, _ in results for update in moved]
        return landed, [refusal for _, refused in results for refusal in refused]
    return updates, []


def _push(workspace: Workspace, updates: list[RefUpdate]) -> None:
    if workspace.remote and updates:
        push(workspace.repository, workspace.remote, updates)
    for update in updates if not workspace.remote else ():
        workspace.repository.git("update-ref", update.ref, update.new, update.old)
