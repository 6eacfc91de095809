"""Charts made, packed and indexed by the pinned Helm."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.fileserver import FileServer
from support.judges import judge
from support.templates import config_map


def helm(folder: Path, *args: str) -> str:
    """Run the pinned Helm with a home in ``folder``, and return what it printed."""
    homes = {f"HELM_{name}_HOME": str(folder / ".helm") for name in ("CACHE", "CONFIG", "DATA")}
    done = subprocess.run(
        [str(judge("helm")), *args],
        cwd=folder,
        env={**os.environ, **homes},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files below a folder, and return it."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def chart_yaml(name: str, version: str = "1.0.0", dependencies: list[dict[str, Any]] | None = None) -> str:
    """Return a Chart.yaml."""
    data: dict[str, Any] = {"apiVersion": "v2", "name": name, "version": version}
    return yaml.safe_dump({**data, "dependencies": dependencies} if dependencies else data, sort_keys=False)


REDIS = {
    "Chart.yaml": chart_yaml("redis", "1.2.3"),
    "values.yaml": "size: 1\n",
    "templates/redis.yaml": config_map("redis-{{ .Chart.Name }}", size="{{ .Values.size | quote }}"),
    ".helmignore": "*.bak\n",
}


@dataclass(frozen=True)
class ChartRepository:
    """A folder with packed charts and their index, and the server that gives it."""

    server: FileServer
    sources: Path

    def add(self, name: str, version: str, files: Mapping[str, str | bytes]) -> Path:
        """Pack a chart into the repository, and write the index anew; return the archive."""
        source = write(self.sources / f"{name}-{version}" / name, files)
        helm(self.sources, "package", str(source), "--destination", str(self.server.root))
        self.index()
        return self.server.root / f"{name}-{version}.tgz"

    def index(self, *args: str) -> Path:
        """Write the index anew, and return it."""
        helm(self.sources, "repo", "index", str(self.server.root), *args)
        return self.server.root / "index.yaml"


def objects(text: str) -> list[Any]:
    """Return the objects of YAML in an order of their own."""
    found = [one for one in yaml.safe_load_all(text) if one]
    return sorted(found, key=lambda one: (one["kind"], one["metadata"]["name"]))
