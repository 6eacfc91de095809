"""The engine and the validator: their versions, their location, and how to get them."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path

from headgate import PINNED
from headgate.errors import ToolError

ENGINE = "headgate-engine"
READER = "headgate-reader"
VALIDATOR = "headgate-validator"
CLUSTER_PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kubectl",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
    "source-controller",
    "kustomize-controller",
    "notification-controller",
)
"""What ``make cluster-tools`` builds: a cluster with Flux, for tests and ``headgate demo --cluster``."""


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


def find_reader() -> Path:
    """Find the reader next to the engine, which can do all that it does. Raises ToolError."""
    engine = find_engine()
    reader = engine.with_name(READER)
    return reader if reader.is_file() else engine


def validator_is_left_out() -> bool:
    """Whether somebody wants no validator: ``HEADGATE_VALIDATOR`` is ``none``."""
    return os.environ.get("HEADGATE_VALIDATOR") == "none"


def find_validator() -> Path | None:
    """Find the validator as the engine is found; None where it is not there.

    ``HEADGATE_VALIDATOR`` names another program, or ``none``.
    """
    named = os.environ.get("HEADGATE_VALIDATOR", "")
    if named:
        return None if validator_is_left_out() else Path(named)
    own = own_folder() / VALIDATOR
    if own.is_file():
        return own
    on_path = shutil.which(VALIDATOR)
    return Path(on_path) if on_path else None


@cache
def engine_version(engine: str) -> str:
    """Return the version of an engine as in headgate.lock; empty for plain YAML."""
    if engine in PINNED:
        return PINNED[engine]
    if engine == "jinja2":
        from importlib.metadata import version  # noqa: PLC0415  slow to import, and rarely needed

        return version("jinja2")
    return ""
