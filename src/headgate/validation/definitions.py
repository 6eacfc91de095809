"""The CRDs of a cluster: which of them a judgement needs, and who wrote each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from headgate.objects.kinds import DEFINITION
from headgate.records import frozen_record
from headgate.repository.tree import MAX_FILE, MemoryBlob, Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from headgate.objects.manifest import Manifest, ObjectName
    from headgate.repository.tree import Blob

FILE_PREFIX = f"{DEFINITION.lower()}-"
"""How the file of a CRD in final YAML begins; the rest is its name, PLURAL.GROUP."""


@frozen_record
class Definition:
    """A file with a CRD, called PLURAL.GROUP; or one of a configured folder, which may hold several of any group.

    ``owner`` is the app that wrote it, empty for the platform: code in it is that app's.
    """

    name: str
    text: Blob
    owner: str = ""
    any_group: bool = False

    def defines(self, groups: Collection[str]) -> bool:
        """Whether it may define a kind of one of these groups."""
        return bool(groups) if self.any_group else self.name.partition(".")[2] in groups

    @property
    def group(self) -> str:
        """The group of the kind that it defines."""
        return "" if self.any_group else self.name.partition(".")[2]


def is_definition(manifest: ObjectName) -> bool:
    """Whether an object is a CRD."""
    return manifest.kind_name == DEFINITION


def rendered_definition(manifest: Manifest, owner: str) -> Definition:
    """Return a CRD that was just rendered."""
    return Definition(name=manifest.name, text=MemoryBlob(json.dumps(manifest.data).encode()), owner=owner)


def landed_definitions(tree: Tree, folder: str, owner: Callable[[], str]) -> list[Definition]:
    """Return the CRDs in a folder of final YAML, by the names of its files: none of them is opened.

    ``owner`` is called only where there are some: most folders have none, and to know it may take reading app.yaml.
    """
    begin = f"{folder}/{FILE_PREFIX}"
    return [
        Definition(name=path.removeprefix(begin).removesuffix(".yaml"), text=tree.blob(path), owner=owner())
        for path in tree.paths(folder)
        if path.startswith(begin)
    ]


def configured_definitions(tree: Tree, folders: Iterable[str]) -> list[Definition]:
    """Return the files of folders with CRDs that no app brings."""
    return [
        Definition(name=path, text=tree.blob(path), any_group=True)
        for folder in folders
        for path in tree.paths(folder)
        if path.endswith((".yaml", ".yml", ".json")) and tree.blob(path).size <= MAX_FILE
    ]


def needed(found: Iterable[Definition], groups: Collection[str]) -> list[Definition]:
    """Return the CRDs of these groups, each name once: a later one takes the place of an earlier one.

    Those of configured folders go first, so that what an app brings counts.
    """
    named = {definition.name: definition for definition in found if definition.defines(groups)}
    return [named[name] for name in sorted(named, key=lambda name: (not named[name].any_group, name))]


def as_tree(found: Iterable[Definition]) -> Tree:
    """Return CRDs as the files that the validator is given."""
    return Tree({f"{number:05}-{definition.name}": definition.text for number, definition in enumerate(found)})
