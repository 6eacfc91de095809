"""The programs of Helm and Kustomize, of the versions whose libraries are in the engine: what they print is right."""

from __future__ import annotations

import shutil
from pathlib import Path

from headgate import tools


def judge(name: str) -> Path:
    """Return a program that ``make judges`` built, or one in PATH."""
    own = tools.own_folder() / name
    found = str(own) if own.is_file() else shutil.which(name)
    assert found, f"no {name}: run 'make judges'"
    return Path(found)
