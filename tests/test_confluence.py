"""Hand-offs of ordered versions, and runs that nobody asked for, in any order and many at once, end in one state."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from support.cli import headgate
from support.manifests import ManifestRepository, git, make_empty
from support.processes import each_in_a_process

SETTINGS = """
version: 1
environments:
  dev: {takes: {branch: main}, delivery: commit}
  production: {takes: {branch: main}, delivery: review}
"""
PARTS = ("web", "api", "worker")
VERSIONS = 10
TEMPLATE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {level: "{{ values.level }}"}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
"""


def make_apps(folder: Path) -> dict[str, list[str]]:
    """Make a repository for each part, and return their commits. web brings the app's values too."""
    found: dict[str, list[str]] = {}
    for part in PARTS:
        (folder / part / "deploy").mkdir(parents=True)
        make_empty(folder / part)
        found[part] = []
        for number in range(1, VERSIONS + 1):
            (folder / part / "deploy/values.yaml").write_text(f'level: "{number}"\n')
            git(folder / part, "add", "--all")
            git(folder / part, "commit", "--quiet", "--message", str(number))
            found[part].append(git(folder / part, "rev-parse", "HEAD"))
    return found


def make_manifests(folder: Path) -> Path:
    """Make an empty manifest repository for an app of three images, each of a project of its own."""
    containers = "".join(f"      - {{name: {part}, image: registry.example.com/acme/{part}}}\n" for part in PARTS)
    images = "".join(
        f"  {part}: {{repository: registry.example.com/acme/{part}, project: acme/{part}}}\n" for part in PARTS
    )
    app = f"images:\n{images}template: web\nconfig: {{project: acme/web, path: deploy}}\ngrant: [level]\n"
    made = ManifestRepository.make(folder / "manifests")
    made.write({"headgate.yaml": SETTINGS, "templates/web/web.yaml.j2": TEMPLATE + containers})
    made.write({"apps/shop/app.yaml": app}).commit("Begin")
    remote = folder / "manifests.git"
    git(folder, "clone", "--quiet", "--bare", str(made.path), str(remote))
    git(remote, "config", "uploadpack.allowFilter", "true")
    git(remote, "config", "uploadpack.allowAnySHA1InWant", "true")
    return remote


def interleaved(seed: int, apps: Path, commits: dict[str, list[str]], folder: Path) -> str:
    """Hand all versions off in a random order, four at a time, with runs between; return what stands in the end."""
    remote = make_manifests(folder)
    at = ["--manifests", remote.as_uri()]
    chance = random.Random(seed)
    todo = [
        [
            *("deliver", "--project", f"acme/{part}", "--commit", commits[part][number - 1], "--by", "Ada"),
            *("--source", str(apps / part)),
            *("--image", f"registry.example.com/acme/{part}:{number}@sha256:{number:064x}"),
        ]
        for part in PARTS
        for number in range(1, VERSIONS + 1)
    ]
    todo += [["rehydrate"], ["refresh"]] * 3
    chance.shuffle(todo)

    runs = each_in_a_process([[*command, *at] for command in todo], 4)
    assert [(command, ran) for command, ran in runs if ran.code] == [], seed
    for command in ("rehydrate", "verify"):
        ran = headgate(command, *at)
        assert ran.code == 0, (seed, ran)
    kept = ("releases/", "deploy/")
    branches = {"main": "dev", "headgate/production/shop": "production"}
    for branch, environment in branches.items():
        workload = git(remote, "show", f"{branch}:deploy/{environment}/shop/deployment.apps-web.yaml")
        assert [part for part in PARTS if f"image: registry.example.com/acme/{part}:{VERSIONS}@" not in workload] == []
    listed = [git(remote, "ls-tree", "-r", branch) for branch in branches]
    lines = [line for text in listed for line in text.splitlines() if any(name in line for name in kept)]
    return "\n".join(line for line in lines if not line.endswith("proposal.yaml"))


def check(seeds: range, tmp_path: Path) -> None:
    """Assert that all interleavings end in the same state, with the newest of everything."""
    commits = make_apps(tmp_path)
    states = {}
    for seed in seeds:
        folder = tmp_path / str(seed)
        folder.mkdir()
        states[seed] = interleaved(seed, tmp_path, commits, folder)
    first = states[seeds[0]]
    differing = {seed: sorted({*state.splitlines()} ^ {*first.splitlines()}) for seed, state in states.items()}
    assert {seed: lines for seed, lines in differing.items() if lines} == {}


@pytest.mark.long
def test_any_interleaving_ends_in_the_same_state(tmp_path: Path) -> None:
    check(range(20), tmp_path)


@pytest.mark.soak
def test_many_interleavings_end_in_the_same_state(tmp_path: Path) -> None:
    check(range(20, 220), tmp_path)
