"""Why an app's final YAML changes: its image, its config, the template, a values layer, the engine. Pure.

The answer comes from what was recorded with the YAML before and after (`OutputRecord.sources`), never from a
guess: where several inputs changed at once, all that may be the cause are named, and where nothing was recorded, none.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from headgate.hydration.output import upgrade
from headgate.objects.edits import same
from headgate.objects.images import canonical_repository, find_reference, uses
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headgate.hydration.record import OutputRecord
    from headgate.objects.images import ImageUse
    from headgate.objects.manifest import Manifest

    Side = Manifest | None

CauseKind = Literal["image", "config", "template", "values", "settings", "engine", "edited", "first", "gone"]


@dataclass(frozen=True, order=True)
class Cause:
    """One input that changed. ``name`` is an image's, a template's, a values file's or an engine's step."""

    kind: CauseKind
    name: str = ""

    def __str__(self) -> str:
        """Return it in words: ``template web``."""
        return _WORDS[self.kind].format(name=self.name)


_WORDS: dict[CauseKind, str] = {
    "image": "image {name}",
    "config": "the app's config",
    "template": "template {name}",
    "values": "{name}",
    "settings": "app.yaml or headgate.yaml",
    "engine": "{name}",
    "edited": "an edit by hand that is undone",
    "first": "the app is new here",
    "gone": "the app is removed here",
}


@frozen_record(kw_only=False)
class Causes:
    """The causes of one object's change: ``certain`` ones, and ``possible`` ones of which at least one holds."""

    certain: tuple[Cause, ...] = ()
    possible: tuple[Cause, ...] = ()

    def __str__(self) -> str:
        """Return them in words."""
        rest = " or ".join(map(str, self.possible))
        return " and ".join(filter(None, [*map(str, self.certain), rest])) or "cannot tell why"


UNKNOWN = Causes()
"""Of a change whose causes are unknown."""


def changed_inputs(before: OutputRecord, after: OutputRecord, *, edited: bool = False) -> tuple[Cause, ...]:
    """Return the inputs that differ between two records of a folder; none where one of them says nothing of its inputs.

    ``edited``: the YAML before was not what its record says.
    """
    if not before.files or not after.files:
        return (Cause("first"),) if after.files else (Cause("gone"),) if before.files else ()
    found = list(_sources(before.sources, after.sources)) if before.sources and after.sources else []
    step = upgrade(before, after.engine)
    found += [Cause("engine", step)] if step else []
    return tuple(sorted(found)) + ((Cause("edited"),) if edited else ())


def _sources(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Cause]:
    for key in {**before, **after}:
        kind, _, name = key.partition(" ")
        if before.get(key) != after.get(key) and kind in _WORDS:
            yield Cause(kind, name)


@frozen_record(eq=False)
class AppInputs:
    """What decides why the objects of an app change: the inputs that differ, and where its images run.

    ``images`` are the repositories of the app's images by their names, ``workloads`` says where custom resources run
    images.
    """

    changed: Sequence[Cause]
    images: Mapping[str, str]
    workloads: Mapping[str, str]

    @cached_property
    def owned(self) -> dict[str, str]:
        """The names of the images by their repositories."""
        return {canonical_repository(repository): name for name, repository in self.images.items()}

    @cached_property
    def without_images(self) -> Causes:
        """The causes of what changes in an object that runs no image of the app."""
        return _causes(set(), self.changed)


def causes_of(old: Side, new: Side, inputs: AppInputs) -> Causes:
    """Return the causes of one object's change.

    A field that runs an image of the app changes with that image; every other field with something else, if anything
    else changed.
    """
    before, after = (_Images(_own_uses(side, inputs)) for side in (old, new))
    if not before.found and not after.found:
        return inputs.without_images
    bumped = {
        cause for cause in inputs.changed if cause.kind == "image" and before.runs(cause.name) != after.runs(cause.name)
    }
    if old is not None and new is not None and bumped and _same_but_for(old.data, new.data, _names(before, after)):
        return Causes(certain=tuple(sorted(bumped)))
    return _causes(bumped, inputs.changed)


def _causes(bumped: set[Cause], inputs: Sequence[Cause]) -> Causes:
    others = [cause for cause in inputs if cause.kind != "image"] or [cause for cause in inputs if cause not in bumped]
    others = others or list(bumped)
    certain = {*bumped, *(others if len(others) == 1 else ())}
    return Causes(tuple(sorted(certain)), tuple(sorted(others)) if len(others) > 1 else ())


@frozen_record(kw_only=False, eq=False)
class _Images:
    """The app's own images in an object, each with its name."""

    found: Sequence[tuple[str, ImageUse]]

    def runs(self, name: str) -> frozenset[str]:
        return frozenset(use.text for own, use in self.found if own == name)


_Names = dict[int, dict["str | int", str]]
"""The names of images by their places: by the id of the map or list that holds them, and the key there."""


def _names(*sides: _Images) -> _Names:
    names: _Names = {}
    for name, use in (found for side in sides for found in side.found):
        names.setdefault(id(use.holder), {})[use.key] = name
    return names


def _same_but_for(old: Any, new: Any, names: _Names) -> bool:
    """Return whether two values are the same, once the names take the places of the images."""
    if same(old, new):
        return True
    if isinstance(old, dict) and isinstance(new, dict):
        before, after = ({**side, **names.get(id(side), {})} for side in (old, new))
    elif isinstance(old, list) and isinstance(new, list):
        before, after = ({**dict(enumerate(side)), **names.get(id(side), {})} for side in (old, new))
    else:
        return False
    return before.keys() == after.keys() and all(_same_but_for(before[key], after[key], names) for key in before)


def _own_uses(manifest: Side, inputs: AppInputs) -> list[tuple[str, ImageUse]]:
    """Return where an object runs images of the app's own, each with its name."""
    if manifest is None or not inputs.images:
        return []
    found = []
    for use in uses(manifest, inputs.workloads):
        image = find_reference(use.text)
        name = inputs.owned.get(canonical_repository(image.repository)) if image is not None else None
        if name is not None:
            found.append((name, use))
    return found
