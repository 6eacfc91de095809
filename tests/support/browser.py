"""A Chromium that opens a page, where there is one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

BROWSER = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None)


def dom_of(page: Path) -> str:
    """Return what a page has become once its script ran."""
    done = subprocess.run(
        [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", f"file://{page}"],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout
