"""Killed at every step of a delivery: the remote holds the old state or the new one, and the next run completes it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.githttp import allow_partial, serve
from support.manifests import DIGEST, git
from support.stage import IMAGE, Stage

SETTINGS = """
version: 1
environments:
  dev: {takes: {branch: main}, delivery: commit}
  production: {takes: {branch: main}, delivery: review}
"""
MAIN, PROPOSAL = "refs/heads/main", "refs/heads/headgate/production/web"
MOST_CALLS = 60


KILLS = "kill -9 $PPID; exit"
"""What kills the program that calls git, and leaves out what it was called for."""


def write_git(folder: Path, at: int, what: str = KILLS, *, before: bool = True) -> None:
    """Put a git in front of git that runs a line of shell before or after its call number ``at``.

    ``cat-file`` is no call that counts: it goes on until its caller ends, and changes nothing.
    """
    real = shutil.which("git")
    folder.mkdir(exist_ok=True)
    (folder / "count").write_text("0")
    (folder / "git").write_text(
        f"""#!/bin/sh
case "$*" in *" cat-file "*) exec {real} "$@" ;; esac
count=$(($(cat {folder}/count) + 1))
echo $count > {folder}/count
[ $count = {at} ] || exec {real} "$@"
{"" if before else f'{real} "$@"'}
{what}
exec {real} "$@"
"""
    )
    (folder / "git").chmod(0o755)


def refs(remote: Path) -> dict[str, str]:
    """Return the files that each branch of the remote holds, as an id."""
    names = git(remote, "for-each-ref", "--format=%(refname)", "refs/heads").splitlines()
    return {name: git(remote, "rev-parse", f"{name}^{{tree}}") for name in names}


def command(stage: Stage, program: list[str], to: str) -> list[str]:
    """Return the command line of the hand-off."""
    named = ["--manifests", to, "--project", "acme/web", "--source", str(stage.app), "--image", f"{IMAGE}:1.0@{DIGEST}"]
    return [*program, "deliver", *named, "--commit", git(stage.app, "rev-parse", "HEAD")]


def prepared(stage: Stage) -> dict[str, str]:
    """Let one hand-off go to the default branch and to a proposal; return what the remote holds before."""
    stage.change({"headgate.yaml": SETTINGS})
    allow_partial(stage.remote)
    return refs(stage.remote)


def reset(stage: Stage, start: str) -> None:
    """Take the remote and the checkout back to where they were."""
    git(stage.remote, "update-ref", MAIN, start)
    for ref in git(stage.remote, "for-each-ref", "--format=%(refname)").splitlines():
        if ref != MAIN:
            git(stage.remote, "update-ref", "-d", ref)
    git(stage.manifests.path, "reset", "--quiet", "--hard", start)


# What is there before a call is what was there after the one before it, so CI has each of the two once.
@pytest.mark.parametrize(
    ("where", "before"),
    [
        pytest.param("address", False, id="address-after", marks=pytest.mark.long),
        pytest.param("checkout", True, id="checkout-before", marks=pytest.mark.long),
        pytest.param("address", True, id="address-before", marks=pytest.mark.soak),
        pytest.param("checkout", False, id="checkout-after", marks=pytest.mark.soak),
    ],
)
def test_killed_at_any_call_of_git_nothing_is_half_done(
    stage: Stage, headgate_program: list[str], tmp_path: Path, where: str, before: bool
) -> None:
    old, start = prepared(stage), git(stage.remote, "rev-parse", MAIN)
    shim = tmp_path / "shim"
    with serve(stage.remote.parent) as server:
        git(stage.manifests.path, "remote", "set-url", "origin", f"{server.url}/manifests.git")
        to = f"{server.url}/manifests.git" if where == "address" else str(stage.manifests.path)
        subprocess.run(command(stage, headgate_program, to), check=True, capture_output=True)
        new = refs(stage.remote)
        assert new.keys() == {MAIN, PROPOSAL}

        seen = []
        for at in range(1, MOST_CALLS):
            reset(stage, start)
            write_git(shim, at, before=before)
            env = {**os.environ, "PATH": f"{shim}:{os.environ['PATH']}"}
            killed = subprocess.run(command(stage, headgate_program, to), env=env, capture_output=True, check=False)
            held = refs(stage.remote)
            assert held in (old, new), f"killed at call {at}"
            git(stage.remote, "fsck", "--strict")
            if killed.returncode == 0:
                break
            assert killed.returncode == -9, killed.stderr
            seen.append(held == new)
            again = subprocess.run(command(stage, headgate_program, to), capture_output=True, text=True, check=False)
            assert again.returncode == 0, again.stderr
            assert refs(stage.remote) == new, f"killed at call {at}"
            if where == "checkout":
                assert git(stage.manifests.path, "status", "--porcelain") == ""
                assert git(stage.manifests.path, "rev-parse", "HEAD") == git(stage.remote, "rev-parse", MAIN)
        assert killed.returncode == 0, "it was killed at each of its calls, so none of them was the last"
        assert at > 5
        assert False in seen
        assert before or True in seen
