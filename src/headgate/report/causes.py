"""Why an app's final YAML changes: its image, its config, the template, a values layer, the engine. Pure.

The answer comes from what was recorded with the YAML before and after (`OutputRecord.sources`), never from a
guess: where several inputs changed at once, all that may be the cause are named, and where nothing was recorded, none.
"""

from __future__ import annotations

from dataclasses import dataclass
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


def causes_of(
    old: Side, new: Side, inputs: Sequence[Cause], images: Mapping[str, str], workloads: Mapping[str, str]
) -> Causes:
    """Return the causes of one object's change.

    ``inputs`` are those of its app that changed, ``images`` the repositories of the app's images by their names,
    ``workloads`` says where custom resources run images. A field that runs an image of the app changes with that
    image; every other field with something else, if anything else changed.
    """
    owned = {canonical_repository(repository): name for name, repository in images.items()}
    before, after = (_Images(manifest=side, found=_own_uses(side, owned, workloads)) for side in (old, new))
    bumped = {cause for cause in inputs if cause.kind == "image" and before.runs(cause.name) != after.runs(cause.name)}
    if old is not None and new is not None and bumped and same(before.rest, after.rest):
        return Causes(certain=tuple(sorted(bumped)))
    others = [cause for cause in inputs if cause.kind != "image"] or [cause for cause in inputs if cause not in bumped]
    others = others or list(bumped)
    certain = {*bumped, *(others if len(others) == 1 else ())}
    return Causes(tuple(sorted(certain)), tuple(sorted(others)) if len(others) > 1 else ())


@frozen_record
class _Images:
    """The app's own images in an object, by name and by the repositories that they are known by."""

    manifest: Side
    found: Sequence[tuple[str, ImageUse]]

    @property
    def rest(self) -> Any:
        """All else of the object: it with the names of the images in their places."""
        names: dict[int, dict[str | int, str]] = {}
        for name, use in self.found:
            names.setdefault(id(use.holder), {})[use.key] = name
        return _renamed(self.manifest.data, names) if self.manifest is not None else None

    def runs(self, name: str) -> frozenset[str]:
        return frozenset(use.text for own, use in self.found if own == name)


def _renamed(value: Any, names: Mapping[int, Mapping[str | int, str]]) -> Any:
    """Copy a value; ``names`` has what takes the places of others, by the id of the map or list that holds them."""
    own = names.get(id(value), {})
    if isinstance(value, dict):
        return {key: own[key] if key in own else _renamed(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [own[at] if at in own else _renamed(item, names) for at, item in enumerate(value)]
    return value


def _own_uses(manifest: Side, owned: Mapping[str, str], workloads: Mapping[str, str]) -> list[tuple[str, ImageUse]]:
    """Return where an object runs images of the app's own, each with its name."""
    found = []
    for use in uses(manifest, workloads) if manifest is not None and owned else ():
        image = find_reference(use.text)
        name = owned.get(canonical_repository(image.repository)) if image is not None else None
        if name is not None:
            found.append((name, use))
    return found
