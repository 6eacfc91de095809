"""Groups of apps whose objects change alike, so that reports show them once. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.report.appchange import AppChange, ObjectEffect

_APP = "\0"
"""A placeholder for an app's own name; no name in Kubernetes contains it."""


@dataclass(frozen=True)
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
    fields = () if effect.secret else tuple((_own(app, field.path), field.old, field.new) for field in change.fields)
    return change.action, change.kind, _own(app, change.name), _own(app, change.namespace), fields, effect.risks


def _own(app: str, name: str) -> str:
    """Replace the app's name by a placeholder where it is a whole name or begins one: ``web``, ``web-config``.

    In a path, names stand in brackets: ``spec.containers[web].image``.
    """
    if name == app or name.startswith(f"{app}-"):
        return _APP + name[len(app) :]
    return name.replace(f"[{app}]", f"[{_APP}]")
