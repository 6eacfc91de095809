"""The content of a merge request, derived from the two trees that it compares."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from headgate.hydration.rejudging import judged_change
from headgate.model.policies import approving
from headgate.records import frozen_record
from headgate.report.appchange import app_changes
from headgate.report.verdict import Finding, judged_findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.configuration import Configuration, Owner
    from headgate.report.appchange import AppChange
    from headgate.repository.tree import Tree
    from headgate.validation.weigh import Judgement


@frozen_record
class ReviewContent:
    """Changes, their findings, and the labels and further approvals that policies require."""

    changes: Sequence[AppChange]
    findings: tuple[Finding, ...] = ()
    labels: tuple[str, ...] = ()
    approvals: int = 0


def review_content(old: Tree, new: Tree, configuration: Configuration) -> ReviewContent:
    """Return what changes between two trees; ``configuration`` is that of the default branch."""
    changes = app_changes(old, new, configuration)
    owners = [(change.app, change.environment) for change in changes]
    judgements = judged_change(old, new, configuration, owners, datetime.now(UTC).date())
    found = [finding for judgement in judgements.values() for finding in judgement.findings]
    return ReviewContent(
        changes=changes,
        findings=judged_findings(judgements),
        labels=tuple(dict.fromkeys(label for finding in found for label in finding.labels)),
        approvals=len(set().union(*(_approving(judgements[owner], owner, configuration) for owner in judgements))),
    )


def _approving(judgement: Judgement, owner: Owner, configuration: Configuration) -> frozenset[str]:
    """Return the policies that require an approval: all that may where nobody can tell."""
    policies = approving(configuration.settings.policies, owner[1])
    if judgement.error is not None or judgement.notice:
        return policies
    return policies & {found.finding.policy for found in judgement.findings if found.needs_approval}
