"""The engines, and which one renders a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.dependencies import kustomization
from headgate.errors import Location, RenderError
from headgate.render import helm, jinja, kustomize, plain

if TYPE_CHECKING:
    from headgate.render.protocol import Engine
    from headgate.repository.tree import Tree

ENGINES: dict[str, Engine] = {
    "helm": helm.render,
    "kustomize": kustomize.render,
    "jinja2": jinja.render,
    "plain": plain.render,
}


def engine_of(source: Tree, environment: str, label: str) -> str:
    """Return the engine for these files. Raises RenderError when there is nothing to render."""
    if "Chart.yaml" in source:
        return "helm"
    roots = ("", f"overlays/{environment}")
    if any(kustomization.file_in(source, root) for root in roots) or source.paths("overlays"):
        return "kustomize"
    _check_overlays(source, environment, label)
    if any(path.endswith(jinja.SUFFIXES) for path in source.paths()):
        return "jinja2"
    if plain.manifest_files(source):
        return "plain"
    raise RenderError(
        "nothing to render",
        where=Location(label),
        hint="expected Chart.yaml (Helm), kustomization.yaml (Kustomize), *.yaml.j2 (Jinja2) or *.yaml",
    )


def _check_overlays(source: Tree, environment: str, label: str) -> None:
    """Refuse several kustomizations without a root to build. Raises RenderError."""
    folders = [path.rpartition("/")[0] for path in source.paths() if path.rpartition("/")[2] in kustomization.NAMES]
    own = next((folder for folder in folders if folder.rpartition("/")[2] == environment), "")
    if own:
        hint = f"move {own} to overlays/{environment}, and adapt its paths: '../base' becomes '../../base'"
    elif folders:
        hint = f"add overlays/{environment}/kustomization.yaml with 'resources: [../../{folders[0]}]'"
    if folders:
        raise RenderError(
            f"kustomizations in {', '.join(folders[:4])}, but none is the root for {environment}",
            where=Location(label),
            hint=f"{hint}, or add a kustomization.yaml at the top",
        )
