"""The engine: its versions of Helm and Kustomize, its location, and how to get it."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path

from headgate import PINNED
from headgate.errors import ToolError

ENGINE = "headgate-engine"


def own_folder() -> Path:
    """Return the folder of ``make tools``: ``HEADGATE_TOOLS``, or ``.tools`` of the checkout."""
    return Path(os.environ.get("HEADGATE_TOOLS") or Path(__file__).resolve().parents[2] / ".tools")


@cache
def find_engine() -> Path:
    """Find the engine in the project's own folder or on PATH; its greeting has its version. Raises ToolError."""
    own = own_folder() / ENGINE
    if own.is_file():
        return own
    on_path = shutil.which(ENGINE)
    if on_path:
        return Path(on_path)
    raise ToolError(
        f"{ENGINE} not found",
        hint=f"run 'make tools' in a checkout of Headgate to build it in {own_folder()}, or use Headgate's image",
    )


@cache
def engine_version(engine: str) -> str:
    """Return the version of an engine as in headgate.lock; empty for plain YAML."""
    if engine in PINNED:
        return PINNED[engine]
    if engine == "jinja2":
        from importlib.metadata import version  # noqa: PLC0415  slow to import, and rarely needed

        return version("jinja2")
    return ""
