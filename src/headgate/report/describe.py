"""Changes as Markdown for reviewers: in merge requests, notes and the job's report. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from headgate.releases.release import CONFIG, parts
from headgate.report.grouping import group_alike
from headgate.report.history import SHORT
from headgate.report.markdown import block, code, details, in_html, link, prose

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.hydration.output import ObjectChange
    from headgate.model import ReleasedConfig, ReleasedImage
    from headgate.report.appchange import AppChange, ObjectEffect
    from headgate.report.grouping import ChangeGroup

MAX_LENGTH = 100_000
"""Characters of a description. GitLab allows 1,048,576: https://docs.gitlab.com/administration/instance_limits/."""
_MAX_APPS = 100
_MAX_RISKS = 40
_MAX_FIELDS = 60
_MAX_LINES = 15
_MAX_LINE_LENGTH = 500
_MAX_NAMES = 400


def describe(changes: Sequence[AppChange], url: str, *, limit: int = MAX_LENGTH) -> str:
    """Return Markdown of at most ``limit`` characters. ``url`` is GitLab's address, for links to the apps' commits.

    Versions and risks come first; then, as far as there is room, objects with their fields, and a note on the rest.
    """
    if not changes:
        return "No final YAML changes."
    head = [_versions(changes, url, limit // 4), _risks(changes, limit // 4), f"**{counts(changes)}**"]
    text = "\n\n".join(filter(None, head))
    groups = group_alike(changes)
    for number, group in enumerate(groups):
        section = _section(group, limit - len(text) - _ROOM, is_only=len(groups) == 1)
        if not section:
            left = sum(len(rest.apps) for rest in groups[number:])
            return f"{text}\n\n{_cut_notice(f'what changes for {left} more apps')}"
        text = f"{text}\n\n{section}"
    return text


_ROOM = 300
"""Characters reserved for the note on what is left out."""


def _cut_notice(rest: str) -> str:
    return f"_Too long for a description: {rest} is among the changed files._"


def counts(changes: Sequence[AppChange]) -> str:
    """Return how many objects are added, changed and removed, in how many apps."""
    by_action = Counter(effect.change.action for change in changes for effect in change.objects)
    shown = [f"{by_action[action]} {action}" for action in ("added", "changed", "removed") if by_action[action]]
    objects = f"Objects: {', '.join(shown)}" if shown else "No object changes"
    apps = len({change.app for change in changes})
    return f"{objects}, in {apps} apps" if apps > 1 else objects


def _versions(changes: Sequence[AppChange], url: str, limit: int) -> str:
    lines: list[str] = []
    named = len({(change.app, change.environment) for change in changes}) > 1
    for change in changes[:_MAX_APPS]:
        lines += [f"- {line}" for line in _parts(change, url, named=named)]
    upgrades = Counter(change.upgrade for change in changes if change.upgrade)
    for upgrade, number in upgrades.items():
        lines.append(f"- rendered with {code(upgrade)}" + (f" in {number} app-environments" if named else ""))
    return _fitted(lines, limit, "versions")


def _parts(change: AppChange, url: str, *, named: bool) -> Iterator[str]:
    """Yield a line for each changed part, with a link to the comparison of its source."""
    before, after = parts(change.before), parts(change.after)
    of = f"{code(change.app)} in {code(change.environment)}, " if named else ""
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if new is None and change.after is not None and old is not None:
            yield f"{of}{_part_name(name)}: {_version(old)} is removed"
        elif new is not None and new != old:
            yield f"{of}{_part_name(name)}: {_step(old, new)}{_source(old, new, url)}"
    if change.after and change.after.pin and (change.before is None or change.before.pin != change.after.pin):
        yield f"{of}pinned by {code(change.after.pin.by)}: {code(change.after.pin.reason)}"
    if change.before and change.after is None:
        yield f"{of}is removed" if named else f"{code(change.app)} in {code(change.environment)} is removed"


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


def _risks(changes: Sequence[AppChange], limit: int) -> str:
    """Return the risks, those that apps share in one line."""
    names_by_risk: dict[tuple[str, str], list[str]] = {}
    for change in changes:
        for effect in change.objects:
            for risk in effect.risks:
                names_by_risk.setdefault((effect.change.kind, risk), []).append(object_name(effect.change))
    lines = [f"- :warning: {_who(kind, names)} {prose(risk)}" for (kind, risk), names in names_by_risk.items()]
    text = _fitted(lines[:_MAX_RISKS], limit, "warnings")
    return f"**Look at this:**\n\n{text}" if lines else ""


def _who(kind: str, names: list[str]) -> str:
    if len(names) == 1:
        return f"{code(f'{kind} {names[0]}')}:"
    return f"{len(names)} of {code(kind)} ({code(', '.join(names), _MAX_NAMES)}):"


def object_name(change: ObjectChange) -> str:
    """Return an object's name as kubectl shows it, without its kind."""
    return f"{change.namespace}/{change.name}" if change.namespace else change.name


def _section(group: ChangeGroup, limit: int, *, is_only: bool) -> str:
    """Return the objects of apps that change alike; empty when there is no room."""
    first = group.changes[0]
    if not first.objects:
        return "" if limit < 0 else _names(group)
    title = f"{_title(group)}: {_short_counts(first)}"
    body, room = "", limit - len(title) - 100
    shown = 0
    for effect in first.objects:
        text = _object(effect)
        if len(body) + len(text) > room:
            break
        body, shown = f"{body}\n\n{text}" if body else text, shown + 1
    if not shown:
        return ""
    if shown < len(first.objects):
        body = f"{body}\n\n{_cut_notice(f'what changes in {len(first.objects) - shown} more objects')}"
    names = f"{_names(group)}\n\n" if len(group.apps) > 1 else ""
    return details(title, f"{names}{body}", is_open=is_only)


def _title(group: ChangeGroup) -> str:
    first = group.changes[0]
    if len(group.apps) == 1:
        return f"{in_html(first.app)} in {in_html(first.environment)}"
    return f"{len(group.apps)} apps in {in_html(first.environment)} change alike"


def _short_counts(change: AppChange) -> str:
    by_action = Counter(effect.change.action for effect in change.objects)
    return ", ".join(f"{by_action[action]} {action}" for action in ("added", "changed", "removed") if by_action[action])


def _names(group: ChangeGroup) -> str:
    names = [code(app) for app in group.apps[:_MAX_APPS]]
    more = f" and {len(group.apps) - len(names)} more" if len(group.apps) > len(names) else ""
    alike = "" if group.changes[0].objects else ": no object changes"
    return f"{', '.join(names)}{more}{alike}"


def _object(effect: ObjectEffect) -> str:
    change = effect.change
    title = f"{code(f'{change.kind} {object_name(change)}'.strip())} is {change.action}"
    if change.action != "changed" or not change.fields:
        return title
    if effect.secret:
        return f"{title} (its values are not shown)"
    lines: list[str] = []
    for field in change.fields[:_MAX_FIELDS]:
        lines += [f"  {_short(field.path)}"]
        lines += [f"- {line}" for line in _lines(field.old)]
        lines += [f"+ {line}" for line in _lines(field.new)]
    if len(change.fields) > _MAX_FIELDS:
        lines.append(f"  ... and {len(change.fields) - _MAX_FIELDS} more fields")
    return f"{title}\n\n{block(lines, 'diff')}"


def _lines(value: str | None) -> list[str]:
    if value is None:
        return []
    lines = value.split("\n")
    shown = [_short(line) for line in lines[:_MAX_LINES]]
    return shown if len(lines) <= _MAX_LINES else [*shown, f"... {len(lines) - _MAX_LINES} more lines"]


def _short(line: str) -> str:
    return line if len(line) <= _MAX_LINE_LENGTH else f"{line[:_MAX_LINE_LENGTH]}..."


def _fitted(lines: list[str], limit: int, noun: str) -> str:
    shown: list[str] = []
    room = limit - _ROOM
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return "\n".join([*shown, f"- {len(lines) - len(shown)} more {noun} do not fit here"])
        shown.append(line)
    return "\n".join(shown)
