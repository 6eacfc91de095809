"""Groups of apps whose objects change alike, so that reports show them once. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.objects.generated import without_hashes
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.objects.diff import Field
    from headgate.report.appchange import AppChange, ObjectEffect

APP = "\0"
"""A placeholder for an app's own name; no name in Kubernetes contains it."""


@frozen_record(kw_only=False)
class ChangeGroup:
    """Apps of one environment that change alike; reports show the first one for all."""

    changes: tuple[AppChange, ...]

    @property
    def apps(self) -> list[str]:
        """The names of the apps."""
        return [change.app for change in self.changes]


def group_alike(changes: Sequence[AppChange]) -> list[ChangeGroup]:
    """Group apps with the same changes of the same fields, apart from the app's own name."""
    groups: dict[object, list[AppChange]] = {}
    for change in changes:
        key = (change.environment, tuple(_key(change.app, effect) for effect in change.objects))
        groups.setdefault(key, []).append(change)
    return [ChangeGroup(tuple(alike)) for alike in groups.values()]


def _key(app: str, effect: ObjectEffect) -> object:
    change = effect.change
    # The fields of a Secret are not shown, so they do not distinguish apps.
    fields = () if change.secret else tuple(_field(app, field) for field in change.fields)
    consequences = effect.change.risks, effect.change.effects, effect.causes, effect.is_routine, effect.highlights
    return change.action, change.kind, own_name(app, change.name), own_name(app, change.namespace), fields, consequences


def _field(app: str, field: Field) -> object:
    return own_name(app, field.path), _value(app, field.old), _value(app, field.new), field.runs_alike


def _value(app: str, value: str | None) -> str | None:
    """Return a value without what a tool generated in it: such a name is each app's own, and says nothing."""
    shown = value if value is None else without_hashes(value)
    return value if value is None or shown == value else own_name(app, str(shown))


def own_name(app: str, name: str) -> str:
    """Replace the app's name by a placeholder where it is a whole name or begins one: ``web``, ``web-config``.

    In a path, names are in brackets: ``spec.containers[web].image``.
    """
    name = without_hashes(name)
    if name == app or name.startswith(f"{app}-"):
        return APP + name[len(app) :]
    return name.replace(f"[{app}]", f"[{APP}]")
