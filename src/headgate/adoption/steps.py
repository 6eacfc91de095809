"""People's steps before and after the merge, so that nothing applies the same objects twice. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.adoption.fluxobjects import flux_objects
from headgate.objects.lookup import value_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from headgate.adoption.sources import CurrentApp
    from headgate.configuration import Configuration
    from headgate.repository.tree import Tree


def steps(tree: Tree, apps: Iterable[CurrentApp], configuration: Configuration) -> tuple[str, ...]:
    """Return the steps, in their order."""
    return tuple(_steps(tree, list(apps), configuration))


def _steps(tree: Tree, apps: Sequence[CurrentApp], configuration: Configuration) -> Iterator[str]:
    objects = list(flux_objects(tree))
    automations = [
        f"{value_at(data, 'metadata', 'name')} ({path})"
        for path, data in objects
        if data.get("kind") == "ImageUpdateAutomation"
    ]
    if automations:
        yield (
            f"Before the merge: delete the ImageUpdateAutomation {', '.join(automations)}, or it goes on to write "
            "image tags here; afterwards ImagePolicy and ImageRepository too. Hand-offs take their place."
        )
    releases = dict.fromkeys(
        str(value_at(data, "metadata", "name")) for _, data in objects if data.get("kind") == "HelmRelease"
    )
    if releases:
        yield (
            f"Before the merge: set 'suspend: true' in git in the HelmReleases {_listed(list(releases))}. What a "
            "suspended one released stays when it is deleted; delete it after the merge, and the Secrets "
            "sh.helm.release.v1.* too."
        )
    kustomizations = list(dict.fromkeys(app.flux for app in apps if app.flux is not None))
    moved = [
        f"{found.name} in {found.file} (./{found.path or ''} is now "
        f"{_listed(sorted({_folder(configuration, app) for app in apps if app.flux == found}))})"
        for found in kustomizations
    ]
    if moved:
        yield (
            "With the merge: set 'prune: false' in the Kustomizations of the old folders and wait until Flux has seen "
            "that; then let others apply the new folders ('clusters' in headgate.yaml writes them), and delete the old "
            f"ones: {'; '.join(moved)}."
        )
    if not kustomizations:
        folders = sorted({_folder(configuration, app) for app in apps})
        yield f"With the merge: let the tool that applies the old folders today apply {_listed(folders)} instead."
    old = sorted({app.folder or "the old files" for app in apps})
    yield f"After the merge, when the cluster runs from the new folders: delete {_listed(old)}."
    yield (
        "For hand-offs: 'headgate init' writes .gitlab-ci.yml and lists GitLab's settings. Once the first hand-off "
        "has landed, stop what writes image tags here today (gitopscli deploy, a script)."
    )


def _folder(configuration: Configuration, app: CurrentApp) -> str:
    return configuration.output_folder(app.app, app.environment)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:6])
    return f"{shown} and {len(names) - 6} more" if len(names) > 6 else shown  # noqa: PLR2004
