"""GitLab's Markdown around what others wrote: none of that may be formatting, a mention, a reference or an order.

Everything that an app can choose stands in code, where GitLab looks for none of it
(https://docs.gitlab.com/user/markdown/#code-spans-and-blocks); where that cannot be, as in titles, `plain` breaks it
up.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
"""Unicode's categories of characters that are not seen: control, direction of writing, joiners, lone surrogates."""
_SKIP = re.compile(r"\[(ci[ _-]skip|skip[ _-]ci)\]", re.IGNORECASE)
_OURS = re.compile(r"<!--(?=\s*headgate)", re.IGNORECASE)
_WORD_JOINER = "\u2060"
_STARTS = "@#!~%$&^*[\\"
"""What references begin with: https://docs.gitlab.com/user/markdown/#gitlab-specific-references."""


def visible(text: str, keep: str = "") -> str:
    """Make characters that nobody sees visible, by their number, but for those to ``keep``."""
    return "".join(
        char
        if char in keep or unicodedata.category(char) not in _HIDDEN
        else f"\\u{ord(char):04x}"
        if ord(char) < 0x10000  # noqa: PLR2004  where four digits end
        else f"\\U{ord(char):08x}"
        for char in text
    )


def _harmless(text: str) -> str:
    """Keep a text from being an order to start no pipeline, and from looking like our marks."""
    return _OURS.sub("<! --", _SKIP.sub(r"(\1)", text))


def one_line(text: str, most: int = 0) -> str:
    """Return a text on one line, shortened to ``most`` characters; 0 is no limit."""
    line = visible(" ".join(text.split()))
    return line if not most or len(line) <= most else f"{line[: most - 3]}..."


def plain(text: str, most: int = 0) -> str:
    """Return a text for where there is no code, such as a title or the description of a status.

    An invisible word joiner stands behind what begins references, and in front of what would be an order or HTML.
    """
    line = _harmless(one_line(text))
    line = re.sub(rf"(?<!\w)([{re.escape(_STARTS)}])(?=\S)", rf"\1{_WORD_JOINER}", line)
    line = re.sub(r"([#!~%$&^])(?=[\w\"'])", rf"\1{_WORD_JOINER}", line)  # acme/shop!1 is a reference too
    line = re.sub(r"([`<])", rf"\1{_WORD_JOINER}", line)
    line = re.sub(r":(?=//|[\w+-]+:)", f":{_WORD_JOINER}", line)  # links, emoji
    line = re.sub(r"\bwww\.", f"www{_WORD_JOINER}.", line, flags=re.IGNORECASE)
    line = f"{_WORD_JOINER}{line}" if line.startswith(("/", "-", "+", ">", "=")) else line
    return line if not most or len(line) <= most else f"{line[: most - 3]}..."


def prose(text: str, most: int = 0) -> str:
    """Return a text within Markdown, without formatting of its own.

    https://spec.commonmark.org/0.31.2/#backslash-escapes
    """
    return re.sub(r"([\\`*_{}\[\]()<>#|~])", r"\\\1", plain(text, most))


def code(text: str, most: int = 200) -> str:
    """Return a text as code within a line, a backtick in it as an apostrophe, so that nothing can end it.

    https://spec.commonmark.org/0.31.2/#code-spans
    """
    line = _harmless(one_line(text, most)).replace("`", "'")
    return f"`{line}`" if line else "` `"


def cell(text: str, most: int = 200) -> str:
    """Return a text as code in a cell of a table, where a ``|`` would end the cell even within code."""
    return code(text.replace("|", "\u00a6"), most)


def in_html(text: str, most: int = 200) -> str:
    """Return a text as code within HTML on one line, as in a ``<summary>``."""
    return f"<code>{html.escape(_harmless(one_line(text, most)))}</code>"


def block(lines: Iterable[str], language: str = "") -> str:
    """Return lines as a block of code, in a fence that none of them can close."""
    text = _harmless("\n".join(visible(line, "\t") for line in lines))
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def link(text: str, url: str) -> str:
    """Return a link. ``text`` is Markdown already; ``url`` may hold anything."""
    return f"[{text}]({quote(url, safe=_IN_URLS)})"


_IN_URLS = "/:?&=%#@,;+-._~"


def details(summary: str, body: str, *, is_open: bool = False) -> str:
    """Return what opens when it is clicked. ``summary`` is HTML on one line, ``body`` is Markdown."""
    return f"<details{' open' if is_open else ''}><summary>{summary}</summary>\n\n{body}\n\n</details>"
