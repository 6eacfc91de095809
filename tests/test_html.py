"""The page: whole without its script, nothing of a Secret in it, and nothing that others wrote is more than text."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.hydration.object_changes import ObjectChange
from headgate.impact.effects import Effect
from headgate.impact.risk import Risk
from headgate.report.appchange import AppChange, ObjectEffect
from headgate.report.changereport import ChangeReport
from headgate.report.html import to_html
from headgate.report.sidebyside import side_by_side
from support.browser import BROWSER, dom_of
from support.reports import report_of_text, template_change
from test_verdict import changes, deployment, manifest

URL = "https://gitlab.example.com"
HOSTILE = ["<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "${body}", "</details>"]


class Page(HTMLParser):
    """Collects tags, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.inline: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is not None:
            self.inline[self.cdata_elem] = data
        else:
            self.text += data


def real() -> ChangeReport:
    old = {
        "d": deployment("1.0.0"),
        "s": manifest("Secret", stringData={"a": "hunter2"}),
        "p": manifest("PersistentVolumeClaim"),
    }
    new = {"d": deployment("1.1.0", tty=True), "s": manifest("Secret", stringData={"a": "hunter3"})}
    found = [*changes(old, new), *template_change(12)]
    return ChangeReport(changes=found, requested_by="anna", consequence="Merging it starts it.")


def test_everything_is_there_without_the_script() -> None:
    page = Page(to_html(real(), URL))
    text = " ".join(page.text.split())
    assert "Look at this" in text
    assert "1 object removed that may hold data" in text
    assert "Requested by anna. Merging it starts it." in text
    assert "image web 1.0.0 \u2192 1.1.0 from acme/web@" in text
    assert "PersistentVolumeClaim x: is removed with its data" in text
    assert "12 of Deployment app-000" in text
    assert "12 apps in production change alike: 1 changed" in text
    assert "tty: true" in text
    assert page.tags.count("table") == 3  # of the twelve alike, one
    hidden = [tag for tag, (name, _) in zip(page.tags, page.attributes, strict=False) if name == "hidden"]
    assert len(hidden) <= 1  # the form, which needs the script


def test_nothing_of_a_secret_is_in_it() -> None:
    assert "hunter" not in to_html(real(), URL)


@settings(max_examples=50)
@given(st.one_of(st.text(), st.sampled_from(HOSTILE)))
def test_whatever_an_app_writes_is_text(name: str) -> None:
    harmless, page = (Page(to_html(report_of_text(text), URL)) for text in ("a1z", f"a{name}z"))
    assert page.tags == harmless.tags
    assert {key for key, _ in page.attributes} == {key for key, _ in harmless.attributes}


def test_a_link_is_to_the_web_or_none() -> None:
    assert 'href="javascript:' not in to_html(real(), "javascript:alert(1)")


def test_the_policy_lets_its_own_style_and_script_through_and_nothing_else() -> None:
    text = to_html(real(), URL)
    page = Page(text)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    digests = {
        name: base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        for name, inline in page.inline.items()
    }
    inline = f"style-src 'sha256-{digests['style']}'; script-src 'sha256-{digests['script']}'"
    expected = f"default-src 'none'; base-uri 'none'; form-action 'none'; {inline}"
    assert policy == expected
    assert not {"link", "img", "iframe", "object"} & {*page.tags}
    assert not [key for key, _ in page.attributes if key in ("src", "style") or key.startswith("on")]


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_a_browser_runs_its_script(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(to_html(real(), URL))
    dom = dom_of(file)
    assert ">4 of 4 objects</output>" in dom
    assert '<form id="filter">' in dom


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
@pytest.mark.parametrize(("risks", "shown"), [((), 0), ((Risk("older-image", "goes back"),), 1)])
def test_what_needs_a_look_is_what_has_a_risk_though_only_its_image_changes(
    tmp_path: Path, risks: tuple[Risk, ...], shown: int
) -> None:
    change = ObjectChange(
        action="changed",
        kind="Deployment",
        namespace="",
        name="web",
        file="f",
        fields=(),
        risks=risks,
        effects=(Effect("restarts", "restarts its pods"),),
    )
    app = AppChange(app="web", environment="dev", objects=(ObjectEffect(change=change, is_routine=True),))
    file = tmp_path / "report.html"
    text = to_html(ChangeReport(changes=[app]), URL)
    file.write_text(text.replace('<option value="serious">', '<option value="serious" selected>'))
    assert f">{shown} of 1 objects</output>" in dom_of(file)
    assert ("object changed routine" in text) == (not risks)


def test_rows_are_aligned_and_what_is_equal_is_left_out() -> None:
    old = "\n".join(f"line {number}" for number in range(20))
    new = old.replace("line 10\n", "other\n").replace("line 19", "line 19\nmore")
    rows = list(side_by_side(old, new))
    assert [(row.left_number, row.left, row.right_number, row.right) for row in rows if row.kind == "changed"] == [
        (11, "line 10", 11, "other"),
        (0, None, 21, "more"),
    ]
    assert [row.left_number for row in rows if row.kind == "skipped"] == [7, 3]
    assert [row.left for row in rows if row.kind == "same"] == [
        f"line {number}" for number in (7, 8, 9, 11, 12, 13, 17, 18, 19)
    ]
    assert list(side_by_side(old, old)) == []


def test_a_text_that_is_hard_to_align_takes_no_time() -> None:
    """Each second line is the same in both: to align that takes the cube of their number."""
    sides = [[line for number in range(700) for line in ("same", f"{word} {number}")] for word in ("old", "new")]
    assert len(list(side_by_side(*("\n".join(side) for side in sides)))) >= len(sides[0])


def test_a_page_has_an_end_and_says_what_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headgate.report.html.MAX_BYTES", 1500)
    text = Page(to_html(real(), URL)).text
    assert re.search(r"Too long for a page: the changes of \d more objects", text)
    assert "Too long for a page: the changes of 12 more apps" in text
