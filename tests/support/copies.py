"""Folders that are made once for all tests of a process, and copied by each that needs one."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path


def folder_of_the_process(name: str) -> Path:
    """Return a new folder that is removed when the process ends.

    Others may read it, unlike what mkdtemp makes, since the mode is copied with it, and a container runs as a user of
    its own.
    """
    parent = Path(tempfile.mkdtemp(prefix="headgate-test-"))
    atexit.register(shutil.rmtree, parent)
    folder = parent / name
    folder.mkdir()
    return folder
