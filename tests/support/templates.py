"""Templates, and what an app that uses one becomes."""

from __future__ import annotations

from typing import Any

from support.manifests import ManifestRepository

CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
IMAGE = "registry.example.com/acme/web"


def config_map(name: str, **data: str) -> str:
    """Return a ConfigMap as a template would have it; values go in as they are."""
    lines = "".join(f"  {key}: {value}\n" for key, value in data.items())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n{lines}"


def template(manifests: ManifestRepository, files: dict[str, str | bytes], app_yaml: str = "") -> ManifestRepository:
    """Add a template ``web`` and an app that uses it in dev."""
    manifests.write({f"templates/web/{name}": text for name, text in files.items()})
    return manifests.app("web", f"template: web\nenvironments: [dev]\n{app_yaml}")


def only(manifests: ManifestRepository, folder: str = "deploy/dev/web") -> dict[str, Any]:
    """Hydrate and return the only object."""
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    (one,) = manifests.objects(folder)
    found: dict[str, Any] = one
    return found
