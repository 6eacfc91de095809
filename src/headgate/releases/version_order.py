"""Is it newer? Each part of a hand-off against the newest that was released or proposed. Pure, but for ancestry."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Protocol

from headgate.errors import RefusedError
from headgate.releases.release import CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from headgate.model import Newest, Release
    from headgate.releases.handoff import Acceptance, HandOff


class CommitHistory(Protocol):
    """The history of an app's repository."""

    def is_ancestor(self, old: str, new: str) -> bool | None:
        """Whether the first commit is an ancestor of the second, or the same; None where that cannot be read."""

    def tags_of(self, commit: str) -> Sequence[str]:
        """Return the tags on a commit or before it, in full; none where that cannot be read."""

    def replaces(self, gone: str, new: str, ref: str) -> bool:
        """Whether ``gone`` is no commit any more, while ``new`` is the head of ``ref``."""


Histories = Callable[[str], CommitHistory | None]
"""Gives the history of a project by its path; None where nobody can tell."""


def no_histories(_project: str) -> None:
    """Know no project's history."""


class SourceVersion(Protocol):
    """A version of a part: its commit and the branch or tag that it came from."""

    @property
    def commit(self) -> str:
        """Its commit, in full."""

    @property
    def ref(self) -> str:
        """Its branch or tag, in full."""


Order = Literal["newer", "same", "older", "diverged", "unknown"]


@dataclass(frozen=True)
class Comparison:
    """How a part stands to the newest one, and why in words."""

    order: Order
    reason: str = ""


@dataclass(frozen=True)
class NewerParts:
    """What is left of an acceptance: the parts that are not older; and why others are superseded.

    ``diverged`` says why a person has to decide: parts of it are neither older nor newer than what is known.
    """

    acceptance: Acceptance
    superseded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    diverged: tuple[str, ...] = ()


_NONE: Mapping[str, Newest] = MappingProxyType({})


def only_newer(
    accepted: Acceptance,
    hand_off: HandOff,
    known: Mapping[str, Mapping[str, Newest]],
    rule: str,
    history: CommitHistory,
    *,
    rejected: Mapping[str, Newest] = _NONE,
    failed: Mapping[str, Newest] = _NONE,
    past_order: bool = False,
    running: Release | None = None,
) -> NewerParts:
    """Keep the parts of a hand-off that are newer than all that is ``known``: the newest ones by what became of them.

    The same again is dropped silently, but for what is not ``running`` any more, when that is given: it was rolled
    back, and a person asks for it. Older is superseded, with the reason. What is neither (a hotfix branch, a squash
    merge) has diverged, from what ``failed`` too; but from what was ``rejected`` it may. ``past_order``: a person wants
    it, whatever it diverged from. Raises RefusedError, with the way out, where the order cannot be told.
    """
    images, config = dict(accepted.images), accepted.config
    superseded: list[str] = []
    notes: list[str] = []
    diverged: list[str] = []
    for name in [*images, *([CONFIG] if config else [])]:
        digest = images[name].digest if name in images else None
        versions = {words: newest.get(name) for words, newest in known.items()}
        against = partial(compare, hand_off, digest, rule=rule, history=history)
        words, worst = _most_severe(against, versions, rejected.get(name), failed.get(name))
        if worst.order == "unknown" and not past_order:
            raise RefusedError(
                f"'{name}': {worst.reason}",
                hint="if this version is meant to replace the other: --allow-diverged",
            )
        if worst.order == "diverged" and not past_order:
            diverged.append(f"{name}: {worst.reason}")
        if worst.order == "same" and running is not None and not _runs(running, name, hand_off):
            continue
        if worst.order == "newer" and worst.reason:
            notes.append(f"{name}: {worst.reason}")
        if worst.order == "older":
            superseded.append(f"{name}: {worst.reason}, which {words}")
        if worst.order in ("older", "same"):
            images.pop(name, None)
            config = None if name == CONFIG else config
    left = replace(accepted, images=images, config=config)
    return NewerParts(left, tuple(superseded), tuple(notes), tuple(diverged))


def _most_severe(
    against: Callable[[Newest | None], Comparison],
    known: Mapping[str, Newest | None],
    rejected: Newest | None,
    failed: Newest | None,
) -> tuple[str, Comparison]:
    """Return the verdict on a part that decides, and what became of the version that it was compared with."""
    verdicts = {words: against(newest) for words, newest in known.items()}
    if against(failed).order == "diverged":  # what is older or newer than what failed may go on
        verdicts["failed"] = against(failed)
    from_rejected = against(rejected)
    if from_rejected.order in ("same", "older"):  # a person decided already, whatever it diverged from
        verdicts = {words: verdict for words, verdict in verdicts.items() if verdict.order != "diverged"}
    if from_rejected.order != "diverged":
        verdicts["was rejected"] = from_rejected
    return max(verdicts.items(), key=lambda item: _SEVERITY.index(item[1].order))


def _runs(running: Release, name: str, hand_off: HandOff) -> bool:
    part = running.config if name == CONFIG else running.images.get(name)
    return part is not None and part.commit == hand_off.commit


_SEVERITY = ("newer", "same", "older", "diverged", "unknown")


def compare(
    hand_off: HandOff, digest: str | None, newest: Newest | None, rule: str, history: CommitHistory
) -> Comparison:
    """Compare a part of a hand-off with the newest one. ``rule`` is ``ancestry`` or ``semver``; never a clock.

    The same commit with the same digest is the same; with another digest it needs a newer pipeline, since only
    that tells a rebuild from an answer that comes late. By ``semver`` the versions count that tags on or before the
    commits name, where both have one; where these are equal, or one has none, ancestry does.
    """
    if newest is None:
        return Comparison("newer")
    if hand_off.commit == newest.commit:
        return _same_commit(hand_off, digest, newest)
    if rule == "semver":
        found = _by_versions(hand_off, newest, history)
        if found is not None:
            return found
    return _by_ancestry(hand_off, newest.commit, history)


def compare_versions(new: SourceVersion, old: SourceVersion, history: CommitHistory | None) -> Order:
    """Compare two other commits of a project, whatever they came from: by the versions of their tags, else by ancestry.

    ``unknown`` where nobody can tell.
    """
    is_tagged = any(one.ref.startswith(_TAGS) for one in (new, old))
    found = _by_versions(new, old, history) if is_tagged else None
    if found is None and history is not None:
        found = _by_ancestry(new, old.commit, history)
    return found.order if found is not None else "unknown"


def _by_versions(hand_off: SourceVersion, newest: SourceVersion, history: CommitHistory | None) -> Comparison | None:
    """Compare by versions; None where ancestry has to tell. Two tags with versions need no history."""
    if hand_off.ref.startswith(_TAGS) and newest.ref.startswith(_TAGS):
        return by_version(hand_off.ref, newest.ref)
    if history is None:
        return None
    tags = [
        ref if ref.startswith(_TAGS) and _version(ref) else _newest_tag(history.tags_of(commit))
        for ref, commit in ((hand_off.ref, hand_off.commit), (newest.ref, newest.commit))
    ]
    if not all(tags) or _version(tags[0]) == _version(tags[1]):
        return None
    return by_version(tags[0], tags[1])


_TAGS = "refs/tags/"


def _newest_tag(tags: Iterable[str]) -> str:
    return max((tag for tag in tags if _version(tag)), key=lambda tag: _version(tag) or ((), (), ()), default="")


def _same_commit(hand_off: HandOff, digest: str | None, newest: Newest) -> Comparison:
    if digest == newest.digest:
        return Comparison("same")
    if hand_off.pipeline is None or newest.pipeline is None:
        return Comparison(
            "diverged",
            f"commit {hand_off.commit[:12]} was released with another digest, and which of the two was built later "
            "cannot be told without the numbers of both pipelines",
        )
    if hand_off.pipeline > newest.pipeline:
        return Comparison("newer")
    return Comparison(
        "older",
        f"commit {hand_off.commit[:12]} was released with another digest by pipeline {newest.pipeline}; "
        "a rebuild needs a newer pipeline",
    )


def _by_ancestry(hand_off: SourceVersion, newest: str, history: CommitHistory) -> Comparison:
    new = hand_off.commit
    forward = history.is_ancestor(newest, new)
    if forward:
        return Comparison("newer")
    backward = history.is_ancestor(new, newest)
    if forward is None or backward is None:
        if history.replaces(newest, new, hand_off.ref):
            return Comparison("newer", f"commit {newest[:12]} is gone, and {new[:12]} is the head of {hand_off.ref}")
        return Comparison("unknown", f"the history between {newest[:12]} and {new[:12]} cannot be read")
    if backward:
        return Comparison("older", f"commit {new[:12]} is older than {newest[:12]}")
    return Comparison("diverged", f"neither of {new[:12]} and {newest[:12]} comes after the other")


# https://semver.org/#is-there-a-suggested-regular-expression-regex-to-check-a-semver-string, with what people also
# write: a word before it (`web-v1.2.3`) and a fourth number.
_VERSION = re.compile(
    r"(?:.*[^0-9.])??v?(?P<core>\d+\.\d+\.\d+(?:\.\d+)?)"
    r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+(?P<build>[0-9A-Za-z.-]+))?"
)
_CORE_PARTS = 4

_Piece = tuple[bool, int, str]
_Key = tuple[tuple[int, ...], tuple[_Piece, ...], tuple[_Piece, ...]]


def by_version(new: str, newest: str) -> Comparison:
    """Compare two refs by the versions in their names."""
    mine, theirs = _version(new), _version(newest)
    if mine is None or theirs is None:
        odd = new if mine is None else newest
        return Comparison("unknown", f"{odd} holds no version such as 1.2.3, by which tags are ordered here")
    if mine == theirs:
        return Comparison("diverged", f"{new} is the version that was released already, from another commit")
    if mine > theirs:
        return Comparison("newer")
    return Comparison("older", f"{new} is older than {newest}")


def _version(ref: str) -> _Key | None:
    """Return what versions are compared by: https://semver.org/#spec-item-11.

    In two things people's tags are read as they mean them: ``rc10`` comes after ``rc9``, and of two builds of a
    version (``1.2.3+4``) the higher one is newer.
    """
    match = _VERSION.fullmatch(ref.removeprefix(_TAGS))
    if match is None:
        return None
    core = [int(number) for number in match["core"].split(".")]
    # A version without a pre-release comes after those with one.
    numbers = (*core, *[0] * (_CORE_PARTS - len(core)), 0 if match["pre"] else 1)
    return numbers, _pieces(match["pre"]), _pieces(match["build"])


def _pieces(text: str | None) -> tuple[_Piece, ...]:
    """Take identifiers apart: numbers come before words, and are compared as numbers within them too."""
    found: list[_Piece] = []
    for identifier in text.split(".") if text else []:
        if identifier.isdigit():
            found.append((False, int(identifier), ""))
            continue
        words = re.findall(r"\d+|\D+", identifier)
        found += [(True, int(word) if word.isdigit() else -1, "" if word.isdigit() else word) for word in words]
        found.append((False, -1, ""))  # ends it, before whatever a longer one goes on with
    return tuple(found)
