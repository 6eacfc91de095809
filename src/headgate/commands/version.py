"""``headgate version``: Headgate's own version, the tools', and where they were found."""

from __future__ import annotations

import platform

from headgate import PINNED, __version__, tools
from headgate.errors import ToolError


def lines() -> tuple[list[str], int]:
    """Return the lines to print, and the exit code: that of a missing tool when one is missing."""
    told = [f"headgate   {__version__}  (Python {platform.python_version()})"]
    code = 0
    for name in PINNED:
        try:
            tool = tools.find(name)
            told.append(f"{name:<10} {tool.version}  {tool.path}")
        except ToolError as error:
            told.append(f"{name:<10} missing: {error}")
            code = error.code
    told.append(f"jinja2     {tools.engine_version('jinja2')}")
    return told, code
