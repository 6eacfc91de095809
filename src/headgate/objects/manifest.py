"""Rendered text -> Kubernetes objects, each with a name and a place. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from headgate.errors import ManifestError, Place, YamlError, first_few
from headgate.objects.encrypted import is_encrypted, unchanged
from headgate.objects.kinds import DEFINITION, kind_name, scope_of, scopes_defined_by
from headgate.yamltext.fill import filled
from headgate.yamltext.read import read, with_strings
from headgate.yamltext.scalar import NULL, Plain
from headgate.yamltext.write import write

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from headgate.objects.kinds import Scope


@dataclass(frozen=True)
class Rendered:
    """Text that an engine printed: one or more YAML documents.

    ``source`` is the file it came from, when that is known. ``strings`` are values that the engine put
    in by number (see `render.jinja`), so that they cannot break out of their scalar.
    """

    text: str
    source: str = ""
    strings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """One Kubernetes object. ``verbatim`` is its text where that must not change (SOPS), else empty."""

    group: str
    kind: str
    namespace: str
    name: str
    data: dict[Any, Any]
    source: str = ""
    verbatim: str = ""

    @property
    def kind_name(self) -> str:
        """``Kind`` or ``Kind.group``."""
        return kind_name(self.group, self.kind)

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What is unique in a cluster: group, kind, namespace, name."""
        return self.group, self.kind, self.namespace, self.name

    def __str__(self) -> str:
        """Name the object as people do."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def place(self) -> Place | None:
        """Where it came from."""
        return Place(self.source) if self.source else None


_DOCUMENT = re.compile(r"^---(?=[ \t\r\n]|$)[ \t]*", re.MULTILINE)
_CONTENT = re.compile(r"^[ \t]*[^\s#%]", re.MULTILINE)  # more than comments and directives
_SOURCE = re.compile(r"^# Source: (\S+)\r?$", re.MULTILINE)  # Helm writes it above each document


def split(text: str) -> Iterator[tuple[str, int]]:
    """Yield the documents of a stream and the line that each begins on. A ``---`` at a line's start is never
    part of a value: https://yaml.org/spec/1.2.2/#914-explicit-documents.
    """
    position, line = 0, 1
    for match in _DOCUMENT.finditer(text):
        part = text[position : match.start()]
        if _CONTENT.search(part):
            yield part, line
        line += text.count("\n", position, match.end())
        position = match.end()
    if _CONTENT.search(text[position:]):
        yield text[position:], line


def manifests(rendered: Iterable[Rendered]) -> list[Manifest]:
    """Read the objects of what an engine printed; lists are unfolded, namespaces are as they stand there.

    Raises YamlError for what is not YAML, ManifestError for what is not a Kubernetes object.
    """
    found: list[Manifest] = []
    for text in rendered:
        for document, first_line in split(text.text):
            match = _SOURCE.search(document)
            source = match[1] if match else text.source
            for data in _objects(document, first_line, source, text):
                manifest = _manifest(data, source)
                if is_encrypted(data):
                    kept = unchanged(with_strings(document, text.strings), data, str(manifest), manifest.place)
                    manifest = replace(manifest, verbatim=kept)
                found.append(manifest)
    return found


def _objects(document: str, first_line: int, source: str, rendered: Rendered) -> Iterator[dict[Any, Any]]:
    known = filled(document, rendered.strings) if rendered.strings else None
    for data in _read(document, first_line, source, rendered) if known is None else known:
        yield from _unfold(data, source)


def _read(document: str, first_line: int, source: str, rendered: Rendered) -> list[Any]:
    try:
        return [one.data for one in read(document, source, strings=rendered.strings)]
    except YamlError as error:
        line = (error.where.line if error.where else 1) + first_line - 1
        shown = _excerpt(rendered, line)
        raise YamlError(f"rendered text is {error.what}{shown}", where=Place(source or "rendered text")) from None


def _excerpt(rendered: Rendered, line: int) -> str:
    lines = rendered.text.split("\n")
    if not 0 < line <= len(lines):
        return ""
    shown = with_strings(lines[line - 1], rendered.strings).strip()[:120]
    return f"\n    line {line}: {shown.encode('utf-8', 'replace').decode()}"


def _unfold(data: Any, source: str) -> Iterator[dict[Any, Any]]:
    if not isinstance(data, dict):
        raise ManifestError(
            f"expected a Kubernetes object, found {_shown(data)}", where=Place(source) if source else None
        )
    kind, items = data.get("kind"), data.get("items")
    if isinstance(kind, str) and kind.endswith("List") and (isinstance(items, list) or items == NULL):
        if "sops" in data or any("sops" in item for item in _list(items) if isinstance(item, dict)):
            raise ManifestError(
                f"{kind} holds encrypted objects, which cannot be taken out of it unchanged",
                where=Place(source) if source else None,
                hint="encrypt each object in a document of its own",
            )
        for item in _list(items):
            of_list = {"apiVersion": data.get("apiVersion"), "kind": kind.removesuffix("List")}
            yield from _unfold({**of_list, **item} if kind != "List" and isinstance(item, dict) else item, source)
    else:
        yield data


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _shown(data: Any) -> str:
    text = "nothing" if data is None else " ".join(write(data).split())
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004


# https://kubernetes.io/docs/reference/using-api/#api-groups
_API_VERSION = re.compile(r"(?:(?P<group>[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)/)?v[a-z0-9]+")
_KIND = re.compile(r"[A-Z][A-Za-z0-9]*")
_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_MAX_NAME = 253


def _manifest(data: dict[Any, Any], source: str) -> Manifest:
    where = Place(source) if source else None
    api_version, kind = data.get("apiVersion"), data.get("kind")
    match = _API_VERSION.fullmatch(api_version) if isinstance(api_version, str) else None
    if match is None or not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise ManifestError(
            f"not a Kubernetes object: apiVersion {_shown(api_version)}, kind {_shown(kind)}",
            where=where,
            hint=f"the document begins with: {_shown(dict(list(data.items())[:2]))}",
        )
    metadata = data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    namespace = metadata.get("namespace", "") if isinstance(metadata, dict) else ""
    if not isinstance(name, str):
        what, hint = missing_name(kind, metadata)
        raise ManifestError(what, where=where, hint=hint)
    check_name(name, kind, where)
    if isinstance(namespace, Plain) and namespace.text == "null":
        namespace = ""
    if not isinstance(namespace, str) or (namespace and not _NAMESPACE.fullmatch(namespace)):
        raise ManifestError(f"{kind} {name} has the namespace {_shown(namespace)}, which is not valid", where=where)
    return Manifest(match["group"] or "", kind, namespace, name, data, source)


def missing_name(kind: str, metadata: Any) -> tuple[str, str]:
    """Return what is wrong with an object whose ``metadata.name`` is no string, and the way out."""
    generated = metadata.get("generateName") if isinstance(metadata, dict) else None
    if not isinstance(generated, str):
        return f"{kind} has no name, expected metadata.name to be a string", ""
    return (
        f"{kind} has generateName ({_shown(generated)}) and no name: Flux cannot apply an object without a fixed name",
        "set metadata.name in place of generateName",
    )


def check_name(name: str, kind: str, where: Place | None) -> None:
    """Refuse names that Kubernetes refuses for every kind.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#path-segment-names
    Raises ManifestError.
    """
    if name in ("", ".", "..") or "/" in name or "%" in name or not name.isprintable() or len(name) > _MAX_NAME:
        raise ManifestError(
            f"{kind} has the name {_shown(name)}, which is not valid",
            where=where,
            hint="names have no '/', '%' or control characters and at most 253 characters",
        )


@dataclass(frozen=True)
class Placed:
    """Objects in their namespaces, each with its scope, which is None when nobody knows it."""

    scoped: tuple[tuple[Manifest, Scope | None], ...]
    warnings: tuple[str, ...]

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """The objects alone."""
        return tuple(manifest for manifest, _ in self.scoped)


def with_namespace(
    found: Sequence[Manifest],
    namespace: str,
    configured: Mapping[str, Scope],
    *,
    own_config: bool,
    allowed: Collection[str],
) -> Placed:
    """Fill the namespace in where a namespaced object lacks it, and clear it on cluster-scoped objects.

    ``configured`` is ``scopes`` in headgate.yaml. CRDs among the objects define scopes too; those of an app's own
    config only when its ``allow.kinds`` (``allowed``) has CRDs.

    Raises ManifestError where an object without namespace is of a kind whose scope nobody knows.
    """
    may_define = not own_config or DEFINITION in allowed
    definitions = (manifest.data for manifest in found if may_define and manifest.kind_name == DEFINITION)
    defined = scopes_defined_by(definitions)
    scopes = [scope_of(manifest.kind_name, configured, defined) for manifest in found]
    pairs = list(zip(found, scopes, strict=True))
    cleared = [str(manifest) for manifest, scope in pairs if scope == "cluster" and manifest.namespace]
    warning = f"a cluster-scoped object has no namespace, so it is left out: {', '.join(first_few(cleared))}"
    return Placed(
        tuple((_with_namespace(manifest, scope, namespace), scope) for manifest, scope in pairs),
        (warning,) if cleared else (),
    )


def _with_namespace(manifest: Manifest, scope: Scope | None, namespace: str) -> Manifest:
    if scope == "cluster":
        return _without_namespace(manifest)
    if manifest.namespace:
        return manifest
    if scope is None:
        raise ManifestError(
            f"{manifest} has no namespace, and whether a {manifest.kind_name} needs one is not known",
            where=manifest.place,
            hint=f"say so in headgate.yaml: scopes: {{{manifest.kind_name}: namespace}} (or cluster)",
        )
    if manifest.verbatim:
        raise ManifestError(
            f"{manifest} is encrypted and has no namespace, which cannot be filled in",
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
            f"{manifest} is cluster-scoped and encrypted, so its namespace cannot be left out",
            where=manifest.place,
            hint="remove metadata.namespace and encrypt it again",
        )
    metadata = {key: value for key, value in manifest.data["metadata"].items() if key != "namespace"}
    return replace(manifest, namespace="", data={**manifest.data, "metadata": metadata})
