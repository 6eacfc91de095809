"""One identity once per cluster, over all apps. Read from the names of output files, so that none is opened. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.errors import HeadgateError, ManifestError
from headgate.kinds import CLUSTER, NAMESPACED
from headgate.manifest import Rendered, file_name, manifests
from headgate.output import RECORD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.config import Configuration
    from headgate.manifest import Manifest
    from headgate.tree import Tree

Claim = tuple[str, str, str]
"""Cluster, namespace (empty for the cluster's own objects) and file name without its namespace."""

Owner = tuple[str, str]
"""App and environment."""


def conflicts(
    configuration: Configuration, tree: Tree, hydrated: Mapping[Owner, Sequence[Manifest]]
) -> dict[Owner, ManifestError]:
    """Return an error for each hydrated app-environment that renders an object that another one has.

    Who has the object in the tree already keeps it; where nobody does, all who claim it fail.
    """
    before = _claims_in_tree(configuration, tree)
    holders: dict[Claim, set[Owner]] = {}
    for owner, claims in before.items():
        if owner not in hydrated:
            for claim in claims:
                holders.setdefault(claim, set()).add(owner)
    objects: dict[tuple[Owner, Claim], Manifest] = {}
    for owner, found in hydrated.items():
        for manifest in found:
            claim = (
                configuration.cluster(owner[1]),
                manifest.namespace,
                file_name(manifest, manifest.namespace),
            )
            holders.setdefault(claim, set()).add(owner)
            objects[owner, claim] = manifest
    errors: dict[Owner, ManifestError] = {}
    for claim, owners in holders.items():
        if len(owners) > 1:
            keeping = [owner for owner in owners if claim in before.get(owner, ())]
            for owner in sorted(owners & hydrated.keys()):
                if [owner] != keeping:
                    others = ", ".join(f"{app} in {environment}" for app, environment in sorted(owners - {owner}))
                    manifest = objects[owner, claim]
                    errors.setdefault(owner, _twice(manifest, claim[0], others))
    return errors


def _twice(manifest: Manifest, cluster: str, others: str) -> ManifestError:
    return ManifestError(
        f"{manifest} would be twice in the cluster '{cluster}': {others} has it too",
        where=manifest.place,
        hint="rename it, or give the app another namespace",
    )


def _claims_in_tree(configuration: Configuration, tree: Tree) -> dict[Owner, set[Claim]]:
    claims: dict[Owner, set[Claim]] = {}
    for record, environment in configuration.pairs():
        folder = configuration.output_folder(record.name, environment)
        owner = (record.name, environment)
        for path in tree.paths(folder):
            file = path[len(folder) + 1 :]
            if file.endswith(".yaml") and "/" not in file and f"{folder}/{RECORD}" in tree:
                namespace, name = _namespace_of(tree, path, file, record.namespace(environment), configuration)
                claims.setdefault(owner, set()).add((configuration.cluster(environment), namespace, name))
    return claims


def _namespace_of(tree: Tree, path: str, file: str, namespace: str, configuration: Configuration) -> tuple[str, str]:
    stem, at, elsewhere = file.removesuffix(".yaml").partition("@")
    if at:
        return elsewhere, f"{stem}.yaml"
    scope = _scope_of_file(stem, configuration)
    if scope is None:  # a kind that nobody knows: only here the object itself is read
        try:
            found = manifests([Rendered(tree.read(path).decode("utf-8", "replace"))])
        except HeadgateError:
            found = []
        scope = "namespace" if not found or found[0].namespace else "cluster"
    return (namespace if scope == "namespace" else ""), f"{stem}.yaml"


_SCOPES = {
    **{name.lower(): "cluster" for name in CLUSTER},
    **{name.lower(): "namespace" for name in NAMESPACED},
}


def _scope_of_file(stem: str, configuration: Configuration) -> str | None:
    """Tell the scope from the beginning of the name; groups may hold dashes, so every dash may end it."""
    configured = {name.lower(): scope for name, scope in configuration.settings.scopes.items()}
    position = stem.find("-")
    while position > 0:
        kind = stem[:position]
        scope = configured.get(kind) or _SCOPES.get(kind)
        if scope:
            return scope
        position = stem.find("-", position + 1)
    return None
