"""Flux's own objects in a repository: sources, Kustomizations and HelmReleases. Pure."""

from __future__ import annotations

import posixpath
import re
from dataclasses import field
from typing import TYPE_CHECKING, Any

from headgate.engine.reading import documents
from headgate.errors import HeadgateError
from headgate.objects.lookup import map_at, value_at
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headgate.repository.tree import Tree

GROUPS = ".toolkit.fluxcd.io"
_CARRIED = ("patches", "images", "namePrefix", "nameSuffix")
"""The fields of a Flux Kustomization that a kustomization.yaml has too."""
_NOT_CARRIED = ("components", "commonMetadata")
_VARIABLE = re.compile(rb"\$\{[A-Za-z_]")


@frozen_record
class FluxKustomization:
    """A Flux Kustomization: its file, the folder that it applies, and its changes to that."""

    name: str
    file: str
    path: str
    spec: Mapping[str, Any] = field(compare=False, hash=False)

    @property
    def is_own(self) -> bool:
        """Whether it is Flux's own, which `flux bootstrap` made."""
        return self.name == "flux-system"

    @property
    def carried(self) -> dict[str, Any]:
        """Its changes, as fields of a kustomization.yaml."""
        fields = {name: self.spec[name] for name in _CARRIED if self.spec.get(name)}
        namespace = self.spec.get("targetNamespace")
        return {**fields, **({"namespace": namespace} if namespace else {})}

    def problem(self, texts: Iterator[bytes]) -> str:
        """Return why its result cannot be rendered without it; empty if it can. ``texts`` are the applied files."""
        for name in _NOT_CARRIED:
            if self.spec.get(name):
                return f"the Kustomization {self.name} has '{name}': write that into a kustomization.yaml first"
        if self.spec.get("postBuild") and any(_VARIABLE.search(text) for text in texts):
            return (
                f"the Kustomization {self.name} fills variables in (postBuild), and Headgate has none: write values or "
                "patches in their place first"
            )
        return ""


def flux_objects(tree: Tree) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of Flux in a repository, with their files; those that are in charts are none."""
    for path in tree.paths():
        if (
            path.endswith((".yaml", ".yml"))
            and "flux-system/gotk-components" not in path
            and b".toolkit." in (data := tree.read(path))
        ):
            try:
                found = [document.data for document in documents(data, path)]
            except HeadgateError:
                continue  # a template of a chart
            for each in found:
                if isinstance(each, dict) and is_flux(str(each.get("apiVersion", ""))):
                    yield path, each


def is_flux(api_version: str) -> bool:
    """Whether an object is Flux's own."""
    return api_version.partition("/")[0].endswith(GROUPS)


def flux_kustomizations(tree: Tree) -> list[FluxKustomization]:
    """Return the Kustomizations that apply a folder of a repository."""
    return [
        FluxKustomization(
            name=str(value_at(data, "metadata", "name") or ""),
            file=path,
            path=_folder(str(value_at(data, "spec", "path") or "")),
            spec=map_at(data, "spec"),
        )
        for path, data in flux_objects(tree)
        if data.get("kind") == "Kustomization" and str(data["apiVersion"]).startswith("kustomize.")
    ]


def _folder(path: str) -> str:
    folder = posixpath.normpath(path or ".").lstrip("/")
    return "" if folder == "." else folder


_MARKER = re.compile(rb'#\s*\{\s*"\$imagepolicy"\s*:\s*"(?P<namespace>[^":]+):(?P<policy>[^":]+)(?::[a-z]+)?"\s*\}')


def marked_policies(data: bytes) -> list[str]:
    """Return the image policies in a file's markers, as Flux's image automation reads them."""
    found = (f"{match['namespace'].decode()}/{match['policy'].decode()}" for match in _MARKER.finditer(data))
    return list(dict.fromkeys(found))


def policy_images(tree: Tree) -> dict[str, str]:
    """Return the image repository of each image policy, ``NAMESPACE/NAME``, as far as the repository has it."""
    found = list(flux_objects(tree))
    images: dict[str, str] = {}
    named = [(str(value_at(data, "metadata", "namespace") or ""), data) for _, data in found]
    for namespace, data in named:
        if data.get("kind") == "ImageRepository":
            images[f"{namespace}/{value_at(data, 'metadata', 'name')}"] = str(value_at(data, "spec", "image") or "")
    policies = {}
    for namespace, data in named:
        if data.get("kind") == "ImagePolicy":
            ref = map_at(map_at(data, "spec"), "imageRepositoryRef")
            key = f"{ref.get('namespace') or namespace}/{ref.get('name')}"
            if images.get(key):
                policies[f"{namespace}/{value_at(data, 'metadata', 'name')}"] = images[key]
    return policies
