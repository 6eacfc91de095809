"""What pages are made of: escaped texts, links to the web, a policy that lets their own script run alone. Pure."""

from __future__ import annotations

import base64
import hashlib
import html
from importlib.resources import files
from string import Template

from headgate.report.escapes import visible


def escaped(text: str) -> str:
    """Return a text within HTML, invisible characters by their number."""
    return html.escape(visible(text, "\t\n"))


def link(text: str, url: str) -> str:
    """Return a link to the web, or the text alone where the address is none of the web."""
    is_web = url.startswith(("https://", "http://"))
    return f'<a href="{escaped(url)}" rel="noreferrer">{escaped(text)}</a>' if is_web else escaped(text)


def page(
    name: str, *, title: str, body: str, searched: str, header: str = "", choices: str = "", buttons: str = ""
) -> str:
    """Return a page with the style and script of a name in it. All parts are HTML.

    ``searched`` names what its filter finds, ``choices`` are that filter's options.
    """
    style, script = (_asset(f"frame.{kind}") + _asset(f"{name}.{kind}") for kind in ("css", "js"))
    return Template(_asset("frame.html")).substitute(
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        title=title,
        body=body,
        searched=searched,
        header=header,
        choices=choices,
        buttons=buttons,
    )


def option(value: str, text: str) -> str:
    """Return an option of the filter."""
    return f'<option value="{escaped(value)}">{escaped(text)}</option>'


def _hash(text: str) -> str:
    """Return what lets an inline style or script through: https://www.w3.org/TR/CSP3/#grammardef-hash-source."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _asset(name: str) -> str:
    return files("headgate.report").joinpath("assets", name).read_text(encoding="utf-8")
