"""A Chromium that opens a page, where there is one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

BROWSER = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None)


def dom_of(page: Path) -> str:
    """Return what a page has become once its script ran."""
    return _opened(page, "--dump-dom").decode()


def picture_of(page: Path, to: Path, width: int, height: int, *, dark: bool = False) -> None:
    """Write a PNG of what somebody sees whose window has so many pixels, and who prefers dark pages or not."""
    # Blink's names for a preferred color scheme: 0 is dark, 1 is light.
    wishes = [f"--screenshot={to}", f"--window-size={width},{height}", "--hide-scrollbars"]
    _opened(page, *wishes, f"--blink-settings=preferredColorScheme={0 if dark else 1}")


def _opened(page: Path, *wishes: str) -> bytes:
    args = [
        str(BROWSER),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        *wishes,
        f"file://{page}",
    ]
    return subprocess.run(args, check=True, capture_output=True, timeout=120).stdout
