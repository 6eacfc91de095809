"""The history of a release, read from files in git: a squash may drop messages, but not files."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from headgate.config import parse_record
from headgate.errors import HeadgateError
from headgate.model import Release
from headgate.paths import APPS
from headgate.records import frozen_record
from headgate.releases.pending import DIVERGED, FAILED, HELD, PROPOSED, REJECTED
from headgate.releases.release import CONFIG, RELEASE, WAITING, parts
from headgate.repository.gitlog import ABSENT, below, cut, like, log

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from headgate.repository.git import Repository
    from headgate.repository.gitlog import FileChange, LogEntry

NOTHING = ""
"""`ReleaseStep.runs` of an app without a release."""

# The first folder `releases/ENV` with the files of a release: an app's own config may contain such folders too.
_PATH = re.compile(
    rf"(?P<folder>{APPS}/(?:[^/]+/)*?(?P<app>[^/]+)/releases/(?P<environment>[^/]+))"
    rf"/(?P<file>{RELEASE}|{REJECTED}|(?:{CONFIG}|{WAITING}|{HELD}|{DIVERGED}|{PROPOSED}|{FAILED})/.+)",
    re.DOTALL,
)


@frozen_record
class ReleasePath:
    """The path of a file in a release, taken apart."""

    folder: str
    app: str
    environment: str
    file: str

    @property
    def owner(self) -> tuple[str, str]:
        """App and environment."""
        return self.app, self.environment


def parse_release_path(path: str) -> ReleasePath | None:
    """Return the parts of a path in a release; None for every other path."""
    match = _PATH.fullmatch(path)
    return ReleasePath(**match.groupdict()) if match else None


@frozen_record
class ReleaseStep:
    """A commit of the default branch that changed an app's release in an environment, and the release after it.

    ``release`` is None when there is none, or when it is unreadable (``problem``). ``runs`` identifies the running
    version: images, config and template, without `newest`, `pin` and everything pending. ``is_version``: the commit
    changed the running version. ``config`` identifies the files of the app's own config. ``actors`` are those of the
    commit (`LogEntry`).
    """

    commit: str
    parent: str
    time: datetime
    who: str
    subject: str
    actors: tuple[str, ...]
    folder: str
    release: Release | None
    config: str
    runs: str
    is_version: bool = False
    problem: str = ""


@frozen_record
class ReleaseHistory:
    """The steps of an app's release in an environment, newest first.

    ``cut`` is the commit at which a shallow repository ends, or empty; ``oldest`` is the step at that commit, whose
    author is unknown. Commits and files are read from ``repository``.
    """

    repository: Repository
    app: str
    environment: str
    steps: tuple[ReleaseStep, ...]
    cut: str = ""
    oldest: ReleaseStep | None = None

    @cached_property
    def versions(self) -> tuple[ReleaseStep, ...]:
        """The steps that changed the running version."""
        return tuple(step for step in self.steps if step.is_version)

    def same_as(self, step: ReleaseStep) -> ReleaseStep | None:
        """Return the nearest earlier version that ran the same as a step."""
        if step.runs == NOTHING:
            return None
        earlier = self.versions[self.versions.index(step) + 1 :] if step in self.versions else ()
        return next((version for version in earlier if version.runs == step.runs), None)


def read_history(repository: Repository, head: str, app: str, environment: str) -> ReleaseHistory:
    """Return the history of an app's release in an environment, as far as the repository goes.

    It follows moves of the app's folder, but not a removal and a return elsewhere. Raises GitError without such a
    commit.
    """
    entries = _log(repository, head, app, f"/{environment}")
    return _history(repository, entries, app, environment, cut(repository, head))


def read_histories(repository: Repository, head: str, app: str) -> dict[str, ReleaseHistory]:
    """Return the history of an app in each environment that it was ever released in (`read_history`)."""
    entries = _log(repository, head, app)
    paths = {parse_release_path(change.path) for entry in entries for change in entry.files}
    environments = sorted({path.environment for path in paths if path is not None and path.app == app})
    end = cut(repository, head)
    return {name: _history(repository, entries, app, name, end) for name in environments}


def read_all_histories(repository: Repository, head: str) -> dict[str, dict[str, ReleaseHistory]]:
    """Return the history of every app, by environment (`read_histories`), by one read of git's log."""
    by_owner: dict[tuple[str, str], list[LogEntry]] = {}
    for entry in log(repository, head, [below(APPS)]):
        own: dict[tuple[str, str], list[FileChange]] = {}
        for change in entry.files:
            if (path := parse_release_path(change.path)) is not None:
                own.setdefault(path.owner, []).append(change)
        for owner, files in own.items():
            by_owner.setdefault(owner, []).append(replace(entry, files=tuple(files)))
    changes = [change for entries in by_owner.values() for entry in entries for change in entry.files]
    repository.load([change.new for change in changes if change.new and change.path.endswith(f"/{RELEASE}")])
    end = cut(repository, head)
    found: dict[str, dict[str, ReleaseHistory]] = {}
    for (app, environment), entries in sorted(by_owner.items()):
        found.setdefault(app, {})[environment] = _history(repository, entries, app, environment, end)
    return found


def _log(repository: Repository, head: str, app: str, environment: str = "") -> list[LogEntry]:
    """Return the commits that touched an app's releases: in its present folder, then in the folder before that.

    Only an app without a folder needs a search of all folders, which takes git ten times as long.
    """
    everywhere = like(f"{APPS}/**/{app}/releases{environment}/**")
    folder = _folder(repository, head, app)
    entries: list[LogEntry] = [] if folder else log(repository, head, [everywhere])
    while folder:
        part = log(repository, head, [below(f"{folder}/releases{environment}")])
        if not part:
            break
        (oldest,) = log(repository, part[-1].commit, [everywhere], limit=1)
        entries += [*part[:-1], oldest]
        removed = [parse_release_path(change.path) for change in oldest.files if change.new == ABSENT]
        before = {path.folder.rsplit("/releases/", 1)[0] for path in removed if path is not None and path.app == app}
        folder, head = next(iter(before - {folder}), ""), oldest.parent
    return entries


def _folder(repository: Repository, head: str, app: str) -> str:
    """Return the folder of an app that has releases; empty when there is none, or more than one."""
    paths = repository.git("ls-tree", "-r", "-d", "-z", "--name-only", "--full-tree", head, "--", APPS).split("\0")
    folders = [path.removesuffix("/releases") for path in paths if path.endswith(f"/{app}/releases")]
    own = [folder for folder in folders if _is_app_folder(folder)]
    return own[0] if len(own) == 1 else ""


def _is_app_folder(folder: str) -> bool:
    """Whether this is an app's folder, and not a lookalike in an app's own config."""
    path = parse_release_path(f"{folder}/releases/any/{RELEASE}")
    return path is not None and path.folder == f"{folder}/releases/any"


def _history(
    repository: Repository, entries: Sequence[LogEntry], app: str, environment: str, end: str
) -> ReleaseHistory:
    steps = _steps(repository, entries, (app, environment))
    return ReleaseHistory(
        repository=repository,
        app=app,
        environment=environment,
        steps=tuple(step for step in steps if step.commit != end),
        cut=end,
        oldest=next((step for step in steps if step.commit == end), None),
    )


def commits_of(history: ReleaseHistory) -> dict[str, list[str]]:
    """Return the commits of each part that an environment ran, ordered by their first time there."""
    commits: dict[str, list[str]] = {}
    for step in reversed((*history.versions, *([history.oldest] if history.oldest else []))):
        for name, part in parts(step.release).items():
            commits.setdefault(name, []).append(part.commit)
    return {name: list(dict.fromkeys(ids)) for name, ids in commits.items()}


def landed_at(history: ReleaseHistory) -> datetime | None:
    """Return when the running version landed on the default branch; None when that is unknown."""
    return history.versions[0].time if history.versions else None


def _steps(repository: Repository, entries: Sequence[LogEntry], owner: tuple[str, str]) -> list[ReleaseStep]:
    """Replay the commits from the oldest to the newest, and return a step for each that touched the release."""
    changes = [change for entry in entries for change in entry.files]
    repository.load([change.new for change in changes if change.new and change.path.endswith(f"/{RELEASE}")])
    files: dict[str, str] = {}
    steps: list[ReleaseStep] = []
    before = NOTHING
    for entry in reversed(entries):
        own = [
            (path, change.new)
            for change in entry.files
            if (path := parse_release_path(change.path)) is not None and path.owner == owner
        ]
        if not own:
            continue
        own.sort(key=lambda item: item[1] != ABSENT)  # a move removes, then adds
        files |= {path.file: blob for path, blob in own}
        files = {name: blob for name, blob in files.items() if blob != ABSENT}
        step = _step(repository, entry, own[-1][0].folder, files)
        steps.append(replace(step, is_version=step.runs != before))
        before = step.runs
    return steps[::-1]


def _step(repository: Repository, entry: LogEntry, folder: str, files: dict[str, str]) -> ReleaseStep:
    config = _id([(name, blob) for name, blob in sorted(files.items()) if name.startswith(f"{CONFIG}/")])
    release, problem, runs = None, "", NOTHING
    blob = files.get(RELEASE)
    if blob is not None:
        try:
            release = parse_record(repository.load([blob])[blob], f"{folder}/{RELEASE}", Release)
            runs = _id([config, *running_version(release)])
        except HeadgateError as error:
            problem, runs = error.what, _id([config, blob])
    return ReleaseStep(
        commit=entry.commit,
        parent=entry.parent,
        time=entry.time,
        who=entry.who,
        subject=entry.subject,
        actors=entry.actors,
        folder=folder,
        release=release,
        config=config,
        runs=runs,
        problem=problem,
    )


def running_version(release: Release) -> Iterator[object]:
    """Yield the facts that identify a running version: images, config, template, and their commits."""
    yield release.template
    for name, image in sorted(release.images.items()):
        yield name, image.reference, image.project, image.commit
    if release.config is not None:
        yield CONFIG, release.config.path, release.config.project, release.config.commit


def _id(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts).encode("utf-8", "surrogateescape")).hexdigest()
