"""Compares the parts of a hand-off with the newest known versions. Pure, except for reading ancestry."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Protocol

from headgate.errors import RefusedError
from headgate.records import frozen_record
from headgate.releases.release import CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from headgate.errors import HeadgateError
    from headgate.model import Newest, Release
    from headgate.model.fields import OrderRule
    from headgate.releases.handoff import Acceptance, HandOff


class CommitHistory(Protocol):
    """The history of an app's repository."""

    def is_ancestor(self, old: str, new: str) -> bool | None:
        """Whether ``old`` is ``new`` or an ancestor of it; None when the history is unreadable."""

    def problem(self) -> HeadgateError | None:
        """Return why the last history that was unreadable is so, and what to do."""

    def tags_of(self, commit: str) -> Sequence[str]:
        """Return the tags on a commit or its ancestors, in full; none when they are unreadable."""

    def replaces(self, gone: str, new: str, ref: str) -> bool:
        """Whether ``gone`` has disappeared, while ``new`` is the head of ``ref``."""


Histories = Callable[[str], CommitHistory | None]
"""Returns the history of a project by its path; None when it is unknown."""


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
_SEVERITY: tuple[Order, ...] = ("newer", "same", "older", "diverged", "unknown")


@frozen_record(kw_only=False)
class Comparison:
    """The order of a part relative to another version, and the reason."""

    order: Order
    reason: str = ""
    hint: str = ""


@frozen_record
class NewerParts:
    """An acceptance without older parts, and the reasons why others are superseded.

    ``diverged`` are the reasons why a person has to decide: parts are neither older nor newer than a known version.
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
    rule: OrderRule,
    history: CommitHistory,
    *,
    rejected: Mapping[str, Newest] = _NONE,
    failed: Mapping[str, Newest] = _NONE,
    past_order: bool = False,
    running: Release | None = None,
) -> NewerParts:
    """Keep the parts of a hand-off that are newer than all ``known`` versions, given by a phrase for their state.

    The same version is dropped silently, unless ``running`` is given and lacks it: it was rolled back, and a person
    wants it again. An older part is superseded, with the reason. A part that is neither (a hotfix branch, a squash
    merge) has diverged, also from a ``failed`` version, but it may diverge from a ``rejected`` one. ``past_order``: a
    person wants it although it diverged. Raises RefusedError when the order is unknown.
    """
    images, config = dict(accepted.images), accepted.config
    superseded: list[str] = []
    notes: list[str] = []
    diverged: list[str] = []
    for name in [*images, *([CONFIG] if config else [])]:
        digest = images[name].digest if name in images else None
        versions = {phrase: newest.get(name) for phrase, newest in known.items()}
        compare_with = partial(compare, hand_off, digest, rule=rule, history=history)
        phrase, worst = _most_severe(compare_with, versions, rejected.get(name), failed.get(name))
        if worst.order == "unknown" and not past_order:
            raise RefusedError(f"'{name}': {worst.reason}", hint=worst.hint)
        if worst.order == "diverged" and not past_order:
            diverged.append(f"{name}: {worst.reason}")
        if worst.order == "same" and running is not None and not _runs(running, name, hand_off):
            continue
        if worst.order == "newer" and worst.reason:
            notes.append(f"{name}: {worst.reason}")
        if worst.order == "older":
            superseded.append(f"{name}: {worst.reason}, which {phrase}")
        if worst.order in ("older", "same"):
            images.pop(name, None)
            config = None if name == CONFIG else config
    return NewerParts(
        acceptance=replace(accepted, images=images, config=config),
        superseded=tuple(superseded),
        notes=tuple(notes),
        diverged=tuple(diverged),
    )


def _most_severe(
    compare_with: Callable[[Newest | None], Comparison],
    known: Mapping[str, Newest | None],
    rejected: Newest | None,
    failed: Newest | None,
) -> tuple[str, Comparison]:
    """Return the decisive comparison of a part, and the phrase for the state of the other version."""
    comparisons = {phrase: compare_with(newest) for phrase, newest in known.items()}
    with_failed, with_rejected = compare_with(failed), compare_with(rejected)
    if with_failed.order == "diverged":  # versions older or newer than a failed one may go on
        comparisons["failed"] = with_failed
    if with_rejected.order in ("same", "older"):  # a person has decided already, whatever it diverged from
        comparisons = {phrase: result for phrase, result in comparisons.items() if result.order != "diverged"}
    if with_rejected.order != "diverged":
        comparisons["was rejected"] = with_rejected
    return max(comparisons.items(), key=lambda item: _SEVERITY.index(item[1].order))


def _runs(running: Release, name: str, hand_off: HandOff) -> bool:
    part = running.config if name == CONFIG else running.images.get(name)
    return part is not None and part.commit == hand_off.commit


def compare(
    hand_off: HandOff, digest: str | None, newest: Newest | None, rule: OrderRule, history: CommitHistory
) -> Comparison:
    """Compare a part of a hand-off with the newest version: by the rule, never by a clock.

    The same commit with another digest needs a newer pipeline, which distinguishes a rebuild from a late hand-off. By
    ``semver``, the versions of the tags on the commits or their ancestors count; if these are equal, or one is
    missing, ancestry counts.
    """
    if newest is None:
        return Comparison("newer")
    if hand_off.commit == newest.commit:
        return _same_commit(hand_off, digest, newest)
    by_tags = _by_tags(hand_off, newest, history) if rule == "semver" else None
    return by_tags or _by_ancestry(hand_off, newest.commit, history)


def compare_versions(new: SourceVersion, old: SourceVersion, history: CommitHistory | None) -> Order:
    """Compare two commits of a project: by the versions of their tags, else by ancestry."""
    is_tagged = any(version.ref.startswith(_TAGS) for version in (new, old))
    comparison = _by_tags(new, old, history) if is_tagged else None
    if comparison is None and history is not None:
        comparison = _by_ancestry(new, old.commit, history)
    return comparison.order if comparison is not None else "unknown"


def _by_tags(hand_off: SourceVersion, newest: SourceVersion, history: CommitHistory | None) -> Comparison | None:
    """Compare by the versions of tags; None when ancestry decides. Two version tags need no history."""
    if hand_off.ref.startswith(_TAGS) and newest.ref.startswith(_TAGS):
        if history is not None and _version(newest.ref) is None and _version(hand_off.ref) is not None:
            return None  # nothing orders the tag without a version, so that any version may follow it
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
            f"commit {hand_off.commit[:12]} was released with another digest, and without the numbers of both "
            "pipelines nothing says which of the two was built later",
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
        problem = history.problem()
        why, hint = (f": {problem.what}", problem.hint) if problem is not None else ("", "")
        return Comparison("unknown", f"cannot read the history between {newest[:12]} and {new[:12]}{why}", hint)
    if backward:
        return Comparison("older", f"commit {new[:12]} is older than {newest[:12]}")
    return Comparison("diverged", f"{new[:12]} and {newest[:12]} diverged: neither is an ancestor of the other")


# https://semver.org/#is-there-a-suggested-regular-expression-regex-to-check-a-semver-string, extended by common
# variants: a prefix (`web-v1.2.3`) and a fourth number.
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
        unversioned = new if mine is None else newest
        return Comparison(
            "unknown",
            f"{unversioned} has no version such as 1.2.3, which orders tags here",
            "hand off a tag with a version, such as v1.2.3",
        )
    if mine == theirs:
        return Comparison("diverged", f"the version {new} was already released from another commit")
    if mine > theirs:
        return Comparison("newer")
    return Comparison("older", f"{new} is older than {newest}")


def _version(ref: str) -> _Key | None:
    """Return the sort key of a version: https://semver.org/#spec-item-11.

    Two differences: ``rc10`` comes after ``rc9``, and of two builds of a version (``1.2.3+4``) the higher is newer.
    """
    match = _VERSION.fullmatch(ref.removeprefix(_TAGS))
    if match is None:
        return None
    core = [int(number) for number in match["core"].split(".")]
    # A version without a pre-release comes after those with one.
    numbers = (*core, *[0] * (_CORE_PARTS - len(core)), 0 if match["pre"] else 1)
    return numbers, _pieces(match["pre"]), _pieces(match["build"])


def _pieces(text: str | None) -> tuple[_Piece, ...]:
    """Split identifiers: numbers sort before text, and numerically within text too."""
    pieces: list[_Piece] = []
    for identifier in text.split(".") if text else []:
        if identifier.isdigit():
            pieces.append((False, int(identifier), ""))
            continue
        runs = re.findall(r"\d+|\D+", identifier)
        pieces += [(True, int(run) if run.isdigit() else -1, "" if run.isdigit() else run) for run in runs]
        pieces.append((False, -1, ""))  # an end mark, which sorts before any continuation
    return tuple(pieces)
