"""Rendered objects -> the checked objects and files of an app in an environment. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.errors import GuardError, ImageError, Location
from headgate.flux.files import writes_flux_objects
from headgate.flux.objects import with_data_kept
from headgate.notice import Notice
from headgate.objects.canonical import to_files
from headgate.objects.check import check_allowed
from headgate.objects.hooks import with_suffixes, without_hooks
from headgate.objects.images import set_digests
from headgate.objects.manifest import manifests, with_namespace
from headgate.objects.packed import PackedManifests
from headgate.records import frozen_record
from headgate.repository.tree import MAX_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.configuration import Configuration
    from headgate.errors import HeadgateError
    from headgate.hydration.plan import Planned
    from headgate.render.protocol import Result
    from headgate.repository.tree import Tree


@frozen_record
class Hydrated:
    """Objects of one app in one environment, not yet compared with the output folder."""

    planned: Planned
    manifests: PackedManifests
    files: Mapping[str, bytes]
    used_images: frozenset[str]
    warnings: tuple[Notice, ...]


class RenderCache:
    """The objects of app-environments by their inputs, so that a retry renders only what changed."""

    def __init__(self) -> None:
        """Start empty."""
        self._kept: dict[str, tuple[PackedManifests, frozenset[str], tuple[Notice, ...]]] = {}

    def get(self, plan: Planned) -> Hydrated | None:
        """Return the objects of an earlier render with the same inputs."""
        if plan.inputs not in self._kept:
            return None
        manifests, used_images, warnings = self._kept[plan.inputs]
        files = to_files(manifests.unpack(), plan.render.namespace)
        return Hydrated(
            planned=plan.without_values, manifests=manifests, files=files, used_images=used_images, warnings=warnings
        )

    def add(self, hydrated: Hydrated) -> None:
        """Keep the objects of a render. Their files are written again if they are asked for."""
        self._kept[hydrated.planned.inputs] = (hydrated.manifests, hydrated.used_images, hydrated.warnings)


def assemble(plan: Planned, result: Result, configuration: Configuration) -> Hydrated:
    """Set digests, namespaces and hook names in the rendered objects, and check them. Raises HeadgateError."""
    if result.error is not None:
        raise result.error
    app_file = f"{plan.record.folder}/app.yaml"
    settings = configuration.settings
    rendered = without_hooks(manifests(result.objects), plan.hooks, app_file)
    if not rendered:
        raise GuardError(
            "rendered no objects",
            where=Location(plan.render.label),
            hint="to remove the app, remove it from its environments",
        )
    used_images = set_digests(rendered, plan.images, plan.render.images, settings.workloads)
    namespace, allow = plan.render.namespace, plan.record.app.allow
    placed = with_namespace(
        with_suffixes(rendered), namespace, settings.scopes, own_config=plan.own_config, allowed=allow.kinds
    )
    check_allowed(placed.scoped, allow, namespace, app_file, own_config=plan.own_config)
    written = placed.manifests
    if writes_flux_objects(settings, plan.environment):
        written = with_data_kept(written)
    files = to_files(written, namespace)
    return Hydrated(
        planned=plan.without_values,
        manifests=PackedManifests(written, sum(map(len, files.values()))),
        files=files,
        used_images=frozenset(used_images),
        warnings=(*plan.warnings, *result.warnings, *map(Notice, placed.warnings)),
    )


def unused_images(
    tree: Tree, configuration: Configuration, hydrated: Mapping[tuple[str, str], Hydrated]
) -> dict[tuple[str, str], HeadgateError]:
    """Return an error for each image that no container uses in any environment, hydrated now or earlier."""
    errors: dict[tuple[str, str], HeadgateError] = {}
    by_app: dict[str, list[Hydrated]] = {}
    for own in hydrated.values():
        by_app.setdefault(own.planned.record.name, []).append(own)
    for app, group in by_app.items():
        used = frozenset[str]().union(*(own.used_images for own in group))
        here = {own.planned.environment for own in group}
        for own in group:
            for name, image in own.planned.images.items():
                if (
                    image.optional
                    or name in used
                    or _is_used_elsewhere(tree, configuration, app, image.repository, here)
                ):
                    continue
                errors[app, own.planned.environment] = ImageError(
                    f"no container uses the image '{name}' ({image.repository})",
                    where=own.planned.record.place("images", name),
                    hint="use it in a container, correct the repository, or set 'optional: true'",
                )
    return errors


def _is_used_elsewhere(tree: Tree, configuration: Configuration, app: str, repository: str, here: set[str]) -> bool:
    record = configuration.apps[app]
    others = [name for name in record.environments(configuration.settings) if name not in here]
    folders = [configuration.output_folder(app, name) for name in others]
    files = [path for folder in folders for path in tree.paths(folder) if tree.blob(path).size <= MAX_FILE]
    return any(repository.encode() in tree.read(path) for path in files)
