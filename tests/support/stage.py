"""An app's repository and a manifest repository that takes its hand-offs."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from support.cli import Ran, headgate
from support.copies import folder_of_the_process
from support.manifests import DEPLOYMENT, DIGEST, ManifestRepository, git, head, make_empty

IMAGE = "registry.example.com/acme/web"
OTHER_DIGEST = "sha256:" + "2" * 64
APP = f"project: acme/web\nimages: {{web: {IMAGE}}}\nconfig: deploy\n"


@dataclass(frozen=True)
class Stage:
    """An app's repository, a bare manifest repository and a checkout of it."""

    app: Path
    manifests: ManifestRepository
    remote: Path

    @property
    def origin(self) -> str:
        """How an error names where the app's files are from."""
        return f"acme/web at {head(self.app)[:8]}"

    def words(self, *args: str, image: str = f"{IMAGE}:1.0@{DIGEST}", ref: str = "main", to: str = "") -> list[str]:
        """Return the command line that hands the newest commit of the app off."""
        return [
            *("deliver", "--manifests", to or str(self.remote), "--project", "acme/web", "--source", str(self.app)),
            *("--commit", head(self.app), "--ref", ref, "--image", image, *args),
        ]

    def deliver(self, *args: str, image: str = f"{IMAGE}:1.0@{DIGEST}", ref: str = "main", to: str = "") -> Ran:
        """Hand the newest commit of the app off."""
        return headgate(*self.words(*args, image=image, ref=ref, to=to))

    def run(self, *args: str) -> Ran:
        """Run a command on the remote."""
        return headgate(*args, "--manifests", self.remote.as_uri())

    def show(self, revision: str, path: str) -> str:
        """Return a file of the remote."""
        return git(self.remote, "show", f"{revision}:{path}")

    def log(self, revision: str = "main") -> list[str]:
        """Return the subjects of a branch of the remote."""
        return git(self.remote, "log", "--format=%s", revision).splitlines()


def write_app(stage: Stage, files: dict[str, str]) -> None:
    """Write files of the app's repository and commit them."""
    write_files(stage.app, files)


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Write files of a checkout and commit them."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message", "Change")


def replicas(number: int) -> str:
    """Return the app's YAML with so many replicas."""
    return DEPLOYMENT.replace("spec:\n", f"spec:\n  replicas: {number}\n", 1)


def merge_proposal(stage: Stage, branch: str = "headgate/production/web") -> None:
    """Merge the branch of a proposal into main and delete it, as a person does on GitLab."""
    work = stage.manifests.path
    git(work, "fetch", "--quiet", "origin")
    git(work, "checkout", "--quiet", "-B", "main", "origin/main")
    git(work, "merge", "--quiet", "--no-ff", f"origin/{branch}")
    git(work, "push", "--quiet", "origin", "main", f":{branch}")


def make_stage(tmp_path: Path, manifests: ManifestRepository, app_yaml: str = APP) -> Stage:
    """Return an app with plain YAML of its own, accepted from main in dev and from tags in production.

    A new manifest repository with the same files is copied from one that was made before.
    """
    manifests.app("web", app_yaml)
    if not manifests.is_new:
        return _make(tmp_path, manifests)
    files = tuple((path, (manifests.path / path).read_bytes()) for path in manifests.files())
    begun = _begun(files, tuple(sorted(item for item in os.environ.items() if item[0].startswith("GIT_"))))
    shutil.rmtree(manifests.path)
    shutil.copytree(begun / "manifests", manifests.path)
    made = Stage(tmp_path / "app", manifests, tmp_path / "manifests.git")
    for folder in (made.app, made.remote):
        shutil.copytree(begun / folder.name, folder)
    config = manifests.path / ".git/config"
    config.write_text(config.read_text().replace(str(begun), str(tmp_path)))
    return made


@cache
def _begun(files: tuple[tuple[str, bytes], ...], _environment: tuple[tuple[str, str], ...]) -> Path:
    """Make the repositories with these files once for all tests of a process."""
    folder = folder_of_the_process("stage")
    _make(folder, ManifestRepository.make(folder / "manifests").write(dict(files)))
    return folder


def _make(tmp_path: Path, manifests: ManifestRepository) -> Stage:
    manifests.commit("Begin")
    remote = tmp_path / "manifests.git"
    _copy_bare(manifests.path / ".git", remote)
    tracking = manifests.path / ".git/refs/remotes/origin/main"
    tracking.parent.mkdir(parents=True)
    tracking.write_text(f"{head(manifests.path)}\n")
    with (manifests.path / ".git/config").open("a") as config:
        config.write(_CLONED.format(remote=remote))
    shutil.copytree(_app(), tmp_path / "app")
    return Stage(tmp_path / "app", manifests, remote)


def _copy_bare(source: Path, remote: Path) -> None:
    """Make the repository that a checkout was cloned from, as GitLab serves it: in parts, and cleaned up by itself."""
    shutil.copytree(source, remote, ignore=shutil.ignore_patterns("index", "logs", "COMMIT_EDITMSG"))
    config = remote / "config"
    config.write_text(
        config.read_text().replace("bare = false", "bare = true").replace("\tlogallrefupdates = true\n", "")
        + "[uploadpack]\n\tallowFilter = true\n[receive]\n\tautogc = false\n"
    )


_CLONED = """\
[remote "origin"]
\turl = {remote}
\tfetch = +refs/heads/*:refs/remotes/origin/*
[branch "main"]
\tremote = origin
\tmerge = refs/heads/main
"""


@cache
def _app() -> Path:
    """Make the app's repository once for all tests of a process."""
    folder = folder_of_the_process("app")
    make_empty(folder)
    write_files(folder, {"deploy/web.yaml": DEPLOYMENT, "README.md": "not taken"})
    return folder
