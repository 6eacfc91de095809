"""The notes of a release: its section of CHANGELOG.md."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from failure import ReleaseError, ended
from headgate.errors import Location

CHANGELOG = Path(__file__).resolve().parents[1] / "CHANGELOG.md"
UNRELEASED = "Unreleased"


def notes_of(text: str, title: str) -> str:
    """Return what stands in a changelog under ``## TITLE``, with a date behind it or not: ``## 1.2.3 (2026-11-23)``.

    Raises ReleaseError when there is no such section, more than one, or nothing in it.
    """
    headings = re.split(r"^## (\S+).*$", text, flags=re.MULTILINE)
    found = [body.strip() for name, body in zip(headings[1::2], headings[2::2], strict=True) if name == title]
    if len(found) != 1:
        raise ReleaseError(
            f"{len(found) or 'no'} section{'s' if found else ''} '## {title}'",
            where=Location(CHANGELOG.name),
            hint=f"the release takes its notes from there: rename '## {UNRELEASED}' to '## {title} (DATE)'",
        )
    if not found[0]:
        raise ReleaseError(f"nothing stands under '## {title}'", where=Location(CHANGELOG.name))
    return f"{found[0]}\n"


def main() -> None:
    """Print the notes of the version that is given, for the keyword ``release:`` of .gitlab-ci.yml."""
    print(notes_of(CHANGELOG.read_text(encoding="utf-8"), sys.argv[1]), end="")


if __name__ == "__main__":
    ended(main)
