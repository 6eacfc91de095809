"""Another version of Helm in the image: everywhere that it is to be seen, with images that were really built."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from headgate import PINNED, tools
from support.acme import ROOT
from support.containers import IMAGE, docker
from support.manifests import git

pytestmark = pytest.mark.image
OLDER_IMAGE = "headgate:older-helm"
HERE = PINNED["helm"]


def run(*args: str, cwd: Path = ROOT, code: int = 0, **env: str) -> str:
    """Run a command that ends with this code, and return all that it printed."""
    done = subprocess.run(
        args,
        cwd=cwd,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def go() -> str:
    """Return the Go that builds Helm here (image/build-tools)."""
    own = tools.own_folder() / "go/bin/go"
    return str(own) if own.is_file() else shutil.which("go") or pytest.fail("no Go here")


@dataclass(frozen=True)
class Older:
    """This project with the release of Helm before the pinned one, and the image of that."""

    checkout: Path
    helm: str


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Older]:
    """Change the pin as a person or Renovate does, in the two files that hold it, and build."""
    checkout = tmp_path_factory.mktemp("older") / "headgate"
    for name in git(ROOT, "ls-files").splitlines():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    released = run(go(), "list", "-m", "-versions", "helm.sh/helm/v4", cwd=ROOT / "image").split()
    helm = released[released.index(f"v{HERE}") - 1].removeprefix("v")
    run(go(), "get", f"helm.sh/helm/v4@v{helm}", cwd=checkout / "image", GOTOOLCHAIN="local")
    pins = checkout / "src/headgate/__init__.py"
    pins.write_text(pins.read_text().replace(HERE, helm))
    git(checkout, "init", "--quiet")
    git(checkout, "add", "--all")
    git(
        checkout,
        *("-c", "user.name=Test", "-c", "user.email=test@example.com"),
        "commit",
        "--quiet",
        "-m",
        "Older Helm",
    )
    run("image/build", cwd=checkout, HEADGATE_IMAGE=OLDER_IMAGE)
    yield Older(checkout, helm)
    run(docker(), "rmi", OLDER_IMAGE)


def in_image(image: str, folder: Path, *args: str, code: int = 0) -> str:
    """Run Headgate in an image, without a network, on a folder of this machine."""
    options = ("--rm", "--network=none", f"--user={os.getuid()}:{os.getgid()}", "--env=HOME=/tmp")
    return run(
        docker(), "run", *options, f"--volume={folder}:/srv", "--workdir=/srv", image, "headgate", *args, code=code
    )


def test_each_image_is_proved_by_its_own_pins_alone(older: Older) -> None:
    run("image/smoke.sh", OLDER_IMAGE, cwd=older.checkout)
    told = run("image/smoke.sh", OLDER_IMAGE, code=1)
    assert f"'headgate --version' does not show 'helm {HERE}'" in told


def test_it_says_which_helm_it_has(older: Older, tmp_path: Path) -> None:
    assert f"(helm {older.helm}, kustomize {PINNED['kustomize']})" in in_image(OLDER_IMAGE, tmp_path, "--version")
    assert re.search(rf"^helm +{re.escape(older.helm)}$", in_image(OLDER_IMAGE, tmp_path, "version"), re.MULTILINE)
    assert f"(helm {HERE}, " in in_image(IMAGE, tmp_path, "--version")


def test_an_upgrade_is_refused_and_then_one_commit_that_shows_it(older: Older, tmp_path: Path) -> None:
    in_image(OLDER_IMAGE, tmp_path, "demo", "--directory", "/srv/demo")
    repository = tmp_path / "demo/manifest-repo"
    before = recorded(repository)
    assert f"helm {older.helm}" in {engine for _, engine in before.values()}
    hydrate = ("hydrate", "--manifests", "/srv/demo/manifest-repo", "--commit")
    assert f"hydrated with helm {older.helm} (here: {HERE})" in in_image(IMAGE, tmp_path, *hydrate, code=25)

    told = in_image(IMAGE, tmp_path, *hydrate, "--upgrade")
    upgrade = f"helm {older.helm} -> {HERE}"
    after = recorded(repository)
    upgraded = {path for path in after if after[path][1] == f"helm {HERE}"}
    assert upgraded == {path for path, (_, engine) in before.items() if engine == f"helm {older.helm}"}
    assert {path for path in after if after[path] != before[path]} == upgraded  # engine and inputs, and no others'
    assert f"{upgrade} in {len(upgraded)} of them" in told
    assert upgrade in git(repository, "log", "-1", "--format=%s")
    changed = set(git(repository, "show", "--format=", "--name-only").splitlines())
    assert {"headgate.lock", *upgraded} <= changed
    assert f"+  helm: {HERE}" in git(repository, "show", "--format=", "headgate.lock")
    assert "unchanged" in in_image(IMAGE, tmp_path, *hydrate)


def recorded(repository: Path) -> dict[str, tuple[str, str]]:
    """Return the inputs and the engine of each record, by its path in the repository."""
    found = {}
    for path in repository.glob("deploy/*/*/.headgate.json"):
        record = json.loads(path.read_text())
        found[str(path.relative_to(repository))] = (record["inputs"], record["engine"])
    return found
