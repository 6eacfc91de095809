"""Hydrations and verifications as GitLab's test report. Pure.

https://docs.gitlab.com/ci/testing/unit_test_reports/
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from headgate.report.markdown import visible
from headgate.report.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.hydration.hydrate import Outcome
    from headgate.state.verify import Verification


@dataclass(frozen=True, kw_only=True)
class JunitCase:
    """One app in one environment. ``details`` is the whole error; ``skipped`` says why it waits."""

    app: str
    environment: str
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
    failures, skipped = sum(bool(case.failure) for case in cases), sum(bool(case.skipped) for case in cases)
    counts = {"tests": str(len(cases)), "failures": str(failures), "skipped": str(skipped)}
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", {"name": "headgate", **counts})
    for case in cases:
        name = f"{case.app} in {case.environment}" if case.environment else case.app
        attributes = {"classname": case.environment or "headgate", "name": name} | (
            {"file": case.file} if case.file else {}
        )
        element = ET.SubElement(suite, "testcase", {key: _clean(value) for key, value in attributes.items()})
        if case.failure:
            failure = ET.SubElement(element, "failure", {"message": _clean(case.failure)})
            failure.text = _clean(case.details)
        elif case.skipped:
            ET.SubElement(element, "skipped", {"message": _clean(case.skipped)})
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _clean(text: str) -> str:
    """https://www.w3.org/TR/xml/#charsets."""
    return safe("".join(char if char not in "\ufffe\uffff" else "\ufffd" for char in visible(text, "\n\t")))
