"""Outcomes as JSON, for programs. Version 1; keys are only ever added."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.errors import HeadgateError
    from headgate.hydration.object_changes import ObjectChange
    from headgate.hydration.outcome import Outcome


def outcomes_to_json(outcomes: Sequence[Outcome], **extra: Any) -> str:
    """Return outcomes as one JSON document with ``extra`` keys at its top."""
    return json.dumps({"version": 1, **extra, "apps": [_outcome(outcome) for outcome in outcomes]}, indent=2)


def error_to_json(error: HeadgateError) -> dict[str, Any]:
    """Return an error as data."""
    where = error.where
    place = {"file": where.file, "line": where.line or None, "key": where.key or None} if where else None
    if where is not None and where.origin:
        place = {**(place or {}), "source": where.source, "origin": where.origin}
    return {"code": error.code, "message": error.what, "where": place, "hint": error.hint or None}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "app": outcome.app,
        "environment": outcome.environment,
        "state": outcome.state,
        "folder": outcome.folder,
        "engine": outcome.engine or None,
        "upgrade": outcome.upgrade or None,
        "waits_for": list(outcome.waits_for),
        "reasons": list(outcome.reasons),
        "warnings": [str(warning) for warning in outcome.warnings],
        "error": error_to_json(outcome.error) if outcome.error else None,
        "objects": [object_to_json(change) for change in outcome.objects],
    }


def object_to_json(change: ObjectChange) -> dict[str, Any]:
    """Return a change of one object as data."""
    return {
        "action": change.action,
        "kind": change.kind,
        "namespace": change.namespace or None,
        "name": change.name,
        "file": change.file,
        "fields": [
            {
                "path": field.path,
                "old": field.old,
                "new": field.new,
                "runs_alike": field.runs_alike,
            }
            for field in change.fields
        ],
        "old_name": change.old_name or None,
        "risks": [{"flag": risk.flag, "text": risk.text} for risk in change.risks],
        "effects": [{"kind": effect.kind, "text": effect.text} for effect in change.effects],
    }
