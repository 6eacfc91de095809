"""The tutorial: its commands are run in their order, in an empty folder, and print what it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs/tutorial.md"
BLOCK = re.compile(r"^```(sh|output)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.long
@pytest.mark.usefixtures("clean_user")
def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    headgate = programs / "headgate"
    headgate.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m headgate "$@"\n')
    headgate.chmod(0o755)
    folder = tmp_path / "work"
    folder.mkdir()
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "COLUMNS": "80"}
    printed = ""
    blocks = BLOCK.findall(PAGE.read_text())
    assert len(blocks) > 8
    for kind, text in blocks:
        if kind == "output":
            missing = [line for line in text.splitlines() if line.rstrip() not in printed]
            assert not missing, printed
            continue
        script = f"set -eu\n{text}"
        ran = subprocess.run(
            ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, f"{text}\n{ran.stdout}{ran.stderr}"
        printed = ran.stdout
