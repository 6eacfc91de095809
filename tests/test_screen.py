"""A change on a terminal and as JSON: what people see of it, in 80 columns, the same of many apps once."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.report.changejson import report_text
from headgate.report.changereport import ChangeReport
from headgate.report.screen import change_lines, write_change
from headgate.report.terminal import WIDTH, Terminal
from support.reports import report_of_text, template_change

SCREEN = 50


def lines(report: ChangeReport) -> list[str]:
    return [text for text, _ in change_lines(report)]


def test_a_template_change_over_many_apps_fits_on_a_screen() -> None:
    found = lines(ChangeReport(changes=template_change(300), requested_by="anna"))
    assert len(found) <= SCREEN
    assert max(map(len, found)) <= WIDTH
    assert found == [
        "Look at this: 300 objects change in more than images and versions",
        "requested by anna",
        "What it does:",
        "  300 of Deployment (app-000, app-001, app-002, app-003, and 296 more): restarts",
        "    its pods (template web)",
        "300 apps in production change alike (app-000, app-001, app-002, app-003, and 296",
        "  more), each: 1 changed",
        "  ~ Deployment app-000 (template web)",
        "      spec.template.spec.containers[app-000].livenessProbe.periodSeconds",
        "      - 10",
        "      + 20",
        "Objects: 300 changed, in 300 apps",
    ]


@settings(max_examples=50)
@given(st.text())
def test_whatever_an_app_writes_stays_within_the_width_and_is_no_control(name: str) -> None:
    for text in lines(report_of_text(name)):
        assert len(text) <= WIDTH
        assert "\x1b" not in text
        assert "\n" not in text


def test_nothing_of_a_secret_is_shown() -> None:
    report = report_of_text("hunter2", secret=True)
    change = report.changes[0].objects[0].change
    assert change.fields[0].old == "hunter2"
    shown = [text for text, _ in change_lines(report) if "hunter2" in text and "-" in text[:8]]
    assert shown == []
    (secret, _) = json.loads(report_text(report))["apps"][0]["objects"]
    assert "hunter2" not in json.dumps(secret["fields"])


def test_the_terminal_gets_the_same_lines() -> None:
    stream = io.StringIO()
    report = report_of_text("x")
    write_change(Terminal(stream), report)
    assert stream.getvalue().splitlines() == lines(report)


@pytest.mark.parametrize(
    "mark", ["\x1b", "\r", "\u202e", "\u2066", "\u200e", "\u061c", "\u200b", "\ufeff", "\u00ad", "\U000e0041"]
)
def test_what_is_invisible_is_shown_by_its_number(mark: str) -> None:
    stream = io.StringIO()
    terminal = Terminal(stream)
    terminal.line(f"a{mark}b")
    terminal.pieces((f"c{mark}", ""), ("d", ""))
    write_change(terminal, report_of_text(f"e{mark}f"))
    assert mark not in stream.getvalue()
    assert f"{ord(mark):04x}" in stream.getvalue()


def test_json_has_it_all() -> None:
    found: dict[str, Any] = json.loads(report_text(report_of_text("x")))
    assert found["version"] == 1
    assert found["verdict"]["word"] == "look at this"
    assert found["findings"] == [{"app": "web", "environment": "dev", "level": "warning", "message": "x"}]
    changed, added = found["apps"][0]["objects"]
    assert changed["fields"][0] == {"path": "x", "old": "x", "new": "x\nx", "runs_alike": True}
    assert changed["risks"] == [{"flag": "rbac", "text": "x"}]
    assert changed["effects"] == [{"kind": "restarts", "text": "x"}]
    assert changed["causes"] == {"text": "x", "certain": [{"kind": "values", "name": "x"}], "possible": []}
    assert added["highlights"] == ["x"]


IMAGE = "registry.example.com/group/subgroup/a-rather-long-name-of-an-image-for-a-shop:1.0@sha256:"


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        (f"{IMAGE}1", f"{IMAGE}2", ["- ...r-a-shop:1.0@sha256:1", "+ ...r-a-shop:1.0@sha256:2"]),
        (IMAGE, f"{IMAGE}2", ["- ...r-a-shop:1.0@sha256:", "+ ...r-a-shop:1.0@sha256:2"]),
        (
            f"a\n{IMAGE}1\nb",
            f"a\n{IMAGE}2\nb",
            ["  ...", "  a", "- ...r-a-shop:1.0@sha256:1", "+ ...r-a-shop:1.0@sha256:2", "  b"],
        ),
        (f"x{'y' * 90}", f"z{'y' * 90}", [f"- x{'y' * 68}...", f"+ z{'y' * 68}..."]),
        ("a", "b", ["- a", "+ b"]),
    ],
)
def test_what_differs_late_in_a_long_line_is_seen(old: str, new: str, shown: list[str]) -> None:
    found = lines(report_of_text("x", old, new))
    start = found.index("      x (equivalent)") + 1
    assert [line.removeprefix("      ") for line in found[start : start + len(shown)]] == shown
