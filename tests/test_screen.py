"""A change on a terminal and as JSON: what people see of it, in 80 columns, the same of many apps once."""

from __future__ import annotations

import io
import json
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.config import load
from headgate.hydration import output
from headgate.hydration.output import ObjectChange
from headgate.impact.effects import Effect
from headgate.impact.risk import Risk
from headgate.objects.diff import Field
from headgate.report.appchange import AppChange, ObjectEffect, app_changes
from headgate.report.causes import Cause, Causes
from headgate.report.changejson import report_text
from headgate.report.changereport import ChangeReport
from headgate.report.screen import WIDTH, change_lines, write_change
from headgate.report.terminal import Terminal
from headgate.report.verdict import Finding
from support.trees import repository

APP = "project: acme/web\ntemplate: web\n"
SCREEN = 50


def deployment(app: str, probe: int) -> str:
    container = {"name": app, "image": f"registry.example.com/{app}@sha256:{'1' * 64}"}
    container |= {"livenessProbe": {"httpGet": {"port": 80}, "periodSeconds": probe}}  # type: ignore[dict-item]
    spec = {"template": {"spec": {"containers": [container]}}}
    return yaml.safe_dump({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": app}, "spec": spec})


def template_change(count: int) -> list[AppChange]:
    apps = [f"app-{number:03}" for number in range(count)]
    sides = []
    for template, probe in (("1", 10), ("2", 20)):
        tree = repository(dict.fromkeys(apps, APP))
        sources = {"template web": template, "settings": "1"}
        for app in apps:
            files = {f"deployment.apps-{app}.yaml": deployment(app, probe)}
            folder = f"deploy/production/{app}"
            made = output.changes(tree, folder, files, template, max_removed_percent=100, sources=sources)
            tree = tree.with_changes(made)
        sides.append(tree)
    return app_changes(sides[0], sides[1], load(sides[1]))


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


def full(name: str, *, secret: bool = False) -> ChangeReport:
    fields = (Field(name, name, f"{name}\n{name}", runs_alike=True), Field("b", None, name))
    risks, effects = (Risk("rbac", name),), (Effect("restarts", name),)
    change = ObjectChange(
        action="changed",
        kind="ConfigMap",
        namespace=name,
        name=name,
        file=name,
        fields=fields,
        old_name=name,
        risks=risks,
        effects=effects,
    )
    effect = ObjectEffect(change=change, secret=secret, causes=Causes((Cause("values", name),)))
    added = ObjectEffect(
        change=ObjectChange(action="added", kind="Role", namespace="", name="r", file="f", fields=()),
        highlights=(name,),
    )
    app = AppChange(app="web", environment="dev", objects=(effect, added), upgrade=name)
    finding = Finding(app="web", environment="dev", text=name)
    return ChangeReport(changes=[app], findings=[finding], requested_by=name, consequence=name)


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_whatever_an_app_writes_stays_within_the_width_and_is_no_control(name: str) -> None:
    for text in lines(full(name)):
        assert len(text) <= WIDTH
        assert "\x1b" not in text
        assert "\n" not in text


def test_nothing_of_a_secret_is_shown() -> None:
    report = full("hunter2", secret=True)
    change = report.changes[0].objects[0].change
    assert change.fields[0].old == "hunter2"
    shown = [text for text, _ in change_lines(report) if "hunter2" in text and "-" in text[:8]]
    assert shown == []
    (secret, _) = json.loads(report_text(report))["apps"][0]["objects"]
    assert "hunter2" not in json.dumps(secret["fields"])


def test_the_terminal_gets_the_same_lines() -> None:
    stream = io.StringIO()
    report = full("x")
    write_change(Terminal(stream), report)
    assert stream.getvalue().splitlines() == lines(report)


def test_json_has_it_all() -> None:
    found: dict[str, Any] = json.loads(report_text(full("x")))
    assert found["version"] == 1
    assert found["verdict"]["word"] == "look at this"
    assert found["findings"] == [{"app": "web", "environment": "dev", "level": "warning", "message": "x"}]
    changed, added = found["apps"][0]["objects"]
    assert changed["fields"][0] == {"path": "x", "old": "x", "new": "x\nx", "runs_alike": True}
    assert changed["risks"] == [{"flag": "rbac", "text": "x"}]
    assert changed["effects"] == [{"kind": "restarts", "text": "x"}]
    assert changed["causes"] == {"text": "x", "certain": [{"kind": "values", "name": "x"}], "possible": []}
    assert added["highlights"] == ["x"]
