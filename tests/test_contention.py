"""Many hand-offs at the same moment, by processes of their own over HTTP: all land, none is lost, the newest wins.

The large ones are marked ``long``, for ``make test-long``; the largest ``soak``, for ``make soak``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headgate.landing.push_queue import TICKETS
from support.cli import headgate
from support.githttp import GitServer, allow_partial, serve
from support.manifests import DEPLOYMENT, ManifestRepository, git
from support.processes import each_in_a_process

IMAGE = "registry.example.com/acme/web"
RACES = [
    pytest.param(20, 0, id="many", marks=pytest.mark.soak),
    pytest.param(20, 10, id="many, losing one connection in ten", marks=pytest.mark.long),
    pytest.param(50, 0, id="crowd", marks=pytest.mark.soak),
    pytest.param(50, 10, id="crowd, losing one connection in ten", marks=pytest.mark.soak),
]


@contextmanager
def two_remotes(manifests: ManifestRepository, tmp_path: Path, lose_every: int) -> Iterator[tuple[GitServer, Path]]:
    """Serve what is in the checkout, 20 ms away; and give a second copy, for what comes one after another."""
    manifests.commit("Begin")
    for name in ("served/manifests.git", "serial.git"):
        git(tmp_path, "clone", "--quiet", "--bare", str(manifests.path), str(tmp_path / name))
    allow_partial(tmp_path / "served/manifests.git")
    with serve(tmp_path / "served", latency=0.02, lose_every=lose_every) as server:
        yield server, tmp_path / "serial.git"


def arguments(remote: str | Path, source: Path, project: str, commit: str, image: str) -> list[str]:
    """Return the command line of a hand-off."""
    named = ["--manifests", str(remote), "--project", project, "--source", str(source)]
    return ["deliver", *named, "--commit", commit, "--image", image]


def at_once(commands: list[list[str]]) -> None:
    """Run each in a process of its own, all started together. None may fail."""
    assert [(command, ran) for command, ran in each_in_a_process(commands, len(commands)) if ran.code] == []


def check_equal(server: GitServer, serial: Path, commands: list[list[str]]) -> None:
    """Check that the same commands, one after another, give the same files, and that no ticket is left."""
    for command in commands:
        command[2] = str(serial)
        assert headgate(*command).code == 0
    remote = server.root / "manifests.git"
    assert git(remote, "rev-parse", "main^{tree}") == git(serial, "rev-parse", "main^{tree}")
    assert git(remote, "for-each-ref", TICKETS) == ""
    git(remote, "fsck", "--strict")


@pytest.mark.parametrize(("count", "lose_every"), RACES)
def test_hand_offs_of_many_apps_at_once_all_land(
    manifests: ManifestRepository, tmp_path: Path, count: int, lose_every: int
) -> None:
    names = [f"app-{number}" for number in range(count)]
    for name in names:
        image = f"registry.example.com/acme/{name}"
        manifests.app(name, f"project: acme/{name}\nimages: {{{name}: {image}}}\ntemplate: {name}\n")
        manifests.write({f"templates/{name}/web.yaml": DEPLOYMENT.replace(IMAGE, image)})

    with two_remotes(manifests, tmp_path, lose_every) as (server, serial):
        commands = [
            arguments(
                f"{server.url}/manifests.git",
                tmp_path,
                f"acme/{name}",
                "a" * 40,
                f"registry.example.com/acme/{name}:1@sha256:{1:064d}",
            )
            for name in names
        ]
        at_once(commands)
        assert len(git(server.root / "manifests.git", "log", "--format=%s", "main").splitlines()) == count + 1
        print(f"{server.traffic.pushes / count:.2f} pushes for each")  # noqa: T201
        if not lose_every:
            assert server.traffic.pushes < 4 * count
        assert bool(server.traffic.lost) == bool(lose_every)
        check_equal(server, serial, commands)


@pytest.mark.parametrize(("count", "lose_every"), RACES)
def test_hand_offs_of_one_app_in_any_order_end_with_the_newest(
    manifests: ManifestRepository, tmp_path: Path, count: int, lose_every: int
) -> None:
    manifests.app("web", f"project: acme/web\nimages: {{web: {IMAGE}}}\ntemplate: web\n")
    manifests.write({"templates/web/web.yaml": DEPLOYMENT})
    app = tmp_path / "app"
    app.mkdir()
    git(app, "init", "--quiet", "--initial-branch=main")
    commits = []
    for number in range(count):
        git(app, "commit", "--quiet", "--allow-empty", "--message", str(number))
        commits.append((number, git(app, "rev-parse", "HEAD")))

    with two_remotes(manifests, tmp_path, lose_every) as (server, serial):
        commands = [
            arguments(f"{server.url}/manifests.git", app, "acme/web", commit, f"{IMAGE}:{number}@sha256:{number:064d}")
            for number, commit in commits
        ]
        at_once(random.Random(count).sample(commands, count))
        text = git(server.root / "manifests.git", "show", "main:deploy/dev/web/deployment.apps-web.yaml")
        assert f"{IMAGE}:{count - 1}@" in text
        assert bool(server.traffic.lost) == bool(lose_every)
        check_equal(server, serial, commands)
