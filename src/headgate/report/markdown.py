"""GitLab's Markdown around untrusted text, which must not become formatting, mentions, references or quick actions.

Text that an app can choose goes into code, where GitLab interprets nothing
(https://docs.gitlab.com/user/markdown/#code-spans-and-blocks). Where code is impossible, as in titles, `plain` breaks
up the syntax.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from headgate.report.escapes import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

_SKIP = re.compile(r"\[(ci[ _-]skip|skip[ _-]ci)\]", re.IGNORECASE)
_OURS = re.compile(r"<!--(?=\s*headgate)", re.IGNORECASE)
_WORD_JOINER = "\u2060"
_STARTS = "@#!~%$&^*[\\"
"""The first characters of references: https://docs.gitlab.com/user/markdown/#gitlab-specific-references."""


def _harmless(text: str) -> str:
    """Break up ``[skip ci]`` and Headgate's own markers."""
    return _OURS.sub("<! --", _SKIP.sub(r"(\1)", text))


def single_line(text: str, limit: int = 0) -> str:
    """Return a text on one line, shortened to ``limit`` characters; 0 is no limit."""
    line = visible(" ".join(text.split()))
    return line if not limit or len(line) <= limit else f"{line[: limit - 3]}..."


def plain(text: str, limit: int = 0) -> str:
    """Return a text for places without code, such as a title or the description of a status.

    An invisible word joiner breaks up references, quick actions and HTML.
    """
    line = _harmless(single_line(text))
    line = re.sub(rf"(?<!\w)([{re.escape(_STARTS)}])(?=\S)", rf"\1{_WORD_JOINER}", line)
    line = re.sub(r"([#!~%$&^])(?=[\w\"'])", rf"\1{_WORD_JOINER}", line)  # acme/shop!1 is a reference too
    line = re.sub(r"([`<])", rf"\1{_WORD_JOINER}", line)
    line = re.sub(r":(?=//|[\w+-]+:)", f":{_WORD_JOINER}", line)  # links, emoji
    line = re.sub(r"\bwww\.", f"www{_WORD_JOINER}.", line, flags=re.IGNORECASE)
    line = f"{_WORD_JOINER}{line}" if line.startswith(("/", "-", "+", ">", "=")) else line
    return line if not limit or len(line) <= limit else f"{line[: limit - 3]}..."


def prose(text: str, limit: int = 0) -> str:
    """Return a text for use within Markdown, with its own formatting escaped.

    https://spec.commonmark.org/0.31.2/#backslash-escapes
    """
    return re.sub(r"([\\`*_{}\[\]()<>#|~])", r"\\\1", plain(text, limit))


def code(text: str, limit: int = 200) -> str:
    """Return a text as inline code; backticks become apostrophes, so that nothing can end it.

    https://spec.commonmark.org/0.31.2/#code-spans
    """
    line = _harmless(single_line(text, limit)).replace("`", "'")
    return f"`{line}`" if line else "` `"


def cell(text: str, limit: int = 200) -> str:
    """Return a text as code in a table cell, where a ``|`` would end the cell even within code."""
    return code(text.replace("|", "\u00a6"), limit)


def in_html(text: str, limit: int = 200) -> str:
    """Return a text as code in HTML on one line, such as a ``<summary>``."""
    return f"<code>{html.escape(_harmless(single_line(text, limit)))}</code>"


def block(lines: Iterable[str], language: str = "") -> str:
    """Return lines as a code block, with a fence that none of them can close."""
    text = _harmless("\n".join(visible(line, "\t") for line in lines))
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def link(text: str, url: str) -> str:
    """Return a link. ``text`` is Markdown; ``url`` may be any text."""
    return f"[{text}]({quote(url, safe=_IN_URLS)})"


_IN_URLS = "/:?&=%#@,;+-._~"


def details(summary: str, body: str, *, is_open: bool = False) -> str:
    """Return a collapsible section. ``summary`` is HTML on one line, ``body`` is Markdown."""
    return f"<details{' open' if is_open else ''}><summary>{summary}</summary>\n\n{body}\n\n</details>"
