"""The objects of a change as Markdown of a limited length: the least important fields and objects are left out.

Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.impact.effects import EFFECT_KINDS
from headgate.report.changereport import action_counts, object_name, object_title
from headgate.report.grouping import group_alike, rank
from headgate.report.markdown import block, code, details, in_html, prose
from headgate.report.valuelines import shortened, value_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headgate.report.appchange import AppChange, ObjectEffect
    from headgate.report.grouping import ChangeGroup

_MAX_APPS = 100
_MAX_FIELDS = 60
_MAX_LINES = 30
_MAX_LINE_LENGTH = 500
_MAX_NAMES = 400
_MAX_MISSES = 50
"""The number of objects with too many fields after which no further ones are tried."""
_SHORTEST = 40
"""The fewest characters of an object."""
_MAX_NOTICE = 1200
"""The most characters of the note on left-out objects."""
_SERIOUS = EFFECT_KINDS.index("removed")

_Texts = dict[int, dict[int, str]]
"""The texts of objects by the place of their group, and their own in it."""


def sections(changes: Sequence[AppChange], room: int) -> list[str]:
    """Return a section for each group of apps that change alike, and a note that names the left-out objects."""
    groups = group_alike(changes)
    shown = _fitting(groups, room - _MAX_NOTICE)
    written = [_section(groups[number], shown[number], is_only=len(groups) == 1) for number in sorted(shown)]
    notice = _left_out(groups, shown)
    return [*written, notice] if notice else written


def _fitting(groups: Sequence[ChangeGroup], room: int) -> _Texts:
    """Return the objects that fit. A third of the room is for fields, if there are too many objects."""
    entries = [
        (rank(effect), number, place, effect)
        for number, group in enumerate(groups)
        for place, effect in enumerate(group.objects)
    ]
    entries.sort(key=lambda entry: entry[0])
    shown: _Texts = {}
    left, reserve = room, room // 3
    for level, number, place, effect in entries:
        is_serious = level <= _SERIOUS
        free = left - (0 if is_serious else reserve)
        if free < _SHORTEST:
            break
        frame = 0 if number in shown else len(_section(groups[number], {}, is_only=False))
        for text in (_object(effect), _line(effect)) if is_serious else (_line(effect),):
            if frame + len(text) <= free:
                shown.setdefault(number, {})[place] = text
                left -= frame + len(text) + 2
                break
    for number, group in enumerate(groups):
        if not group.objects and len(_names(group)) <= left:
            shown[number] = {}
            left -= len(_names(group)) + 2
    _add_fields(shown, [entry[1:] for entry in entries], left)
    return shown


def _add_fields(shown: _Texts, entries: Sequence[tuple[int, int, ObjectEffect]], room: int) -> None:
    """Add fields to objects without, as far as there is room."""
    misses = 0
    for number, place, effect in entries:
        text = shown.get(number, {}).get(place, "")
        if not text or not _has_more(effect) or misses > _MAX_MISSES:
            continue
        more = len(whole := _object(effect)) - len(text)
        if more > room:
            misses += 1
        elif more:
            shown[number][place] = whole
            room -= more


def _left_out(groups: Sequence[ChangeGroup], shown: _Texts) -> str:
    apps = [app for number, group in enumerate(groups) if number not in shown for app in group.apps]
    objects = [
        f"{effect.change.kind} {object_name(effect.change)}"
        for number, texts in shown.items()
        for place, effect in enumerate(groups[number].objects)
        if place not in texts
    ]
    found = [f"{len(objects)} more objects ({code(', '.join(objects), _MAX_NAMES)})"] if objects else []
    found += [f"{len(apps)} more apps ({code(', '.join(dict.fromkeys(apps)), _MAX_NAMES)})"] if apps else []
    return f"_Too long for a description:_ {' and '.join(found)} are in the changed files." if found else ""


def _section(group: ChangeGroup, texts: Mapping[int, str], *, is_only: bool) -> str:
    """Return the objects of apps that change alike."""
    first = group.changes[0]
    if not first.objects:
        return _names(group)
    names = f"{_names(group)}; shown is {code(first.app)}" if len(group.apps) > 1 else ""
    body = "\n\n".join(filter(None, [names, *(texts[place] for place in sorted(texts))]))
    return details(f"{_title(group)}: {action_counts(first.objects)}", body, is_open=is_only)


def _title(group: ChangeGroup) -> str:
    first = group.changes[0]
    if len(group.apps) == 1:
        return f"{in_html(first.app)} in {in_html(first.environment)}"
    return f"{len(group.apps)} apps in {in_html(first.environment)} change alike"


def _names(group: ChangeGroup) -> str:
    names = [code(app) for app in group.apps[:_MAX_APPS]]
    more = f" and {len(group.apps) - len(names)} more" if len(group.apps) > len(names) else ""
    alike = "" if group.changes[0].objects else ": no object changes"
    return f"{', '.join(names)}{more}{alike}"


def _object(effect: ObjectEffect) -> str:
    """Return an object with its fields or key fields."""
    if effect.highlights:
        return f"{_name(effect)}\n\n" + "\n".join(f"- {code(line)}" for line in effect.highlights)
    if not _has_more(effect):
        return _line(effect)
    return f"{_name(effect)}\n\n{block(_field_lines(effect), 'diff')}"


def _line(effect: ObjectEffect) -> str:
    """Return an object on one line."""
    if effect.change.secret and effect.change.fields:
        return f"{_name(effect)}; its values are not shown"
    return f"{_name(effect)}; its fields do not fit here" if _has_more(effect) else _name(effect)


def _has_more(effect: ObjectEffect) -> bool:
    return bool(effect.highlights) or (bool(effect.change.fields) and not effect.change.secret)


def _name(effect: ObjectEffect) -> str:
    name = code(f"{effect.change.kind} {object_name(effect.change)}".strip())
    return f"{name} {prose(object_title(effect), _MAX_NAMES)} ({prose(str(effect.causes), _MAX_NAMES)})"


def _field_lines(effect: ObjectEffect) -> Iterator[str]:
    fields = effect.change.fields
    for field in fields[:_MAX_FIELDS]:
        yield f"  {shortened(field.path, _MAX_LINE_LENGTH)}{' (equivalent)' if field.runs_alike else ''}"
        lines = value_lines(field, _MAX_LINE_LENGTH)
        yield from (f"{sign} {line}" for sign, line in lines[:_MAX_LINES])
        if len(lines) > _MAX_LINES:
            yield f"  ... {len(lines) - _MAX_LINES} more lines"
    if len(fields) > _MAX_FIELDS:
        yield f"  ... and {len(fields) - _MAX_FIELDS} more fields"
