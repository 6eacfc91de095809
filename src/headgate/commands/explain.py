"""``headgate explain``: the meaning of an exit code, a rule or a flag, and what to do."""

from __future__ import annotations

import json as json_format
import textwrap

from headgate.report.explanations import explanation

_WIDTH = 80


def run(code: str, *, json: bool = False) -> int:
    """Print the explanation and return 0. Raises ArgumentError for an unknown code."""
    found = explanation(code)
    if json:
        facts = {"title": found.title, "means": found.means or None, "advice": found.advice}
        print(json_format.dumps({"version": 1, "code": code, **facts}, indent=2))  # noqa: T201  the answer itself
    else:
        texts = (f"{code}: {found.title}", found.means, found.advice)
        print("\n".join(textwrap.fill(text, _WIDTH) for text in texts if text))  # noqa: T201  the answer itself
    return 0
