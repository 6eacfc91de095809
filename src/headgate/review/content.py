"""What a merge request is about, derived from the two trees that it compares."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from headgate.hydration.rejudging import judged_change
from headgate.report.appchange import app_changes
from headgate.report.verdict import Finding, judged_findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.configuration import Configuration
    from headgate.report.appchange import AppChange
    from headgate.repository.tree import Tree


@dataclass(frozen=True, kw_only=True)
class ReviewContent:
    """Changes, what is found in them, and the labels that policies add."""

    changes: Sequence[AppChange]
    findings: tuple[Finding, ...] = ()
    labels: tuple[str, ...] = ()


def review_content(old: Tree, new: Tree, configuration: Configuration) -> ReviewContent:
    """Return what changes between two trees; ``configuration`` is that of the default branch."""
    changes = app_changes(old, new, configuration)
    owners = [(change.app, change.environment) for change in changes]
    judgements = judged_change(old, new, configuration, owners, datetime.now(UTC).date())
    labels = [label for judgement in judgements.values() for found in judgement.findings for label in found.labels]
    return ReviewContent(changes=changes, findings=judged_findings(judgements), labels=tuple(dict.fromkeys(labels)))
