"""What all tests share: nothing of the machine's user is seen, and no test reaches another host."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from headgate.process import processors
from support.manifests import ManifestRepository
from support.network import only
from support.registry import Registry, serve_registry
from support.stage import Stage, make_stage
from support.validator import use_validator

if TYPE_CHECKING:
    from support.reviewing import Scene

_NUMBERS = itertools.count()
_OF_GIT = {"maintenance.auto": "false", "gc.auto": "0", "core.fsync": "none"}
SHARED = Path(__file__).resolve().parents[2] / "shared" / "real"

settings.register_profile("headgate", deadline=None)  # how long an example takes says what else the machine does
settings.load_profile("headgate")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--update-golden``."""
    parser.addoption("--update-golden", action="store_true", help="write what the golden cases now give")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let the garbage collector pass over what stays until the end: thousands of tests and all modules."""
    gc.disable()
    found = yield
    gc.freeze()
    gc.enable()
    return found


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run two tests per processor: they wait for git and servers for a good part of their time."""
    return 2 * processors()


@pytest.fixture(autouse=True)
def clean_user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a home without configuration, and an identity for git."""
    home = tmp_path_factory.mktemp(f"home-{next(_NUMBERS)}", numbered=False)  # else all folders are listed for a number
    for name in list(os.environ):
        if name.startswith(("GIT_", "HELM_", "KUSTOMIZE_", "HEADGATE_", "CI_")) and not name.startswith("GIT_SSL"):
            monkeypatch.delenv(name)
        if name == "CI":  # a job of ours is none of those that the tests are about
            monkeypatch.delenv(name)
        if name.lower() in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HEADGATE_VALIDATOR", "none")  # most objects of tests only look like what a server takes
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    # git of the tests itself, not Headgate's: no process after each commit that looks for rubbish, no hooks as examples
    monkeypatch.setenv("GIT_TEMPLATE_DIR", "")
    for number, setting in enumerate(_OF_GIT.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", setting[0])
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", setting[1])
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(_OF_GIT)))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "test@example.com")


@pytest.fixture(autouse=True)
def nothing_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no cache of GitLab's: the double has none."""
    monkeypatch.setattr("headgate.gitlab.sender._BRANCH_CACHE", 0)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process reach loopback only."""
    only(monkeypatch)


@pytest.fixture
def manifests(tmp_path: Path) -> ManifestRepository:
    """Return an empty manifest repository."""
    return ManifestRepository.make(tmp_path / "manifests")


@pytest.fixture
def stage(tmp_path: Path, manifests: ManifestRepository) -> Stage:
    """Return an app with plain YAML of its own, accepted from main in dev and from tags in production."""
    return make_stage(tmp_path, manifests)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Return a GitLab with an app; nothing in what Headgate writes there is a command or calls somebody."""
    from support.reviewing import make_scene  # noqa: PLC0415  it loads all that a job runs

    with make_scene(tmp_path) as made:
        yield made
        assert made.gitlab.executed == []


@pytest.fixture
def validator(clean_user: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge what is hydrated here."""
    use_validator(monkeypatch)


@pytest.fixture(scope="session")
def running_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Registry, Path]]:
    """Run one registry for all tests of a process, with the folder of what is in it."""
    folder = tmp_path_factory.mktemp("registry")
    with serve_registry(folder) as running:
        yield running, folder / "storage"


@pytest.fixture
def registry(running_registry: tuple[Registry, Path]) -> Registry:
    """Return an empty registry that wants no login: it remembers nothing but what is in its folder."""
    running, storage = running_registry
    shutil.rmtree(storage, ignore_errors=True)
    return running


@pytest.fixture(scope="session")
def real() -> Path:
    """Return the folder with deployment sources that other projects publish; skip where it is not."""
    if not SHARED.is_dir():
        pytest.skip("the folder ../shared/real with real charts and kustomizations is not here")
    return SHARED


@pytest.fixture(scope="session")
def headgate_program() -> list[str]:
    """Return the command line of Headgate as a program of its own."""
    return [sys.executable, "-m", "headgate"]
