"""Compares the final YAML that Headgate would write with what runs today, object by object and byte by byte. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headgate.adoption.choices import OpenQuestionError
from headgate.engine import reading
from headgate.errors import ArgumentError
from headgate.hydration.object_changes import ObjectChange, compared_objects
from headgate.hydration.record import RECORD
from headgate.objects.canonical import to_files
from headgate.objects.images import find_reference, uses
from headgate.objects.kinds import scope_of
from headgate.objects.manifest import manifests, with_namespace
from headgate.records import frozen_record
from headgate.repository.tree import MemoryBlob, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from headgate.adoption.choices import Choices
    from headgate.adoption.sources import CurrentApp
    from headgate.configuration import Configuration
    from headgate.objects.kinds import Scope
    from headgate.objects.manifest import Manifest
    from headgate.repository.tree import Changes


@frozen_record
class ObjectDifference:
    """An object that would differ from today, and the reason as far as it is known."""

    app: str
    environment: str
    change: ObjectChange
    reason: str


@frozen_record
class AppProof:
    """An app in an environment: the numbers of objects and bytes today, and the differences."""

    app: str
    environment: str
    source: str
    namespace: str
    objects: int
    bytes: int
    differences: tuple[ObjectDifference, ...] = ()


def with_namespaces(apps: Iterable[CurrentApp], choices: Choices, scopes: Mapping[str, Scope]) -> Iterator[CurrentApp]:
    """Yield the apps with the namespaces of their objects. Raises OpenQuestionError if no file has one."""
    for app in apps:
        said = choices.namespaces.get(app.app) or choices.namespaces.get("") or ""
        namespace = app.namespace or said.replace("{environment}", app.environment)
        lacking = [
            manifest
            for manifest in app.manifests
            if not manifest.namespace and scope_of(manifest.kind_name, scopes, {}) != "cluster"
        ]
        if lacking and not namespace:
            raise OpenQuestionError(
                f"no object of '{app.app}' in {app.environment} names its namespace, and {lacking[0]} needs one",
                "--namespace",
                f"{app.app}=NAMESPACE",
                prefix=f"{app.app}=",
            )
        yield replace(app, namespace=namespace or app.app)


def files_of_today(app: CurrentApp, choices: Choices, scopes: Mapping[str, Scope]) -> dict[str, bytes]:
    """Return today's objects in Headgate's spelling, by file: as other programs rendered them, where that is given.

    Raises ArgumentError where these lack the app.
    """
    own: Sequence[Manifest] = app.manifests
    if choices.today is not None:
        own = _rendered_elsewhere(choices.today, app)
    placed = with_namespace(list(own), app.namespace, scopes, own_config=False, allowed=())
    return to_files(placed.manifests, app.namespace)


def _rendered_elsewhere(today: Tree, app: CurrentApp) -> list[Manifest]:
    folder = f"{app.environment}/{app.app}"
    paths = [f"{folder}.yaml"] if f"{folder}.yaml" in today else today.paths(folder)
    found = [manifest for path in paths for manifest in manifests(reading.objects(today.read(path), path))]
    if not found:
        raise ArgumentError(
            f"the folder of --today has no YAML of '{app.app}' in {app.environment}",
            hint=f"write what 'flux build', 'helm template' or 'kustomize build' prints to {folder}.yaml there",
        )
    return found


def compare(app: CurrentApp, today: Mapping[str, bytes], final: Tree, configuration: Configuration) -> AppProof:
    """Compare an app's final YAML in a tree with today's."""
    folder = configuration.output_folder(app.app, app.environment)
    before = Tree({f"{folder}/{name}": MemoryBlob(data) for name, data in today.items()})
    after = {path: final.read(path) for path in final.paths(folder) if not path.endswith(f"/{RECORD}")}
    what: Changes = {path: None for path in before.paths() if path not in after}
    what |= {path: data for path, data in after.items() if path not in before or before.read(path) != data}
    workloads = configuration.settings.workloads
    hooks = {(manifest.kind_name, manifest.name) for manifest in app.manifests if manifest.hook}
    differences = [
        ObjectDifference(
            app=app.app,
            environment=app.environment,
            change=found.change,
            reason=_reason(found.old, found.new, hooks),
        )
        for found in compared_objects(before, folder, what, workloads=workloads)
    ]
    return AppProof(
        app=app.app,
        environment=app.environment,
        source=app.folder,
        namespace=app.namespace,
        objects=len(today),
        bytes=sum(map(len, today.values())),
        differences=tuple(differences),
    )


def _reason(old: Manifest | None, new: Manifest | None, hooks: set[tuple[str, str]]) -> str:
    if old is not None and (old.kind_name, old.name) in hooks:
        return "a Helm hook, which Helm runs by itself and Flux's Kustomization does not"
    if new is not None and any(new.kind_name == kind and new.name.startswith(f"{name}-") for kind, name in hooks):
        return "a Helm hook that is kept: applied with the rest, with a hash of its content in its name"
    if old is not None and new is not None and _only_digests(old, new):
        return "the image is the same, with the digest that the release records"
    return "unknown: compare the object with its source"


def _only_digests(before: Manifest, after: Manifest) -> bool:
    pairs = list(zip(uses(before, {}), uses(after, {}), strict=False))
    references = [(find_reference(str(left.text)), find_reference(str(right.text))) for left, right in pairs]
    changed = [pair for pair in references if pair[0] != pair[1]]
    return bool(changed) and all(
        left and right and replace(right, digest=left.digest) == left for left, right in changed
    )
