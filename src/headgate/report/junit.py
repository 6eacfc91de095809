"""What was hydrated or verified, as GitLab's test report. Pure.

https://docs.gitlab.com/ci/testing/unit_test_reports/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from headgate.report.markdown import visible
from headgate.report.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.hydration.hydrate import Outcome
    from headgate.state.verify import Verification


@dataclass(frozen=True)
class ReportCase:
    """One app in one environment. ``failure`` says what is wrong, ``details`` the rest; ``skipped`` why it waits."""

    app: str
    environment: str
    file: str = ""
    failure: str = ""
    details: str = ""
    skipped: str = ""


def of_outcome(one: Outcome) -> ReportCase:
    """Return the case of a hydration."""
    if one.error is not None:
        file = one.error.where.file if one.error.where else ""
        return ReportCase(one.app, one.environment, file, one.error.what, str(one.error))
    waits = one.reasons or tuple(f"waits for {part}" for part in one.waits_for)
    return ReportCase(one.app, one.environment, skipped="; ".join(waits) if one.state in _SKIPPED else "")


_SKIPPED = ("waiting", "held", "superseded")


def of_verdict(one: Verification) -> ReportCase:
    """Return the case of a verification."""
    app, environment = one.app or one.folder, one.environment
    if one.error is not None:
        file = one.error.where.file if one.error.where else ""
        return ReportCase(app, environment, file, one.error.what, str(one.error))
    if one.is_wrong:
        files = "\n".join(f"{difference.kind}: {difference.file}" for difference in one.differences)
        return ReportCase(app, environment, one.folder, f"{one.folder} is {one.state}", files)
    return ReportCase(app, environment)


def to_junit(cases: Sequence[ReportCase]) -> str:
    """Return cases as XML. Characters that XML does not know, and such as nobody sees, are written by their number."""
    failures, skipped = sum(bool(one.failure) for one in cases), sum(bool(one.skipped) for one in cases)
    counts = {"tests": str(len(cases)), "failures": str(failures), "skipped": str(skipped)}
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", {"name": "headgate", **counts})
    for one in cases:
        name = f"{one.app} in {one.environment}" if one.environment else one.app
        facts = {"classname": one.environment or "headgate", "name": name} | ({"file": one.file} if one.file else {})
        case = ET.SubElement(suite, "testcase", {key: _clean(value) for key, value in facts.items()})
        if one.failure:
            failure = ET.SubElement(case, "failure", {"message": _clean(one.failure)})
            failure.text = _clean(one.details)
        elif one.skipped:
            ET.SubElement(case, "skipped", {"message": _clean(one.skipped)})
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _clean(text: str) -> str:
    """https://www.w3.org/TR/xml/#charsets."""
    return safe("".join(char if char not in "\ufffe\uffff" else "\ufffd" for char in visible(text, "\n\t")))
