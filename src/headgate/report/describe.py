"""What changes, for people who review it: as Markdown for merge requests, notes and the job's report. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from headgate.releases.release import CONFIG, parts
from headgate.report.grouping import fold
from headgate.report.history import SHORT
from headgate.report.markdown import block, code, details, in_html, link, prose

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.hydration.output import ObjectChange
    from headgate.model import ReleasedConfig, ReleasedImage
    from headgate.report.appchange import AppChange, ObjectEffect
    from headgate.report.grouping import ChangeGroup

MOST = 100_000
"""Characters of a description. GitLab takes 1,048,576: https://docs.gitlab.com/administration/instance_limits/."""
_MOST_APPS = 100
_MOST_DANGERS = 40
_MOST_FIELDS = 60
_MOST_LINES = 15
_MOST_IN_LINE = 500
_MOST_NAMES = 400


def describe(changes: Sequence[AppChange], url: str, *, most: int = MOST) -> str:
    """Return Markdown of at most ``most`` characters. ``url`` is GitLab's address, for links to the apps' commits.

    What comes first is what people need most: versions and dangers; then objects with their fields, as far as
    there is room, and a word on what is left out.
    """
    if not changes:
        return "No final YAML changes."
    head = [_versions(changes, url, most // 4), _dangers(changes, most // 4), f"**{counts(changes)}**"]
    text = "\n\n".join(filter(None, head))
    folded = fold(changes)
    for number, one in enumerate(folded):
        section = _section(one, most - len(text) - _ROOM, is_only=len(folded) == 1)
        if not section:
            left = sum(len(rest.apps) for rest in folded[number:])
            return f"{text}\n\n{_cut(f'what changes for {left} more apps')}"
        text = f"{text}\n\n{section}"
    return text


_ROOM = 300
"""Characters kept for the word on what is left out."""


def _cut(what: str) -> str:
    return f"_It would be too long here: {what} is among the changed files._"


def counts(changes: Sequence[AppChange]) -> str:
    """Say how many objects are added, changed and removed, in how many apps."""
    by_action = Counter(one.change.action for change in changes for one in change.objects)
    told = [f"{by_action[action]} {action}" for action in ("added", "changed", "removed") if by_action[action]]
    objects = f"Objects: {', '.join(told)}" if told else "No object changes"
    apps = len({change.app for change in changes})
    return f"{objects}, in {apps} apps" if apps > 1 else objects


def _versions(changes: Sequence[AppChange], url: str, most: int) -> str:
    lines: list[str] = []
    named = len({(change.app, change.environment) for change in changes}) > 1
    for change in changes[:_MOST_APPS]:
        lines += [f"- {one}" for one in _parts(change, url, named=named)]
    upgrades = Counter(change.upgrade for change in changes if change.upgrade)
    for upgrade, number in upgrades.items():
        lines.append(f"- rendered with {code(upgrade)}" + (f" in {number} app-environments" if named else ""))
    return _fitted(lines, most, "versions")


def _parts(change: AppChange, url: str, *, named: bool) -> Iterator[str]:
    """Yield a line for each part that differs, with the link that compares its source."""
    before, after = parts(change.before), parts(change.after)
    of = f"{code(change.app)} in {code(change.environment)}, " if named else ""
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if new is None and change.after is not None and old is not None:
            yield f"{of}{_part_name(name)}: {_version(old)} goes"
        elif new is not None and new != old:
            yield f"{of}{_part_name(name)}: {_step(old, new)}{_source(old, new, url)}"
    if change.after and change.after.pin and (change.before is None or change.before.pin != change.after.pin):
        yield f"{of}pinned by {code(change.after.pin.by)}: {code(change.after.pin.reason)}"
    if change.before and change.after is None:
        yield f"{of}is taken away" if named else f"{code(change.app)} in {code(change.environment)} is taken away"


def _part_name(name: str) -> str:
    return "the app's config" if name == CONFIG else f"image {code(name)}"


def _version(part: ReleasedImage | ReleasedConfig) -> str:
    return code(part.tag if hasattr(part, "tag") else part.commit[:SHORT])


def _step(old: ReleasedImage | ReleasedConfig | None, new: ReleasedImage | ReleasedConfig) -> str:
    if old is None:
        return f"{_version(new)} (new)"
    if _version(old) == _version(new):
        return f"{_version(new)}, {'another digest' if hasattr(new, 'digest') else 'the same commit'}"
    return f"{_version(old)} \u2192 {_version(new)}"


def _source(old: ReleasedImage | ReleasedConfig | None, new: ReleasedImage | ReleasedConfig, url: str) -> str:
    project = f"{url}/{new.project}/-"
    commit = link(code(f"{new.project}@{new.commit[:SHORT]}"), f"{project}/commit/{new.commit}")
    if old is None or old.project != new.project or old.commit == new.commit:
        return f" from {commit}"
    return f" from {commit} ({link('compare', f'{project}/compare/{old.commit}...{new.commit}')})"


def _dangers(changes: Sequence[AppChange], most: int) -> str:
    """Return what must not be overlooked: the same of many apps in one line."""
    found: dict[tuple[str, str], list[str]] = {}
    for change in changes:
        for one in change.objects:
            for told in one.dangers:
                found.setdefault((one.change.kind, told), []).append(object_name(one.change))
    lines = [f"- :warning: {_who(kind, names)} {prose(told)}" for (kind, told), names in found.items()]
    text = _fitted(lines[:_MOST_DANGERS], most, "warnings")
    return f"**Look at this:**\n\n{text}" if lines else ""


def _who(kind: str, names: list[str]) -> str:
    if len(names) == 1:
        return f"{code(f'{kind} {names[0]}')}:"
    return f"{len(names)} of {code(kind)} ({code(', '.join(names), _MOST_NAMES)}):"


def object_name(change: ObjectChange) -> str:
    """Name an object as kubectl does, without its kind."""
    return f"{change.namespace}/{change.name}" if change.namespace else change.name


def _section(one: ChangeGroup, most: int, *, is_only: bool) -> str:
    """Return the objects of apps that change alike; an empty text where there is no room for it."""
    first = one.changes[0]
    if not first.objects:
        return "" if most < 0 else _names(one)
    title = f"{_title(one)}: {_few_counts(first)}"
    body, room = "", most - len(title) - 100
    shown = 0
    for effect in first.objects:
        text = _object(effect)
        if len(body) + len(text) > room:
            break
        body, shown = f"{body}\n\n{text}" if body else text, shown + 1
    if not shown:
        return ""
    if shown < len(first.objects):
        body = f"{body}\n\n{_cut(f'what changes in {len(first.objects) - shown} more objects')}"
    names = f"{_names(one)}\n\n" if len(one.apps) > 1 else ""
    return details(title, f"{names}{body}", is_open=is_only)


def _title(one: ChangeGroup) -> str:
    first = one.changes[0]
    if len(one.apps) == 1:
        return f"{in_html(first.app)} in {in_html(first.environment)}"
    return f"{len(one.apps)} apps in {in_html(first.environment)} change alike"


def _few_counts(change: AppChange) -> str:
    by_action = Counter(one.change.action for one in change.objects)
    return ", ".join(f"{by_action[one]} {one}" for one in ("added", "changed", "removed") if by_action[one])


def _names(one: ChangeGroup) -> str:
    names = [code(app) for app in one.apps[:_MOST_APPS]]
    more = f" and {len(one.apps) - len(names)} more" if len(one.apps) > len(names) else ""
    alike = "" if one.changes[0].objects else ": no object changes"
    return f"{', '.join(names)}{more}{alike}"


def _object(effect: ObjectEffect) -> str:
    change = effect.change
    title = f"{code(f'{change.kind} {object_name(change)}'.strip())} is {change.action}"
    if change.action != "changed" or not change.fields:
        return title
    if effect.secret:
        return f"{title} (its values are not shown)"
    lines: list[str] = []
    for field in change.fields[:_MOST_FIELDS]:
        lines += [f"  {_short(field.path)}"]
        lines += [f"- {line}" for line in _lines(field.old)]
        lines += [f"+ {line}" for line in _lines(field.new)]
    if len(change.fields) > _MOST_FIELDS:
        lines.append(f"  ... and {len(change.fields) - _MOST_FIELDS} more fields")
    return f"{title}\n\n{block(lines, 'diff')}"


def _lines(value: str | None) -> list[str]:
    if value is None:
        return []
    lines = value.split("\n")
    shown = [_short(line) for line in lines[:_MOST_LINES]]
    return shown if len(lines) <= _MOST_LINES else [*shown, f"... {len(lines) - _MOST_LINES} more lines"]


def _short(line: str) -> str:
    return line if len(line) <= _MOST_IN_LINE else f"{line[:_MOST_IN_LINE]}..."


def _fitted(lines: list[str], most: int, what: str) -> str:
    """Return the lines that fit, and say how many did not."""
    shown: list[str] = []
    room = most - _ROOM
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return "\n".join([*shown, f"- {len(lines) - len(shown)} more {what} are too long for this place"])
        shown.append(line)
    return "\n".join(shown)
