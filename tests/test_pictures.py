"""What people see in a browser, compared with the pictures of it in the documentation, which a person looked at.

They are compared coarsely: fonts and the browser's version may differ, a layout or a colour that is lost may not.
`pytest tests/test_pictures.py --update-golden` takes them anew; look at them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from PIL import Image, ImageChops

from headgate.flux.verdict import Health
from headgate.model import FreezeRecord, PinRecord, Release, ReleasedImage
from headgate.report.describe import describe
from headgate.report.html import to_html
from headgate.report.site_facts import RequestLink, SiteFacts
from headgate.report.site_overview import overview
from headgate.repository.gitlog import LogEntry
from headgate.state.proposals import Proposed
from headgate.state.status import AppStatus
from support.browser import BROWSER, picture_of
from support.manifests import DIGEST
from test_report_snapshots import URL, example
from test_site import NOW

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
CELL = 16
"""Pixels of a side of what is compared as one: some letters."""
MOST = 0.04
"""Share of cells that may differ."""
LEAST = 40
"""Difference of a colour, of 255, that counts."""

# What GitLab does to a description, as far as its look goes.
FRAME = """<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<style>body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 1rem auto; padding: 0 1rem }}
code, pre {{ font: 13px/1.4 ui-monospace, monospace }}
pre {{ overflow-x: auto; border: 1px solid; padding: .5rem }}</style>
{body}"""
SIGNS = {":mag:": "⌕", ":warning:": "⚠"}


def description() -> str:
    text = describe(example(), URL)
    for name, sign in SIGNS.items():
        text = text.replace(name, sign)
    return FRAME.format(body=MarkdownIt("commonmark", {"html": True}).render(text))


def running(app: str, environment: str, tag: str, by: str, day: int, **more: Any) -> AppStatus:
    """Return an app-environment that runs a version since a day of the month."""
    commit = hashlib.sha1(f"{app} {tag}".encode(), usedforsecurity=False).hexdigest()
    image = ReleasedImage.model_construct(
        project=f"acme/{app}", commit=commit, ref="refs/heads/main", repository=app, tag=tag, digest=DIGEST, actor=by
    )
    return AppStatus(
        app=app,
        environment=environment,
        release=Release.model_construct(images={app: image}, pin=more.pop("pin", None)),
        state="current",
        last_change=LogEntry(
            commit=commit, parent="", time=NOW.replace(day=day), who=by, subject="", actors=(), files=()
        ),
        **more,
    )


def site() -> SiteFacts:
    """Return some apps, of which most are as they should be."""
    stopped = Health(state="failed", reason="Deployment web/web: 0 of 3 replicas are ready", since=NOW.replace(hour=11))
    pin = PinRecord.model_construct(by="rita", reason="1.8 loses carts", since="0" * 40)
    frozen = FreezeRecord.model_construct(by="rita", reason="sale until Monday", since="0" * 40)
    proposed = Proposed("headgate/production/mail", "0" * 40, running("mail", "production", "2.4.0", "max", 20).release)
    fine = Health(state="healthy", since=NOW.replace(day=19))
    apps: dict[str, list[tuple[str, str, int, dict[str, Any]]]] = {
        "cart": [("1.8.1", "dana", 19, {"health": fine}), ("1.7.9", "dana", 12, {"pin": pin, "health": fine})],
        "mail": [("2.4.0", "max", 20, {}), ("2.3.2", "max", 14, {"proposed": proposed, "health": fine})],
        "search": [("0.31.0", "mia", 18, {"health": fine}), ("0.30.4", "mia", 11, {"health": fine, "edited": True})],
        "web": [("5.2.0", "dana", 20, {"health": stopped}), ("5.1.7", "dana", 17, {"health": fine})],
    }
    environments = ("dev", "production")
    return SiteFacts(
        made=NOW,
        commit="4f2a9c1be07d" + "0" * 28,
        environments=environments,
        apps={
            app: {
                at: running(app, at, tag, by, day, **more, freeze=frozen if at == "production" else None)
                for at, (tag, by, day, more) in zip(environments, found, strict=True)
            }
            for app, found in apps.items()
        },
        url=URL,
        project="acme/manifests",
        requests={proposed.branch: RequestLink(name="!12", url=f"{URL}/acme/manifests/-/merge_requests/12")},
    )


PAGES: dict[str, Callable[[], str]] = {
    "review": lambda: to_html(example(), URL),
    "description": description,
    "site": lambda: overview(site()),
}
WINDOWS = {"light": (1100, False), "dark": (1100, True), "phone": (390, False)}
HEIGHTS = {"review": 1000, "description": 640, "site": 480}


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", PAGES)
def test_pictures(name: str, window: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    (tmp_path / "page.html").write_text(PAGES[name]())
    width, dark = WINDOWS[window]
    taken, known = tmp_path / "taken.png", FOLDER / f"{name}-{window}.png"
    picture_of(tmp_path / "page.html", taken, width, HEIGHTS[name], dark=dark)
    if request.config.getoption("--update-golden"):
        FOLDER.mkdir(exist_ok=True)
        with Image.open(taken) as picture:
            picture.convert("RGB").quantize(64).save(known, optimize=True)
    assert share_of_difference(taken, known) <= MOST


def share_of_difference(one: Path, other: Path) -> float:
    """Return the share of cells whose colours differ."""
    with Image.open(one) as first, Image.open(other) as second:
        assert first.size == second.size
        size = (first.width // CELL, first.height // CELL)
        coarse = [image.convert("RGB").resize(size, Image.Resampling.BOX) for image in (first, second)]
    red, green, blue = ImageChops.difference(*coarse).split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return sum(most.histogram()[LEAST + 1 :]) / (size[0] * size[1])
