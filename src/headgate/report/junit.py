"""Hydrations with what validation found, and verifications, as GitLab's test report. Pure.

https://docs.gitlab.com/ci/testing/unit_test_reports/
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from headgate.records import frozen_record
from headgate.report.escapes import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.hydration.outcome import Outcome
    from headgate.state.verify import Verification
    from headgate.validation.weigh import WeighedFinding


@frozen_record
class JunitCase:
    """One app in one environment, or one ``finding`` of validation there.

    ``details`` is the whole error; ``skipped`` says why it waits, or what is only worth a look.
    """

    app: str
    environment: str
    finding: str = ""
    file: str = ""
    failure: str = ""
    details: str = ""
    skipped: str = ""


def of_outcome(outcome: Outcome) -> JunitCase:
    """Return the test case of a hydration."""
    case = JunitCase(app=outcome.app, environment=outcome.environment)
    if outcome.error is not None:
        file = outcome.error.where.file if outcome.error.where else ""
        details = str(outcome.error)
        return replace(case, file=file, failure=outcome.error.what, details=details)
    reasons = outcome.reasons or tuple(f"waits for {part}" for part in outcome.waits_for)
    return replace(case, skipped="; ".join(reasons) if outcome.state in _SKIPPED else "")


def of_findings(outcome: Outcome) -> list[JunitCase]:
    """Return the test cases of what validation found: errors failed, warnings and what is waived skipped.

    A case's name stays the same while the finding does, so that GitLab tells which are new.
    """
    return [_of_finding(outcome, found) for found in outcome.judgement.findings]


def _of_finding(outcome: Outcome, found: WeighedFinding) -> JunitCase:
    finding, place = found.finding, found.finding.manifest.place
    field = f"{finding.field} " if finding.field else ""
    case = JunitCase(
        app=outcome.app,
        environment=outcome.environment,
        finding=f"{finding.manifest}: {field}[{finding.rule}]",
        file=place.file if place else "",
    )
    if found.level == "warn":
        return replace(case, skipped=str(found))
    hints = "\n".join(filter(None, [str(found), finding.hint, str(finding.place or "")]))
    return replace(case, failure=finding.message, details=hints)


_SKIPPED = ("waiting", "held", "superseded")


def of_verification(verification: Verification) -> JunitCase:
    """Return the test case of a verification."""
    case = JunitCase(app=verification.app or verification.folder, environment=verification.environment)
    if verification.error is not None:
        file = verification.error.where.file if verification.error.where else ""
        return replace(case, file=file, failure=verification.error.what, details=str(verification.error))
    if verification.is_wrong:
        files = "\n".join(f"{difference.kind}: {difference.file}" for difference in verification.differences)
        failure = f"{verification.folder} is {verification.state}"
        return replace(case, file=verification.folder, failure=failure, details=files)
    return case


def to_junit(cases: Sequence[JunitCase]) -> str:
    """Return cases as XML. Invisible characters and those that XML forbids are written as escapes."""
    root = ET.Element("testsuites", _counts(cases))
    findings = [case for case in cases if case.finding]
    _add_suite(root, "headgate", [case for case in cases if not case.finding])
    if findings:
        _add_suite(root, "validation", findings)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _counts(cases: Sequence[JunitCase]) -> dict[str, str]:
    failures, skipped = sum(bool(case.failure) for case in cases), sum(bool(case.skipped) for case in cases)
    return {"tests": str(len(cases)), "failures": str(failures), "skipped": str(skipped)}


def _add_suite(root: ET.Element, title: str, cases: Sequence[JunitCase]) -> None:
    suite = ET.SubElement(root, "testsuite", {"name": title, **_counts(cases)})
    for case in cases:
        name = f"{case.app} in {case.environment}" if case.environment else case.app
        name = f"{name}: {case.finding}" if case.finding else name
        attributes = {"classname": case.environment or "headgate", "name": name} | (
            {"file": case.file} if case.file else {}
        )
        element = ET.SubElement(suite, "testcase", {key: _clean(value) for key, value in attributes.items()})
        if case.failure:
            failure = ET.SubElement(element, "failure", {"message": _clean(case.failure)})
            failure.text = _clean(case.details)
        elif case.skipped:
            ET.SubElement(element, "skipped", {"message": _clean(case.skipped)})


def _clean(text: str) -> str:
    """https://www.w3.org/TR/xml/#charsets."""
    return "".join(char if char not in "\ufffe\uffff" else "\ufffd" for char in visible(text, "\n\t"))
