"""Apps whose objects change alike, told once. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.report.appchange import AppChange, ObjectEffect

_APP = "\0"
"""Stands for an app's own name, which no name in Kubernetes holds."""


@dataclass(frozen=True)
class ChangeGroup:
    """Apps of one environment that change alike; the first one is shown for all."""

    changes: tuple[AppChange, ...]

    @property
    def apps(self) -> list[str]:
        """Their names."""
        return [one.app for one in self.changes]


def fold(changes: Sequence[AppChange]) -> list[ChangeGroup]:
    """Put together what changes alike: the same objects by the same fields, but for the app's name in theirs."""
    found: dict[object, list[AppChange]] = {}
    for change in changes:
        key = (change.environment, tuple(_key(change.app, one) for one in change.objects))
        found.setdefault(key, []).append(change)
    return [ChangeGroup(tuple(alike)) for alike in found.values()]


def _key(app: str, one: ObjectEffect) -> object:
    change = one.change
    # What a Secret holds is not shown, so it is no reason to tell apps apart.
    fields = () if one.secret else tuple((_own(app, field.path), field.old, field.new) for field in change.fields)
    return change.action, change.kind, _own(app, change.name), _own(app, change.namespace), fields, one.dangers


def _own(app: str, name: str) -> str:
    """Put a mark in the place of the app's name where it is a whole name or begins one: ``web``, ``web-config``.

    In a path, names stand in brackets: ``spec.containers[web].image``.
    """
    if name == app or name.startswith(f"{app}-"):
        return _APP + name[len(app) :]
    return name.replace(f"[{app}]", f"[{_APP}]")
