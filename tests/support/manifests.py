"""A manifest repository for tests: files in, Headgate run on it, its output."""

from __future__ import annotations

import json
import shutil
import subprocess
import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from support.cli import Ran, headgate
from support.copies import folder_of_the_process

HEADGATE_YAML = """
version: 1
environments:
  dev: {takes: {branch: main}, delivery: commit, kubernetes: "1.34"}
  production: {takes: {tag: "v*", order: semver}, delivery: review, kubernetes: "1.34"}
"""

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: registry.example.com/acme/web
"""

APP = "images: {web: registry.example.com/acme/web}\nproject: acme/web\ntemplate: web\n"
IMAGES = {"web": "registry.example.com/acme/web"}
COMMIT = "a" * 40
DIGEST = "sha256:" + "1" * 64


def git(folder: Path, *args: str) -> str:
    """Run git and return what it printed."""
    done = subprocess.run(["git", *args], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def head(folder: Path) -> str:
    """Return the newest commit of a checkout, as git keeps it, since tests ask for it all the time."""
    name = (folder / ".git/HEAD").read_text().strip().removeprefix("ref: ")
    file = folder / ".git" / name
    return file.read_text().strip() if file.is_file() else git(folder, "rev-parse", "HEAD")


@cache
def _empty_repository() -> Path:
    """Make an empty repository once for all tests of a process."""
    folder = folder_of_the_process("empty")
    git(folder, "init", "--quiet", "--template=", "--initial-branch=main")
    return folder


def make_empty(folder: Path) -> None:
    """Make an empty repository in a folder that is there, as ``git init`` does."""
    shutil.copytree(_empty_repository() / ".git", folder / ".git")


@dataclass(frozen=True)
class ManifestRepository:
    """A checkout of a manifest repository."""

    path: Path

    @staticmethod
    def make(path: Path) -> ManifestRepository:
        """Make one with two environments and no app."""
        shutil.copytree(_empty_repository(), path)
        repository = ManifestRepository(path)
        repository.write({"headgate.yaml": HEADGATE_YAML})
        return repository

    @property
    def is_new(self) -> bool:
        """Whether it is as it was made, and has nothing but plain files."""
        plain = all(
            path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o111 == 0 for path in self._own()
        )
        config, heads = ".git/config", self.path / ".git/refs/heads"
        own = (self.path / config).read_bytes()
        return plain and not any(heads.iterdir()) and own == (_empty_repository() / config).read_bytes()

    def files(self) -> list[str]:
        """Return the paths of its files."""
        return [path.relative_to(self.path).as_posix() for path in self._own()]

    def _own(self) -> list[Path]:
        found = (path for path in sorted(self.path.rglob("*")) if path.is_symlink() or not path.is_dir())
        return [path for path in found if path.relative_to(self.path).parts[0] != ".git"]

    def write(self, files: dict[str, str | bytes]) -> ManifestRepository:
        """Write files; texts are dedented."""
        for name, content in files.items():
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            data = textwrap.dedent(content).lstrip("\n").encode() if isinstance(content, str) else content
            target.write_bytes(data)
        return self

    def app(self, name: str, app_yaml: str, files: dict[str, str] | None = None) -> ManifestRepository:
        """Add an app, with files of its folder."""
        own = {f"apps/{name}/{path}": text for path, text in (files or {}).items()}
        return self.write({f"apps/{name}/app.yaml": app_yaml, **own})

    def release(
        self,
        app: str,
        environment: str,
        *,
        images: dict[str, str] | None = None,
        config: dict[str, str | bytes] | None = None,
        commit: str = COMMIT,
    ) -> ManifestRepository:
        """Write a release as a hand-off would: images by name with their repositories, and the app's config."""
        part = {"project": "acme/web", "commit": commit, "ref": "refs/heads/main"}
        release: dict[str, Any] = {"version": 1, "images": {}}
        for name, repository in (images or {}).items():
            release["images"][name] = {**part, "repository": repository, "tag": "1.0", "digest": DIGEST}
        if config is not None:
            release["config"] = {**part, "path": "deploy"}
        folder = f"apps/{app}/releases/{environment}"
        self.write({f"{folder}/release.yaml": yaml.safe_dump(release)})
        return self.write({f"{folder}/config/{path}": text for path, text in (config or {}).items()})

    def hydrated(self, *apps: str, message: str = "Begin") -> ManifestRepository:
        """Add apps of the template ``web`` that run in two environments, hydrate and commit."""
        for name in apps:
            self.app(name, APP)
            for environment in ("dev", "production"):
                self.release(name, environment, images=IMAGES)
        assert self.hydrate().code == 0
        return self.commit(message)

    def commit(self, message: str = "Change") -> ManifestRepository:
        """Commit everything."""
        git(self.path, "add", "--all")
        git(self.path, "commit", "--quiet", "--allow-empty", "--message", message)
        return self

    def newest(self) -> Path:
        """Take the newest default branch of its remote, and return the folder."""
        git(self.path, "fetch", "--quiet", "origin")
        git(self.path, "checkout", "--quiet", "-B", "main", "origin/main")
        return self.path

    def change(self, files: dict[str, str | None], message: str = "Change by hand") -> None:
        """Change or delete files and folders on the default branch of its remote, as a person does."""
        self.newest()
        for name, text in files.items():
            if text is None:
                git(self.path, "rm", "-r", "--quiet", name)
            else:
                self.write({name: text})
        self.commit(message)
        git(self.path, "push", "--quiet", "origin", "main")

    def hydrate(self, *args: str) -> Ran:
        """Run ``headgate hydrate`` on it."""
        return headgate("hydrate", "--manifests", str(self.path), *args)

    def hydrate_json(self, *args: str) -> list[dict[str, Any]]:
        """Run ``headgate hydrate --json`` and return its outcomes."""
        ran = self.hydrate("--json", *args)
        assert ran.out, ran.err
        apps: list[dict[str, Any]] = json.loads(ran.out)["apps"]
        return apps

    def output(self, folder: str = "deploy") -> dict[str, str]:
        """Return the final YAML below a folder: path -> text."""
        root = self.path / folder
        return {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*.yaml"))}

    def objects(self, folder: str) -> list[dict[str, Any]]:
        """Return the objects below a folder."""
        return [yaml.safe_load(text) for text in self.output(folder).values()]
