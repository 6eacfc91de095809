"""An app whose config builds on things elsewhere: handed off, and looked at."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

from support.charts import helm, write
from support.cli import Ran, headgate
from support.manifests import HEADGATE_YAML, ManifestRepository, git
from support.stage import Stage, make_stage, write_app

APP = "project: acme/web\nconfig: deploy\nenvironments: [dev]\n"


def stage_with(tmp_path: Path, manifests: ManifestRepository, *hosts: str, settings: str = "") -> Stage:
    """Return a stage whose apps may bring things along from these hosts."""
    allowed = f"dependencies: {{hosts: [{', '.join(repr(host) for host in hosts)}]}}\n" if hosts else ""
    manifests.write({"headgate.yaml": HEADGATE_YAML.lstrip() + allowed + settings})
    return make_stage(tmp_path, manifests, APP)


def set_config(stage: Stage, files: dict[str, str]) -> None:
    """Let the app's config be these files, committed."""
    shutil.rmtree(stage.app / "deploy", ignore_errors=True)
    write_app(stage, {f"deploy/{name}": text for name, text in files.items()})


def deliver(stage: Stage) -> Ran:
    """Hand the app's newest commit off, without an image."""
    return stage.deliver(image="")


def delivered(stage: Stage, folder: str = "deploy/dev/web") -> list[Any]:
    """Return the objects that were delivered, without the namespace that Headgate fills in."""
    found = [yaml.safe_load(f"{text}\n") for text in stage.files(folder=folder).values()]
    for one in found:
        assert one["metadata"].pop("namespace") == "web"
    return sorted(found, key=lambda one: (one["kind"], one["metadata"]["name"]))


def config_of(stage: Stage) -> list[str]:
    """Return the paths of the app's config in the release."""
    folder = "apps/web/releases/dev/config"
    return [path.removeprefix(f"{folder}/") for path in stage.paths(folder)]


def released(stage: Stage) -> Any:
    """Return the dependencies in the release."""
    return yaml.safe_load(stage.show("main", "apps/web/releases/dev/release.yaml"))["config"].get("dependencies")


def hydrated_again(stage: Stage, tmp_path: Path) -> Ran:
    """Hydrate all anew in a fresh checkout, and compare with what was delivered."""
    checkout = tmp_path / "again"
    git(tmp_path, "clone", "--quiet", str(stage.remote), str(checkout))
    return headgate("hydrate", "--manifests", str(checkout), "--all", "--check")


def locked(stage: Stage, chart: str, files: dict[str, str], *flags: str) -> None:
    """Commit a chart with its Chart.lock as Helm writes it, and without charts/."""
    folder = write(stage.app / "deploy", {"Chart.yaml": chart, **files})
    (folder / "web.yaml").unlink(missing_ok=True)
    helm(folder, "dependency", "update", str(folder), *flags)
    shutil.rmtree(folder / "charts")
    shutil.rmtree(folder / ".helm", ignore_errors=True)
    write_app(stage, {})
