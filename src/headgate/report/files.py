"""The report files of a job, which the component 'hydrate' uploads to GitLab as artifacts."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from headgate.report.changejson import report_text
from headgate.report.html import to_html
from headgate.report.junit import to_junit
from headgate.report.quality import to_code_quality

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from headgate.report.appchange import AppChange
    from headgate.report.changereport import ChangeReport
    from headgate.report.junit import JunitCase
    from headgate.report.quality import QualityIssue

FOLDER = "headgate-report"
LANDED = "landed.json"


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder, and create it if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def report_files(
    cases: Sequence[JunitCase], issues: Sequence[QualityIssue], report: ChangeReport, text: str, url: str
) -> dict[str, str]:
    """Return the files of a job's report by name. ``text`` is the Markdown for people, ``url`` GitLab's address."""
    return {
        "junit.xml": to_junit(cases),
        "code-quality.json": to_code_quality(issues),
        "changes.json": to_counts(report.changes),
        "review.json": report_text(report),
        "report.html": to_html(report, url),
        "report.md": f"{text}\n",
    }


def to_counts(changes: Sequence[AppChange]) -> str:
    """Return how many objects are created, updated and deleted, in the format of GitLab's Terraform widget.

    https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsterraform
    """
    counts: Counter[str] = Counter(effect.change.action for change in changes for effect in change.objects)
    names = {"create": "added", "update": "changed", "delete": "removed"}
    return json.dumps({name: counts[action] for name, action in names.items()}) + "\n"
