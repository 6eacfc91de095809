"""Helm and Kustomize: which versions are pinned, where they are found, how to get them."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from headgate import PINNED, process
from headgate.errors import ToolError

_VERSION_ARGUMENTS = {"helm": ("version", "--template", "{{.Version}}"), "kustomize": ("version",)}


@dataclass(frozen=True)
class Tool:
    """A program of the pinned version, and where it was found."""

    name: str
    version: str
    path: Path


def own_folder() -> Path:
    """Return where ``make tools`` puts the tools: ``HEADGATE_TOOLS``, or ``.tools`` of the checkout."""
    return Path(os.environ.get("HEADGATE_TOOLS") or Path(__file__).resolve().parents[2] / ".tools")


@cache
def find(name: str) -> Tool:
    """Find a tool: on PATH when its version is the pinned one, else in the project's own folder.

    Raises ToolError that says what was found instead and how to get the tool.
    """
    pinned = PINNED[name]
    found = []
    on_path = shutil.which(name)
    for path in (Path(on_path) if on_path else None, own_folder() / name):
        if path is None or not path.is_file():
            continue
        version = version_of(name, path)
        if version == pinned:
            return Tool(name, version, path)
        found.append(f"{path} is {version or 'of an unknown version'}")
    raise ToolError(
        f"{name} {pinned} is not here" + (f" ({'; '.join(found)})" if found else ""),
        hint=f"'make tools' in a checkout of Headgate builds it into {own_folder()}, "
        "Headgate's image has it, or put that version on PATH",
    )


def version_of(name: str, path: Path) -> str:
    """Ask a tool for its version; an empty string when it does not tell."""
    try:
        done = process.run([str(path), *_VERSION_ARGUMENTS[name]], env={"PATH": ""}, limits=process.Limits(seconds=20))
    except (process.ProcessError, ToolError):
        return ""
    match = re.search(rb"v?(\d+\.\d+\.\d+\S*)", done.stdout)
    return match[1].decode() if match else ""


@cache
def engine_version(engine: str) -> str:
    """Return the version of an engine, as headgate.lock names it; empty for plain YAML, which needs no program.

    Raises ToolError when the engine is not here.
    """
    if engine in PINNED:
        return find(engine).version
    if engine == "jinja2":
        from importlib.metadata import version  # noqa: PLC0415  slow to import, and seldom needed

        return version("jinja2")
    return ""
