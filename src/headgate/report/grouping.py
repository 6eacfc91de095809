"""Groups of apps whose objects change alike, so that reports show them once. Pure."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from headgate.impact.effects import EFFECT_KINDS
from headgate.objects.generated import without_hashes
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.objects.diff import Field
    from headgate.report.appchange import AppChange, ObjectEffect

APP = "\0"
"""A placeholder for an app's own name; no name in Kubernetes contains it."""


@frozen_record(kw_only=False, eq=False)
class ChangeGroup:
    """Apps of one environment that change alike; reports show the first one for all."""

    changes: tuple[AppChange, ...]

    @property
    def apps(self) -> list[str]:
        """The names of the apps."""
        return [change.app for change in self.changes]

    @cached_property
    def objects(self) -> list[ObjectEffect]:
        """The objects of the first one, the most important ones first."""
        return sorted(self.changes[0].objects, key=rank)


def rank(effect: ObjectEffect) -> int:
    """Return the importance of a change: 0 is the most important."""
    kinds = [EFFECT_KINDS.index(found.kind) for found in effect.change.effects]
    kinds += [_RISKY] if effect.change.risks else []
    return min(kinds, default=len(EFFECT_KINDS)) if not effect.is_routine or effect.change.risks else len(EFFECT_KINDS)


_RISKY = EFFECT_KINDS.index("exposes")


def group_alike(changes: Sequence[AppChange]) -> list[ChangeGroup]:
    """Group apps with the same changes of the same fields, apart from the app's own name; the most important first."""
    groups: dict[object, list[AppChange]] = {}
    for change in changes:
        key = (change.environment, tuple(_key(change.app, effect) for effect in change.objects))
        groups.setdefault(key, []).append(change)
    found = [ChangeGroup(tuple(alike)) for alike in groups.values()]
    return sorted(found, key=lambda group: min(map(rank, group.objects), default=len(EFFECT_KINDS)))


def _key(app: str, effect: ObjectEffect) -> object:
    change = effect.change
    # The fields of a Secret are not shown, so they do not distinguish apps.
    fields = () if change.secret else tuple(_field(app, field) for field in change.fields)
    words = (
        *((found.flag, own_name(app, found.text)) for found in change.risks),
        *((found.kind, own_name(app, found.text)) for found in change.effects),
        *(own_name(app, line) for line in (str(effect.causes), *effect.highlights)),
    )
    names = own_name(app, change.name), own_name(app, change.namespace)
    return change.action, change.kind, names, fields, words, effect.is_routine


def _field(app: str, field: Field) -> object:
    values = [value if value is None else own_name(app, value) for value in (field.old, field.new)]
    return own_name(app, field.path), values[0], values[1], field.runs_alike


def own_name(app: str, text: str) -> str:
    """Replace the app's name as a whole word by a placeholder, as in ``https://web.example.com``.

    Generated parts of names are placeholders, too.
    """
    text = without_hashes(text)
    if app not in text or app.isdecimal():  # a number may be any
        return text
    kept, begin, place = "", 0, text.find(app)
    while place >= 0:
        end = place + len(app)
        if not (text[place - 1 : place].isalnum() or text[end : end + 1].isalnum()):
            kept, begin = f"{kept}{text[begin:place]}{APP}", end
        place = text.find(app, end)
    return kept + text[begin:]


def shown_once(texts: Sequence[tuple[str, str]]) -> str:
    """Return one text for several apps' texts that are equal but for the apps' names, which become ``APP``."""
    app, text = texts[0]
    return text if all(other == text for _, other in texts) else own_name(app, text).replace(APP, "APP")
