"""A change as JSON, for programs. Version 1; keys are only ever added."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from headgate.objects.encrypted import HIDDEN
from headgate.report.json import object_to_json
from headgate.report.versions import version_steps

if TYPE_CHECKING:
    from headgate.report.appchange import AppChange, ObjectEffect
    from headgate.report.changereport import ChangeReport
    from headgate.report.versions import VersionStep


def report_to_json(report: ChangeReport) -> dict[str, Any]:
    """Return a change as data, without what a Secret or an encrypted object holds."""
    verdict = report.verdict
    return {
        "version": 1,
        "verdict": None if report.title else {"word": verdict.word, "reasons": list(verdict.reasons)},
        "requested_by": report.requested_by or None,
        "findings": [
            {
                "app": finding.app,
                "environment": finding.environment,
                "level": "error" if finding.is_error else "warning",
                "message": finding.text,
            }
            for finding in report.findings
        ],
        "apps": [_app(change, report) for change in report.changes],
    }


def report_text(report: ChangeReport) -> str:
    """Return a change as the text of a JSON document."""
    return json.dumps(report_to_json(report), indent=2) + "\n"


def _app(change: AppChange, report: ChangeReport) -> dict[str, Any]:
    return {
        "app": change.app,
        "environment": change.environment,
        "engine_upgrade": change.upgrade or None,
        "inputs": [{"kind": cause.kind, "name": cause.name or None} for cause in change.inputs],
        "versions": [_version(step, report) for step in version_steps(change)],
        "objects": [_object(effect) for effect in change.objects],
    }


def _version(step: VersionStep, report: ChangeReport) -> dict[str, Any]:
    return {
        "part": step.part,
        "old": step.old or None,
        "new": step.new or None,
        "project": step.project or None,
        "old_commit": step.old_commit or None,
        "commit": step.commit or None,
        "titles": list(report.titles.get(step.source_step, ())),
    }


def _object(effect: ObjectEffect) -> dict[str, Any]:
    found = object_to_json(effect.change)
    if effect.change.secret:
        found["fields"] = [{"path": None, "old": HIDDEN, "new": HIDDEN, "runs_alike": False}]
    return {
        **found,
        "routine": effect.is_routine,
        "causes": {
            "text": str(effect.causes),
            "certain": [{"kind": cause.kind, "name": cause.name or None} for cause in effect.causes.certain],
            "possible": [{"kind": cause.kind, "name": cause.name or None} for cause in effect.causes.possible],
        },
        "highlights": list(effect.highlights),
    }
