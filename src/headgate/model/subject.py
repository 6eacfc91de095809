"""The template of a commit's subject: which fields it may have. Pure."""

from __future__ import annotations

import string

FIELDS = ("action", "apps", "environments", "what")
"""The fields of a subject's template."""


def unknown_field(template: str) -> str | None:
    """Return the first name in a subject's template that is not in `FIELDS`, or None.

    Raises ValueError when braces do not match or contain more than a name.
    """
    for _, name, form, conversion in string.Formatter().parse(template):
        if form or conversion:
            raise ValueError("braces may contain only names")
        if name is not None and name not in FIELDS:
            return name
    return None
