"""The same input gives the same bytes, wherever and however Headgate is run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from headgate.commands.demo import examples
from support.manifests import ManifestRepository

IMAGES = {name: f"registry.example.com/acme/{name}" for name in ("shop", "cart", "mail", "landing")}


@pytest.fixture
def four_engines(manifests: ManifestRepository) -> ManifestRepository:
    """Return the example repository, in which all engines occur, with a release of every app."""
    shutil.copytree(examples() / "manifest-repo", manifests.path, dirs_exist_ok=True)
    deploy = examples() / "app-repo" / "deploy"
    for app, image in IMAGES.items():
        for environment in ("dev", "production"):
            files: dict[str, str | bytes] = {
                str(path.relative_to(deploy / app)): path.read_bytes()
                for path in (deploy / app).rglob("*")
                if path.is_file() and (app != "shop" or path.name.startswith("values"))
            }
            manifests.release(app, environment, images={app: image}, config=files if app != "mail" else None)
    return manifests


def tree(root: Path) -> dict[str, bytes]:
    """Return all files of the output and the lock."""
    files = [*sorted((root / "deploy").rglob("*")), root / "headgate.lock"]
    return {str(path.relative_to(root)): path.read_bytes() for path in files if path.is_file()}


# All that could matter at once, in two ways, since a run takes long: what differs is found by leaving one out.
SETTINGS = [
    {
        "LC_ALL": "de_DE.UTF-8",
        "LANG": "de_DE.UTF-8",
        "TZ": "Pacific/Chatham",
        "PYTHONHASHSEED": "1",
        "HELM_NAMESPACE": "other",
        "HELM_DEBUG": "true",
        "KUBECONFIG": "/none",
        "UMASK": "077",
        "CWD": "/",
    },
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONHASHSEED": "4242"},
]


@pytest.mark.long
@pytest.mark.parametrize("settings", SETTINGS, ids=["another machine", "hardly any locale"])
def test_same_bytes(
    four_engines: ManifestRepository, headgate_program: list[str], tmp_path: Path, settings: dict[str, str]
) -> None:
    other = ManifestRepository(tmp_path / "a copy with spaces" / "manifests")
    shutil.copytree(four_engines.path, other.path)
    assert four_engines.hydrate().code == 0
    expected = tree(four_engines.path)
    assert len(expected) >= 20

    subprocess.run(
        [*headgate_program, "hydrate", "--manifests", str(other.path)],
        cwd=settings.get("CWD", tmp_path),
        env={**os.environ, **settings},
        umask=int(settings.get("UMASK", "022"), 8),
        check=True,
        capture_output=True,
    )

    assert tree(other.path) == expected


def test_again_gives_the_same_and_writes_nothing(four_engines: ManifestRepository) -> None:
    assert four_engines.hydrate().code == 0
    before = {path: path.stat().st_mtime_ns for path in four_engines.path.rglob("*") if ".git" not in path.parts}
    assert "8 app-environments: 8 unchanged" in four_engines.hydrate("--all").out
    after = {path: path.stat().st_mtime_ns for path in four_engines.path.rglob("*") if ".git" not in path.parts}
    assert after == before
