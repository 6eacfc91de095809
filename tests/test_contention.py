"""Many hand-offs at the same moment, by processes of their own: all land, none is lost, the newest wins."""

from __future__ import annotations

import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.manifests import DEPLOYMENT, ManifestRepository, git

COUNT = 10
IMAGE = "registry.example.com/acme/web"


def remote_of(manifests: ManifestRepository, tmp_path: Path) -> Path:
    """Return a bare repository with what is in the checkout."""
    remote = tmp_path / "manifests.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(manifests.commit("Begin").path), str(remote))
    return remote


def deliver(program: list[str], remote: Path, source: Path, project: str, commit: str, image: str) -> str:
    """Hand off in a process of its own; return what it printed. It must not fail."""
    command = [*program, "deliver", "--manifests", str(remote), "--project", project, "--source", str(source)]
    done = subprocess.run([*command, "--commit", commit, "--image", image], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_hand_offs_of_many_apps_at_once_all_land(
    manifests: ManifestRepository, headgate_program: list[str], tmp_path: Path
) -> None:
    names = [f"app-{number}" for number in range(COUNT)]
    for name in names:
        image = f"registry.example.com/acme/{name}"
        manifests.app(name, f"project: acme/{name}\nimages: {{{name}: {image}}}\ntemplate: {name}\n")
        manifests.write({f"templates/{name}/web.yaml": DEPLOYMENT.replace(IMAGE, image)})
    remote = remote_of(manifests, tmp_path)

    def one(name: str) -> str:
        image = f"registry.example.com/acme/{name}:1@sha256:{1:064d}"
        return deliver(headgate_program, remote, tmp_path, f"acme/{name}", "a" * 40, image)

    with ThreadPoolExecutor(COUNT) as pool:
        list(pool.map(one, names))

    assert len(git(remote, "log", "--format=%s", "main").splitlines()) == COUNT + 1
    for name in names:
        assert f"acme/{name}:1@" in git(remote, "show", f"main:deploy/dev/{name}/deployment.apps-web.yaml")


@pytest.mark.parametrize("seed", [1, 2])
def test_hand_offs_of_one_app_in_any_order_end_with_the_newest(
    manifests: ManifestRepository, headgate_program: list[str], tmp_path: Path, seed: int
) -> None:
    manifests.app("web", f"project: acme/web\nimages: {{web: {IMAGE}}}\ntemplate: web\n")
    manifests.write({"templates/web/web.yaml": DEPLOYMENT})
    remote = remote_of(manifests, tmp_path)
    app = tmp_path / "app"
    app.mkdir()
    git(app, "init", "--quiet", "--initial-branch=main")
    commits = []
    for number in range(COUNT):
        git(app, "commit", "--quiet", "--allow-empty", "--message", str(number))
        commits.append((number, git(app, "rev-parse", "HEAD")))
    random.Random(seed).shuffle(commits)

    def one(numbered: tuple[int, str]) -> str:
        number, commit = numbered
        return deliver(headgate_program, remote, app, "acme/web", commit, f"{IMAGE}:{number}@sha256:{number:064d}")

    with ThreadPoolExecutor(COUNT) as pool:
        list(pool.map(one, commits))

    text = git(remote, "show", "main:deploy/dev/web/deployment.apps-web.yaml")
    assert f"{IMAGE}:{COUNT - 1}@" in text
