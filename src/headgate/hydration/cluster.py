"""Each object belongs to one app per cluster. Read from the names of output files, without opening them. Pure."""

from __future__ import annotations

from contextlib import suppress
from itertools import chain, product
from types import MappingProxyType
from typing import TYPE_CHECKING

from headgate.engine import reading
from headgate.errors import HeadgateError, ManifestError
from headgate.hydration.record import RECORD, read_record
from headgate.objects.canonical import file_name
from headgate.objects.kinds import DEFINITION, KUBERNETES, THIRD_PARTY
from headgate.objects.manifest import manifests
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from headgate.configuration import Configuration, Owner
    from headgate.hydration.plan import Planned
    from headgate.objects.kinds import Scope
    from headgate.objects.manifest import ObjectName
    from headgate.repository.tree import Tree

Claim = tuple[str, str, str]
"""Cluster, namespace (empty for the cluster's own objects) and file name without its namespace."""


def conflicts(
    configuration: Configuration,
    tree: Tree,
    hydrated: Mapping[Owner, Sequence[ObjectName]],
    standing: Mapping[Owner, AbstractSet[str]] = MappingProxyType({}),
) -> dict[Owner, ManifestError]:
    """Return an error for each hydrated app-environment with an object that another one has.

    The owner of the object in the tree keeps it; without one, all app-environments with the object fail. ``standing``
    are file names of objects that need no search of all other apps' folders (`standing_files`).
    """
    names = {
        file_name(manifest, manifest.namespace)
        for owner, rendered in hydrated.items()
        for manifest in rendered
        if file_name(manifest, configuration.apps[owner[0]].namespace(owner[1])) not in standing.get(owner, ())
    }
    before = _claims_in_tree(configuration, tree, names) if names else {}
    errors: dict[Owner, ManifestError] = {}
    for claim, owners in _shared_claims(configuration, hydrated, before):
        keeping = [owner for owner in owners if claim in before.get(owner, ())]
        for owner in sorted(owners & hydrated.keys()):
            if [owner] != keeping:
                others = ", ".join(f"{app} in {environment}" for app, environment in sorted(owners - {owner}))
                named = [name for name in hydrated[owner] if _claim(claim[0], name) == claim]
                errors.setdefault(owner, _twice(named[-1], claim[0], others))
    return errors


def _claim(cluster: str, name: ObjectName) -> Claim:
    return cluster, name.namespace, file_name(name, name.namespace)


def _shared_claims(
    configuration: Configuration, hydrated: Mapping[Owner, Sequence[ObjectName]], before: Mapping[Owner, set[Claim]]
) -> Iterator[tuple[Claim, set[Owner]]]:
    """Yield the objects that several app-environments have, with these."""
    first: dict[Claim, Owner] = {}  # most have one owner, for which a set would take too much memory
    shared: dict[Claim, set[Owner]] = {}
    landed = ((claim, owner) for owner, claims in before.items() if owner not in hydrated for claim in claims)
    rendered = (
        (_claim(cluster, name), owner)
        for owner, names in hydrated.items()
        for cluster, name in product(sorted(configuration.clusters(owner[1])), names)
    )
    for claim, owner in chain(landed, rendered):
        other = first.setdefault(claim, owner)
        if other != owner:
            shared.setdefault(claim, {other}).add(owner)
    return ((claim, shared[claim]) for claim in first if claim in shared)


def standing_files(
    tree: Tree, configuration: Configuration, plans: Iterable[Planned], trusts: Callable[[Tree, str], bool]
) -> dict[Owner, AbstractSet[str]]:
    """Return the names of files that app-environments have already: no other had their objects when they came.

    Except those whose namespace may have differed then, and those in a shared cluster.
    ``trusts`` says whether the record in a folder may be believed.
    """
    standing: dict[Owner, AbstractSet[str]] = {}
    for plan in plans:
        folder = configuration.output_folder(plan.record.name, plan.environment)
        if _has_own_clusters(configuration, plan.environment) and trusts(tree, folder):
            with suppress(HeadgateError):  # the comparison of the output reports an unreadable record
                record = read_record(tree, folder)
                if record.sources.get("settings") == plan.sources.get("settings", ""):
                    files = frozenset(file for file in record.files if f"{folder}/{file}" in tree)
                    standing[plan.record.name, plan.environment] = files
    return standing


def _has_own_clusters(configuration: Configuration, environment: str) -> bool:
    own = configuration.clusters(environment)
    return not any(
        own & configuration.clusters(name) for name in configuration.settings.environments if name != environment
    )


def _twice(manifest: ObjectName, cluster: str, others: str) -> ManifestError:
    return ManifestError(
        f"{manifest} would exist twice in cluster '{cluster}': {others} has it too",
        where=manifest.place,
        hint=_way_out(manifest),
    )


def _way_out(manifest: ObjectName) -> str:
    """Return how to make an object unique, which depends on who chooses its name."""
    if manifest.namespace:
        return "rename it, or set another namespace for the app"
    source = manifest.source or "it"
    if manifest.kind_name == DEFINITION and "/crds/" in f"/{source}":
        return (
            f"only one app per cluster can own a CRD: delete {source} from the vendored chart of one of them, "
            "or disable the subchart that contains it with a value"
        )
    if manifest.kind_name == DEFINITION:
        return (
            "only one app per cluster can own a CRD: disable CRDs with a value of the chart of one of them "
            f"(often crds.enabled or installCRDs), or remove {source} from one"
        )
    if manifest.kind_name == "Namespace":
        return f"only one app per cluster can own a namespace: remove {source} from the others"
    return (
        "its name is unique in the whole cluster, since it has no namespace: rename it in one of them with a value of "
        "the chart (often fullnameOverride), with namePrefix in a kustomization, or by renaming the app, which names "
        "its Helm release"
    )


def _claims_in_tree(configuration: Configuration, tree: Tree, names: AbstractSet[str]) -> dict[Owner, set[Claim]]:
    """Return the owners of objects in files with these names. Reads nothing of other apps."""
    files = _files_named(configuration, tree, names)
    prefetch(tree, [path for paths in files.values() for path in paths if _needs_content(path, configuration)])
    claims: dict[Owner, set[Claim]] = {}
    for (app, environment), paths in files.items():
        record = configuration.apps.get(app)
        if record is not None and environment in record.environments(configuration.settings):
            for path in paths:
                namespace, name = _namespace_of(tree, path, record.namespace(environment), configuration)
                here = {(cluster, namespace, name) for cluster in configuration.clusters(environment)}
                claims.setdefault((app, environment), set()).update(here)
    return claims


def _files_named(configuration: Configuration, tree: Tree, names: AbstractSet[str]) -> dict[Owner, list[str]]:
    """Return the paths of Headgate's files with these names (without the namespace), by app and environment."""
    matching: dict[Owner, list[str]] = {}
    owners = product(configuration.apps.names, configuration.settings.environments)
    folders = {owner: configuration.output_folder(*owner) for owner in owners}
    tree.look_up(folders.values())
    for owner, folder in folders.items():
        files = [path[len(folder) + 1 :] for path in tree.paths(folder)] if f"{folder}/{RECORD}" in tree else []
        named = [file for file in files if "/" not in file and file.endswith(".yaml") and _name(file) in names]
        if named:
            matching[owner] = [f"{folder}/{file}" for file in named]
    return matching


def _name(file: str) -> str:
    return f"{file.removesuffix('.yaml').partition('@')[0]}.yaml"


def _needs_content(path: str, configuration: Configuration) -> bool:
    stem = path.rsplit("/", 1)[1].removesuffix(".yaml")
    return "@" not in stem and _scope_of_file(stem, configuration) is None


def _namespace_of(tree: Tree, path: str, namespace: str, configuration: Configuration) -> tuple[str, str]:
    stem, at, elsewhere = path.rsplit("/", 1)[1].removesuffix(".yaml").partition("@")
    if at:
        return elsewhere, f"{stem}.yaml"
    scope = _scope_of_file(stem, configuration)
    if scope is None:  # an unknown kind: read the object
        try:
            parsed = manifests(reading.objects(tree.read(path), path))
        except HeadgateError:
            parsed = []
        scope = "namespace" if not parsed or parsed[0].namespace else "cluster"
    return (namespace if scope == "namespace" else ""), f"{stem}.yaml"


def _by_lower_case(scopes: Mapping[str, Scope]) -> dict[str, Scope]:
    return {name.lower(): scope for name, scope in scopes.items()}


_KUBERNETES, _THIRD_PARTY = _by_lower_case(KUBERNETES), _by_lower_case(THIRD_PARTY)


def _scope_of_file(stem: str, configuration: Configuration) -> str | None:
    """Return the scope of the kind at the beginning of a name; groups may contain dashes, so try each dash."""
    configured = _by_lower_case(configuration.settings.scopes)
    position = stem.find("-")
    while position > 0:
        kind = stem[:position]
        scope = _KUBERNETES.get(kind) or configured.get(kind) or _THIRD_PARTY.get(kind)
        if scope:
            return scope
        position = stem.find("-", position + 1)
    return None
