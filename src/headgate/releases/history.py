"""The past of a release, read from the files in git: messages may have been squashed away, files cannot."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from headgate.config import parse_record
from headgate.errors import HeadgateError
from headgate.model import Release
from headgate.paths import APPS
from headgate.releases.pending import DIVERGED, FAILED, HELD, PROPOSED, REJECTED
from headgate.releases.release import CONFIG, RELEASE, WAITING, parts
from headgate.repository.gitlog import ABSENT, below, contents, cut, like, log

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from headgate.model import Part
    from headgate.repository.git import Repository
    from headgate.repository.gitlog import Logged

NOTHING = ""
"""What `ReleaseStep.runs` is where the app is not released."""

# The first folder `releases/ENV` that holds what a release holds: an app's own config may hold such folders too.
_PATH = re.compile(
    rf"(?P<folder>{APPS}/(?:[^/]+/)*?(?P<app>[^/]+)/releases/(?P<env>[^/]+))"
    rf"/(?P<file>{RELEASE}|{REJECTED}|(?:{CONFIG}|{WAITING}|{HELD}|{DIVERGED}|{PROPOSED}|{FAILED})/.+)",
    re.DOTALL,
)


@dataclass(frozen=True)
class ReleaseStep:
    """One commit of the default branch that changed an app's release in an environment, and what it was from then on.

    ``release`` is None where there is none (any more), or where it cannot be read, as ``problem`` then says.
    ``runs`` identifies what runs: the images, the config and the template that the release names, not who may
    change it (`newest`, `pin`) and not what waits. ``is_version`` says that this changed with the commit.
    ``config`` identifies the files of the app's own config.
    """

    commit: str
    parent: str
    time: datetime
    who: str
    subject: str
    folder: str
    release: Release | None
    config: str
    runs: str
    is_version: bool
    problem: str = ""


@dataclass(frozen=True)
class ReleaseHistory:
    """The steps of an app's release in an environment, newest first.

    ``cut`` is the commit at which git's history ends in a shallow repository, or empty: what was before is not known,
    and neither is who brought what ran then (``oldest``, None when nothing ran). Commits and files are read from
    ``repository``.
    """

    repository: Repository
    app: str
    environment: str
    steps: tuple[ReleaseStep, ...]
    cut: str = ""
    oldest: ReleaseStep | None = None

    @cached_property
    def versions(self) -> tuple[ReleaseStep, ...]:
        """The steps that changed what runs."""
        return tuple(step for step in self.steps if step.is_version)

    def same_as(self, step: ReleaseStep) -> ReleaseStep | None:
        """Return the nearest earlier version with which a step runs the same: it went back to that one."""
        if step.runs == NOTHING:
            return None
        earlier = self.versions[self.versions.index(step) + 1 :] if step in self.versions else ()
        return next((one for one in earlier if one.runs == step.runs), None)


def read_history(repository: Repository, head: str, app: str, environment: str) -> ReleaseHistory:
    """Return the history of an app's release in an environment, as far as it is in the repository.

    It is followed through moves of the app's folder; one that was removed and came back elsewhere begins anew there.
    Raises GitError when there is no such commit.
    """
    logged = _logged(repository, head, app, f"/{environment}")
    return _history(repository, logged, app, environment, cut(repository, head))


def read_histories(repository: Repository, head: str, app: str) -> dict[str, ReleaseHistory]:
    """Return the history of an app in each environment that it was ever released in (`read_history`)."""
    logged = _logged(repository, head, app)
    found = {release_of(change.path) for one in logged for change in one.files}
    names = sorted({one[2] for one in found if one is not None and one[1] == app})
    end = cut(repository, head)
    return {name: _history(repository, logged, app, name, end) for name in names}


def _logged(repository: Repository, head: str, app: str, environment: str = "") -> list[Logged]:
    """Return the commits that touched an app's releases: of the folder that it has, then of that which it had before.

    Only where it has none any more are all folders looked through, which takes git ten times as long.
    """
    everywhere = like(f"{APPS}/**/{app}/releases{environment}/**")
    folder = _folder(repository, head, app)
    found: list[Logged] = [] if folder else log(repository, head, [everywhere])
    while folder:
        part = log(repository, head, [below(f"{folder}/releases{environment}")])
        if not part:
            break
        (oldest,) = log(repository, part[-1].commit, [everywhere], most=1)
        found += [*part[:-1], oldest]
        places = [place for one in oldest.files if one.new == ABSENT and (place := release_of(one.path)) is not None]
        before = {place[0].rsplit("/releases/", 1)[0] for place in places if place[1] == app}
        folder, head = next(iter(before - {folder}), ""), oldest.parent
    return found


def _folder(repository: Repository, head: str, app: str) -> str:
    """Return the folder of an app that has releases; empty when there is none, or more than one."""
    listed = repository.git("ls-tree", "-r", "-d", "-z", "--name-only", "--full-tree", head, "--", APPS).split("\0")
    folders = [one.removesuffix("/releases") for one in listed if one.endswith(f"/{app}/releases")]
    own = [one for one in folders if _holds_releases(one)]
    return own[0] if len(own) == 1 else ""


def _holds_releases(folder: str) -> bool:
    """Whether it is an app's folder, and not one within an app's own config that looks like it."""
    found = release_of(f"{folder}/releases/any/{RELEASE}")
    return found is not None and found[0] == f"{folder}/releases/any"


def _history(repository: Repository, logged: Sequence[Logged], app: str, environment: str, end: str) -> ReleaseHistory:
    own = [one for one in logged if any(_is_of(change.path, app, environment) for change in one.files)]
    steps = _steps(repository, own, app, environment)
    whole = tuple(step for step in steps if step.commit != end)
    return ReleaseHistory(
        repository, app, environment, whole, end, next((one for one in steps if one.commit == end), None)
    )


def commits_of(history: ReleaseHistory) -> dict[str, list[str]]:
    """Return, per part, the commits that an environment ran, in the order of their first time there."""
    found: dict[str, list[str]] = {}
    for step in reversed((*history.versions, *([history.oldest] if history.oldest else []))):
        for name, part in parts(step.release).items() if step.release else ():
            found.setdefault(name, []).append(part.commit)
    return {name: list(dict.fromkeys(commits)) for name, commits in found.items()}


def landed_at(history: ReleaseHistory) -> datetime | None:
    """Return when what an app runs last changed on the default branch; None when that is not known."""
    return history.versions[0].time if history.versions else None


def _is_of(path: str, app: str, environment: str) -> bool:
    found = release_of(path)
    return found is not None and found[1:3] == (app, environment)


def release_of(path: str) -> tuple[str, str, str, str] | None:
    """Return folder, app, environment and file of a path inside a release; None for every other path."""
    match = _PATH.fullmatch(path)
    return (match["folder"], match["app"], match["env"], match["file"]) if match else None


def _steps(repository: Repository, logged: Sequence[Logged], app: str, environment: str) -> list[ReleaseStep]:
    """Go from the oldest commit to the newest, and keep which files there are."""
    changed = [change for one in logged for change in one.files]
    releases = contents(repository, [one.new for one in changed if one.new and one.path.endswith(f"/{RELEASE}")])
    files: dict[str, str] = {}
    steps: list[ReleaseStep] = []
    before = NOTHING
    for one in reversed(logged):
        folder = _applied(files, one, app, environment)
        step = _step(one, folder, files, releases)
        steps.append(replace(step, is_version=step.runs != before))
        before = step.runs
    return steps[::-1]


def _applied(files: dict[str, str], one: Logged, app: str, environment: str) -> str:
    """Bring ``files`` (name in the release -> content) to a commit, and return the release's folder there."""
    folder = ""
    for change in sorted(one.files, key=lambda change: change.new != ABSENT):  # a move removes and adds
        found = release_of(change.path)
        if found is None or found[1:3] != (app, environment):
            continue
        folder, _, _, name = found
        if change.new == ABSENT:
            files.pop(name, None)
        else:
            files[name] = change.new
    return folder


def _step(one: Logged, folder: str, files: dict[str, str], releases: dict[str, bytes]) -> ReleaseStep:
    config = _id([(name, oid) for name, oid in sorted(files.items()) if name.startswith(f"{CONFIG}/")])
    release, problem, runs = None, "", NOTHING
    oid = files.get(RELEASE)
    if oid is not None:
        try:
            release = parse_record(releases[oid], f"{folder}/{RELEASE}", Release)
            runs = _id([config, *running(release)])
        except HeadgateError as error:
            problem, runs = error.what, _id([config, oid])
    return ReleaseStep(
        *(one.commit, one.parent, one.time, one.who, one.subject, folder, release, config, runs),
        is_version=False,
        problem=problem,
    )


def running(release: Release) -> Iterable[object]:
    """Tell what a release runs: images, config and template, with the commits that they came from."""
    yield release.template
    for name, image in sorted(release.images.items()):
        yield name, image.reference, *_source(image)
    if release.config is not None:
        yield CONFIG, release.config.path, *_source(release.config)


def _source(part: Part) -> tuple[str, str]:
    return part.project, part.commit


def _id(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts).encode("utf-8", "surrogateescape")).hexdigest()
