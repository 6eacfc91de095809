"""The engine's objects -> Kubernetes objects, each with a name and a place. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property, lru_cache
from sys import intern
from typing import TYPE_CHECKING, Any

from headgate.bounded import first_few
from headgate.errors import Location, ManifestError
from headgate.objects.kinds import DEFINITION, kind_name, scope_of, scopes_defined_by, unknown_kind
from headgate.objects.lookup import value_at
from headgate.records import frozen_record
from headgate.yamltext.write import write

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from headgate.engine.protocol import EngineObject
    from headgate.objects.kinds import Scope


@frozen_record
class ObjectName:
    """Which Kubernetes object it is, and the file that it came from."""

    group: str
    kind: str
    namespace: str
    name: str
    source: str = ""

    @cached_property  # asked for at every step
    def kind_name(self) -> str:
        """``Kind`` or ``Kind.group``."""
        return kind_name(self.group, self.kind)

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """Group, kind, namespace and name, which are unique in a cluster."""
        return self.group, self.kind, self.namespace, self.name

    def __str__(self) -> str:
        """Return kind, namespace and name."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def place(self) -> Location | None:
        """The file that it came from."""
        return _place(self.source)


def _place(source: str) -> Location | None:
    return Location(source) if source else None


@frozen_record
class Manifest(ObjectName):
    """A Kubernetes object. ``verbatim`` is its text if that must not change (SOPS), ``hook`` the events of a hook."""

    data: dict[str, Any]
    verbatim: str = ""
    hook: tuple[str, ...] = ()

    @property
    def without_data(self) -> ObjectName:
        """Which object it is, for who keeps that and not the whole of it: thousands share most of these words."""
        words = (self.group, self.kind, self.namespace, self.name, self.source)
        group, kind, namespace, name, source = map(intern, words)
        return ObjectName(group=group, kind=kind, namespace=namespace, name=name, source=source)


_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_MAX_NAME = 253


def manifests(objects: Iterable[EngineObject]) -> list[Manifest]:
    """Return the engine's objects as manifests, with their own namespaces.

    Raises ManifestError for an object without a valid name.
    """
    return [_manifest(parsed) for parsed in objects]


def _manifest(parsed: EngineObject) -> Manifest:
    data = parsed.data
    group, _, _ = data["apiVersion"].rpartition("/")
    kind, name = data["kind"], value_at(data, "metadata", "name")
    namespace = value_at(data, "metadata", "namespace") or ""
    if not isinstance(name, str):
        problem, hint = missing_name(kind, data.get("metadata"))
        raise ManifestError(problem, where=_place(parsed.source), hint=hint)
    check_name(name, kind, parsed.source)
    if not isinstance(namespace, str) or (namespace and not _is_namespace(namespace)):
        raise ManifestError(f"{kind} {name} has the invalid namespace {_shown(namespace)}", where=_place(parsed.source))
    return Manifest(
        group=group,
        kind=kind,
        namespace=namespace,
        name=name,
        data=data,
        source=parsed.source,
        verbatim=parsed.text,
        hook=parsed.hook,
    )


def missing_name(kind: str, metadata: Any) -> tuple[str, str]:
    """Return the problem of an object whose ``metadata.name`` is not a string, and the way out."""
    generated, name = value_at(metadata, "generateName"), value_at(metadata, "name")
    if isinstance(name, (bool, int, float)) and generated is None:
        return f"{kind} has the name {_shown(name)}, which is no string to Kubernetes", "put metadata.name in quotes"
    if not isinstance(generated, str):
        return f"{kind} has no name, expected metadata.name to be a string", ""
    return (
        f"{kind} has generateName ({_shown(generated)}) and no name: Flux cannot apply an object without a fixed name",
        "set metadata.name instead of generateName",
    )


def check_name(name: str, kind: str, source: str) -> None:
    """Refuse names that Kubernetes refuses for every kind.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#path-segment-names
    Raises ManifestError.
    """
    if not _is_name(name):
        raise ManifestError(
            f"{kind} has the invalid name {_shown(name)}",
            where=_place(source),
            hint="use at most 253 characters, without '/', '%' and control characters",
        )


@lru_cache(maxsize=65536)  # all objects of an app are called alike
def _is_name(name: str) -> bool:
    return name not in ("", ".", "..") and not {"/", "%"} & {*name} and name.isprintable() and len(name) <= _MAX_NAME


@lru_cache(maxsize=65536)
def _is_namespace(name: str) -> bool:
    return _NAMESPACE.fullmatch(name) is not None


def _shown(data: Any) -> str:
    text = "nothing" if data is None else " ".join(write(data).split())
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004


@frozen_record(kw_only=False)
class ScopedObjects:
    """Objects in their namespaces, each with its scope, or None if that is unknown."""

    scoped: tuple[tuple[Manifest, Scope | None], ...]
    warnings: tuple[str, ...]

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """The objects alone."""
        return tuple(manifest for manifest, _ in self.scoped)


def with_namespace(
    manifests: Sequence[Manifest],
    namespace: str,
    configured: Mapping[str, Scope],
    *,
    own_config: bool,
    allowed: Collection[str],
) -> ScopedObjects:
    """Set the namespace of namespaced objects that lack it, and clear it on cluster-scoped objects.

    ``configured`` is ``scopes`` of headgate.yaml. CRDs among the objects define scopes too; those of an app's own
    config only if ``allow.kinds`` (``allowed``) has CRDs.

    Raises ManifestError for an object without namespace of a kind with unknown scope.
    """
    may_define = not own_config or DEFINITION in allowed
    definitions = (manifest.data for manifest in manifests if may_define and manifest.kind_name == DEFINITION)
    defined = scopes_defined_by(definitions)
    scopes = [scope_of(manifest.kind_name, configured, defined) for manifest in manifests]
    pairs = list(zip(manifests, scopes, strict=True))
    cleared = [str(manifest) for manifest, scope in pairs if scope == "cluster" and manifest.namespace]
    warning = f"removed the namespace of cluster-scoped objects: {', '.join(first_few(cleared))}"
    return ScopedObjects(
        tuple((_with_namespace(manifest, scope, namespace), scope) for manifest, scope in pairs),
        (warning,) if cleared else (),
    )


def _with_namespace(manifest: Manifest, scope: Scope | None, namespace: str) -> Manifest:
    if scope == "cluster":
        return _without_namespace(manifest)
    if manifest.namespace:
        return manifest
    if scope is None:
        unknown = unknown_kind(manifest.kind_name)
        if unknown:
            raise ManifestError(f"{manifest}: {unknown}", where=manifest.place, hint="correct kind and apiVersion")
        raise ManifestError(
            f"{manifest} has no namespace, and the scope of {manifest.kind_name} is unknown",
            where=manifest.place,
            hint=f"set it in headgate.yaml: scopes: {{{manifest.kind_name}: namespace}} (or cluster)",
        )
    if manifest.verbatim:
        raise ManifestError(
            f"cannot set the namespace of {manifest}: it is encrypted",
            where=manifest.place,
            hint="add metadata.namespace and encrypt it again",
        )
    data = {**manifest.data, "metadata": {**manifest.data["metadata"], "namespace": namespace}}
    return replace(manifest, namespace=namespace, data=data)


def _without_namespace(manifest: Manifest) -> Manifest:
    """Clear the namespace, as the API server does with a cluster-scoped object."""
    if not manifest.namespace:
        return manifest
    if manifest.verbatim:
        raise ManifestError(
            f"cannot remove the namespace of {manifest}, which is cluster-scoped: it is encrypted",
            where=manifest.place,
            hint="remove metadata.namespace and encrypt it again",
        )
    metadata = {key: value for key, value in manifest.data["metadata"].items() if key != "namespace"}
    return replace(manifest, namespace="", data={**manifest.data, "metadata": metadata})
