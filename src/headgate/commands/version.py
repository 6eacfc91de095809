"""``headgate version``: Headgate's own version, the engine's, and whether it can lock itself in here."""

from __future__ import annotations

import platform
from json import dumps

from headgate import PINNED, __version__, tools
from headgate.engine import pool
from headgate.errors import ToolError


def engine_line() -> str:
    """Return the line of a job's log that names the engine, and whether it is locked in."""
    locked, reason = pool.status()
    versions = ", ".join(f"{name} {version}" for name, version in PINNED.items())
    is_missing = tools.find_validator() is None and not tools.validator_is_left_out()
    validator = "; headgate-validator not installed, so nothing is validated" if is_missing else ""
    return f"engine: {versions}, {'locked in (seccomp)' if locked else f'not locked in: {reason}'}{validator}"


def run(*, json: bool = False) -> int:
    """Print the versions and return 0, or the code of a missing tool when one is missing."""
    facts, code = _facts()
    if json:
        values = {name: value or None for name, value in facts.items()}
        own = {"headgate": __version__, "python": platform.python_version()}
        print(dumps({"version": 1, **values, **own}, indent=2))  # noqa: T201  the answer itself
    else:
        print("\n".join(f"{name:<10} {value or _MISSING[name]}" for name, value in facts.items()))  # noqa: T201
    return code


_MISSING = {"validator": "missing; make validator builds it"}


def _facts() -> tuple[dict[str, str], int]:
    """Return the versions and places by name, and the exit code."""
    facts = {"headgate": f"{__version__}  (Python {platform.python_version()})"}
    code = 0
    try:
        path = tools.find_engine()
        locked, reason = pool.status()
        facts |= {**PINNED, "engine": str(path), "sandbox": "seccomp" if locked else f"none: {reason}"}
    except ToolError as error:
        facts["engine"] = f"missing: {error}"
        code = error.code
    facts |= {"validator": str(tools.find_validator() or ""), "jinja2": tools.engine_version("jinja2")}
    return facts, code
