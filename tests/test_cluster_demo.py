"""``headgate demo --cluster``: the way of a push to pods that run, shown in a terminal."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from support.rollout import SECONDS

pytestmark = pytest.mark.cluster

STEPS = (
    "Dana pushes a version of acme/shop.",
    "s  its pipeline has built the image and hands it off",
    "s  the final YAML is a commit of acme/manifests",
    "Deliver shop to dev: acme/shop@",
    "s  Flux has fetched it",
    "s  Flux has applied it",
    "s  its pods are ready",
    "s  Flux says that it is healthy",
    "s  GitLab's deployment of it in acme/shop is a success",
    "deployment.apps/shop   3/3",
    "s  since dev is healthy, production is proposed",
    "Promote shop to production",
    "Max reads the final YAML, and merges.",
    "s  Flux says that it is healthy",
    "s  GitLab's deployment of it in acme/shop is a success",
)


def test_the_whole_line_is_shown_and_nothing_stays(headgate_program: list[str], tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    command = [*headgate_program, "demo", "--cluster"]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=2 * SECONDS)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(".*".join(re.escape(step) for step in STEPS), ran.stdout, re.DOTALL), ran.stdout
    assert list(tmp_path.glob("headgate-cluster-*")) == []
