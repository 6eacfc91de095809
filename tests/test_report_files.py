"""The files that a job hands to GitLab: valid whatever an app wrote."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from headgate.errors import ConfigError, Location
from headgate.hydration.object_changes import ObjectChange
from headgate.hydration.outcome import Outcome
from headgate.notice import Notice
from headgate.report.appchange import AppChange, ObjectEffect
from headgate.report.changereport import ChangeReport
from headgate.report.files import report_files, to_counts
from headgate.report.junit import JunitCase, of_findings, of_outcome, of_verification, to_junit
from headgate.report.quality import issues, to_code_quality
from headgate.state.verify import Difference, Verification
from headgate.validation.finding import ObjectFinding
from headgate.validation.weigh import Judgement, WeighedFinding
from support.trees import one_object

FAILED = Outcome(
    app="web",
    environment="dev",
    folder="deploy/dev/web",
    state="failed",
    error=ConfigError("wrong\x1b[31m", where=Location("apps/web/app.yaml", 3, "images"), hint="mend it"),
)


@given(st.text(), st.text())
def test_junit_is_xml_whatever_stands_in_it(what: str, details: str) -> None:
    root = ET.fromstring(
        to_junit([JunitCase(app="web", environment="dev", file="a.yaml", failure=what or "x", details=details)])
    )
    assert root.get("failures") == "1"
    assert root.find(".//testcase").get("name") == "web in dev"  # type: ignore[union-attr]


def test_junit_of_outcomes() -> None:
    waits = Outcome(app="api", environment="dev", folder="deploy/dev/api", state="waiting", waits_for=("image api",))
    done = Outcome(app="shop", environment="dev", folder="deploy/dev/shop", state="changed")
    root = ET.fromstring(to_junit([of_outcome(one) for one in (FAILED, waits, done)]))
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("3", "1", "1")
    failure = root.find(".//failure")
    assert failure is not None
    assert "\\u001b" in failure.get("message", "")
    assert "apps/web/app.yaml:3" in (failure.text or "")
    assert "mend it" in (failure.text or "")
    assert root.find(".//skipped").get("message") == "waits for image api"  # type: ignore[union-attr]


EQUAL = Verification(app="web", environment="dev", folder="deploy/dev/web", state="equal")


def test_junit_of_what_was_verified() -> None:
    wrong = replace(EQUAL, state="edited", differences=(Difference(file="deploy/dev/web/a.yaml", kind="changed"),))
    case = of_verification(wrong)
    assert case.failure == "deploy/dev/web is edited"
    assert case.details == "changed: deploy/dev/web/a.yaml"
    assert not of_verification(EQUAL).failure


def test_code_quality_names_file_and_line_once() -> None:
    warned = Outcome(
        app="web",
        environment="dev",
        folder="d",
        state="changed",
        warnings=(Notice("a.b has no effect", Location("apps/web/values.yaml", 7)), Notice("no place")),
    )
    found = json.loads(to_code_quality(issues([FAILED, FAILED, warned])))
    assert [(one["location"]["path"], one["location"]["lines"]["begin"], one["severity"]) for one in found] == [
        ("apps/web/app.yaml", 3, "major"),
        ("apps/web/values.yaml", 7, "minor"),
    ]
    assert len({one["fingerprint"] for one in found}) == 2
    assert all("\x1b" not in one["description"] for one in found)


def test_counts_are_as_gitlab_takes_them() -> None:
    objects = tuple(
        ObjectEffect(change=ObjectChange(action=action, kind="Service", namespace="", name=action, file="f", fields=()))
        for action in ("added", "changed", "removed", "removed")
    )
    counts = json.loads(to_counts([AppChange(app="web", environment="dev", objects=objects)]))
    assert counts == {"create": 1, "update": 1, "delete": 2}


def test_all_files_are_there_when_nothing_happened() -> None:
    files = report_files([], [], ChangeReport(changes=[]), "text", "https://gitlab.example.com")
    assert sorted(files) == [
        "changes.json",
        "code-quality.json",
        "junit.xml",
        "report.html",
        "report.md",
        "review.json",
    ]
    assert json.loads(files["code-quality.json"]) == []


def test_junit_has_a_suite_of_findings() -> None:
    manifest = one_object("apiVersion: v1\nkind: Service\nmetadata: {name: web}\n")
    wrong = ObjectFinding(rule="invalid", field="spec.ports", message="is wrong", hint="do that", manifest=manifest)
    odd = ObjectFinding(rule="policy/a", field="", message="is odd", hint="", manifest=manifest, policy="a")
    found = (WeighedFinding(finding=wrong, level="error"), WeighedFinding(finding=odd, level="warn", waived="waived"))
    outcome = replace(FAILED, judgement=Judgement(findings=found))
    root = ET.fromstring(to_junit([of_outcome(FAILED), *of_findings(outcome)]))
    assert [suite.get("name") for suite in root] == ["headgate", "validation"]
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("3", "2", "1")
    failed, skipped = root[1]
    assert failed.get("name") == "web in dev: Service web: spec.ports [invalid]"
    assert failed[0].get("message") == "is wrong"
    assert "do that" in (failed[0].text or "")
    assert skipped.get("name") == "web in dev: Service web: [policy/a]"
    assert skipped[0].get("message") == "waived: Service web: is odd [policy/a]"
