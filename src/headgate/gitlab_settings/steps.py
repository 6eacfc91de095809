"""The steps in GitLab for people: the texts of ``scaffold/steps``, with the settings that are not written yet. Pure.

``{NAME}`` before a line of those names a setting: the line goes when that is done; alone it stands for its place.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from headgate.gitlab_settings.wanted import Layout, shown
from headgate.report.terminal import WIDTH
from headgate.scaffolding import steps_text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from headgate.scaffolding import Installation

_SETTING = re.compile(r"   - \{([a-z_]+)\} ?(.*)")


def layout_of(wanted: Installation) -> Layout:
    """Return the projects of an installation with its first app."""
    is_reviewed = any(delivery == "review" for _, delivery in wanted.environments)
    intake = wanted.intake if wanted.setup == "intake" else ""
    needs_bot = wanted.setup != "direct" or is_reviewed
    return Layout(
        setup=wanted.setup, manifests=wanted.project, intake=intake, apps=(wanted.app_project,), needs_bot=needs_bot
    )


def steps(wanted: Installation, *, for_another_app: bool = False, done: Collection[str] = ()) -> str:
    """Return the steps in GitLab: all, or those for another app; without the settings that are ``done``."""
    places = {setting.name: setting.place + setting.more for setting in shown(layout_of(wanted))}
    items = re.split(r"(?m)^[0-9]+\. ", steps_text(wanted, for_another_app=for_another_app))[1:]
    left = [text for text in (_without(item, places, done) for item in items) if text]
    return "".join(f"{number}. {text}" for number, text in enumerate(left, start=1))


def _without(item: str, places: Mapping[str, str], done: Collection[str]) -> str:
    """Return an item without done settings; empty if all are done."""
    head, *bullets = re.split(r"(?m)^(?=   - )", item)
    left = [
        _line(bullet, places) for bullet in bullets if (found := _name(bullet)) not in done and _is_there(found, places)
    ]
    return "" if bullets and not left else head + "".join(left)


def _name(bullet: str) -> str:
    found = _SETTING.match(bullet)
    return found[1] if found else ""


def _is_there(name: str, places: Mapping[str, str]) -> bool:
    """Whether this installation has the setting; lines without a setting always apply."""
    return not name or name in places


def _line(bullet: str, places: Mapping[str, str]) -> str:
    """Return the printed lines of a setting, as wide as a terminal."""
    found = _SETTING.match(bullet)
    text = places[found[1]] if found and not found[2] else bullet.replace("   - ", "", 1)
    text = text.replace(f"{{{found[1]}}} ", "", 1) if found else text
    options = {"break_long_words": False, "break_on_hyphens": False}
    text = " ".join(text.split())
    lines = textwrap.wrap(text, WIDTH, initial_indent="   - ", subsequent_indent="     ", **options)  # type: ignore[arg-type]
    return "\n".join(lines) + "\n"
