"""The source of a render: a shared template, an older version of it, or the app's own config. Pure."""

from __future__ import annotations

import json
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

from headgate.config import load_template
from headgate.errors import ConfigError, Location
from headgate.model import TemplateSettings
from headgate.objects.lookup import without_nulls
from headgate.paths import TEMPLATES, VERSIONS
from headgate.records import frozen_record
from headgate.render.values import merge_all, read_layer
from headgate.repository.input_check import check_input, safe_files
from headgate.repository.tree import Tree, object_id, prefetch
from headgate.yamltext.valuepath import dotted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from headgate.configuration import AppRecord
    from headgate.repository.tree import Blob, Changes

_MAY_REFER = ("Chart.yaml", "requirements.yaml", "kustomization.yaml", "kustomization.yml", "Kustomization")


@frozen_record
class Source:
    """Files that an engine renders: a shared template or the app's own config. See `Render`.

    ``scope`` holds more than ``files`` only where these may refer to their neighbours.
    """

    scope: Tree
    folder: str
    label: str
    files: Tree
    template: TemplateSettings

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """The template's own values."""
        layer = read_layer(self.files, "values.yaml", named=f"{self.label}/values.yaml", lenient=True)
        return layer.values if layer else {}

    @cached_property
    def has_neighbours(self) -> bool:
        """Whether it may refer to files outside its own folder."""
        return _has_neighbours(self.files)

    @cached_property
    def id(self) -> str:
        """Identify all files that an engine may read: including the neighbours if it refers to any."""
        return self.scope.id if self.scope is not self.files and self.has_neighbours else self.files.id


def own_config(tree: Tree, folder: str) -> Source:
    """Return the app's own config in a release. Raises the errors of `check_input`."""
    source = unread(tree, folder)
    check_input(source.files, folder)
    return source


def unread(tree: Tree, folder: str) -> Source:
    """Return the app's own config in a release without checking its files: enough for its id."""
    files = tree.folder(folder)
    return Source(scope=files, folder="", label=folder, files=files, template=TemplateSettings())


def template_paths(targets: Iterable[tuple[AppRecord, str]]) -> list[str]:
    """Return the folders of these app-environments' current templates, without those that they may refer to."""
    names = {record.app.template for record, _ in targets} - {None}
    return [f"{TEMPLATES}/{name}" for name in sorted(map(str, names))]


def current_scope(tree: Tree) -> Tree:
    """Return the current version of all shared templates, which may refer to each other."""
    folder = tree.folder(TEMPLATES)
    versions = f"{VERSIONS.removeprefix(TEMPLATES)[1:]}/"
    current = folder.only(path for path in folder.paths() if not path.startswith(versions))
    prefetch(current)
    return safe_files(current)


def _has_neighbours(files: Tree) -> bool:
    contents = (files.read(path) for path in files.paths() if path.rsplit("/", 1)[-1] in _MAY_REFER)
    return any(b".." in text or b"file:" in text for text in contents)


def shared_template(tree: Tree, scope: Callable[[], Tree], name: str, version: str | None = None) -> Source:
    """Return a shared template: its current version or an older one.

    ``scope`` returns the `current_scope`; it is called only for a template that may refer to others.

    Raises ConfigError when the version is missing, and the errors of `check_input`.
    """
    root = TEMPLATES if version is None else f"{VERSIONS}/{version}"
    label = f"{root}/{name}"
    files = tree.folder(label)
    if not files.paths():
        raise ConfigError(
            f"folder {label} not found, but a release names it",
            where=Location(root),
            hint="restore it from git, roll the app back, or deliver it again",
        )
    if version is not None:
        prefetch(tree, [root])
    check_input(files, label)
    within = files
    if _has_neighbours(files):
        within = scope() if version is None else safe_files(tree.folder(root))
    return Source(scope=within, folder=name, label=label, files=files, template=load_template(tree, label))


def check_schema(source: Source, values: dict[str, Any]) -> None:
    """Check the values against the template's schema. Raises ConfigError."""
    import jsonschema  # noqa: PLC0415  only where a template has a schema
    from referencing.exceptions import Unresolvable  # noqa: PLC0415
    from referencing.jsonschema import EMPTY_REGISTRY  # noqa: PLC0415

    file = f"{source.label}/{source.template.values_schema}"
    path = str(source.template.values_schema)
    if path not in source.files:
        where = Location(f"{source.label}/template.yaml", 0, "values_schema")
        raise ConfigError(f"file {path} not found in the template", where=where)
    merged = without_nulls(merge_all([source.defaults, values]))
    try:
        schema = json.loads(source.files.read(path))
        if not isinstance(schema, dict):
            raise ConfigError("not a JSON Schema: expected an object", where=Location(file))
        # With this registry a reference to another file is an error: jsonschema would fetch it from the network.
        jsonschema.validate(merged, schema, registry=EMPTY_REGISTRY)
    except (Unresolvable, RecursionError, UnicodeDecodeError) as error:
        reason = str(error) if isinstance(error, Unresolvable) else type(error).__name__
        hint = "let each $ref lead to a definition in this file, and not back to itself; the file is UTF-8"
        raise ConfigError(f"cannot use this JSON Schema: {reason}", where=Location(file), hint=hint) from None
    except json.JSONDecodeError as error:
        raise ConfigError(f"not JSON: {error.msg}", where=Location(file, error.lineno)) from None
    except jsonschema.SchemaError as error:
        raise ConfigError(f"not a JSON Schema: {error.message}", where=Location(file)) from None
    except jsonschema.ValidationError as error:
        at = dotted(tuple(error.absolute_path)) or "the values"
        raise ConfigError(
            f"{at}: {error.message}", where=Location(file), hint="change the values to match this schema"
        ) from None


def version_of(source: Source) -> tuple[str, Tree]:
    """Return the id and the files of a copy of a shared template, including neighbours if it refers to any."""
    alone = {f"{source.folder}/{path}": source.files.blob(path) for path in source.files.paths()}
    files = source.scope if source.has_neighbours else Tree(alone)
    return git_tree_id(files), files


def kept(tree: Tree, version: str, files: Tree) -> Changes:
    """Return the changes that store a version for the releases that name it; none if it is stored already."""
    folder = f"{VERSIONS}/{version}"
    if tree.paths(folder):
        return {}
    return {f"{folder}/{path}": files.read(path) for path in files.paths()}


def dropped(tree: Tree, used: frozenset[str]) -> Changes:
    """Return the changes that delete all unused versions."""
    skip = len(VERSIONS) + 1
    return {path: None for path in tree.paths(VERSIONS) if path[skip:].split("/", 1)[0] not in used}


def git_tree_id(tree: Tree) -> str:
    """Return the id that git gives a folder with these files: what ``git rev-parse COMMIT:FOLDER`` prints.

    https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
    """
    folders: dict[str, dict[str, Blob]] = {}
    entries: list[tuple[bytes, bytes]] = []
    for path in tree.paths():
        name, slash, rest = path.partition("/")
        if slash:
            folders.setdefault(name, {})[rest] = tree.blob(path)
        else:
            entries.append((os.fsencode(name), _entry(tree.blob(path).mode, name, tree.blob(path).oid)))
    for name, blobs in folders.items():
        # git sorts a folder as if its name ended with a slash
        entries.append((os.fsencode(f"{name}/"), _entry("40000", name, git_tree_id(Tree(blobs)))))
    data = b"".join(entry for _, entry in sorted(entries))
    return object_id(b"tree", data)


def _entry(mode: str, name: str, oid: str) -> bytes:
    return mode.encode() + b" " + os.fsencode(name) + b"\0" + bytes.fromhex(oid)
