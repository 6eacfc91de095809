"""``headgate version``: Headgate's own version, the engine's, and whether it can lock itself in here."""

from __future__ import annotations

import platform

from headgate import PINNED, __version__, tools
from headgate.engine import pool
from headgate.errors import ToolError


def engine_line() -> str:
    """Say in a job's log what renders, and whether it is locked in."""
    locked, reason = pool.status()
    versions = ", ".join(f"{name} {version}" for name, version in PINNED.items())
    is_missing = tools.find_validator() is None and not tools.validator_is_left_out()
    validator = "; no headgate-validator here, so nothing is judged as a server would" if is_missing else ""
    return f"engine: {versions}, {'locked in (seccomp)' if locked else f'not locked in: {reason}'}{validator}"


def lines() -> tuple[list[str], int]:
    """Return the lines to print, and the exit code: that of a missing tool when one is missing."""
    found = [f"headgate   {__version__}  (Python {platform.python_version()})"]
    code = 0
    try:
        path = tools.find_engine()
        locked, reason = pool.status()
        found += [f"{name:<10} {version}" for name, version in PINNED.items()]
        found.append(f"engine     {path}")
        found.append(f"sandbox    {'seccomp' if locked else f'none: {reason}'}")
    except ToolError as error:
        found.append(f"engine     missing: {error}")
        code = error.code
    found.append(f"validator  {tools.find_validator() or 'missing; make validator builds it'}")
    found.append(f"jinja2     {tools.engine_version('jinja2')}")
    return found, code
