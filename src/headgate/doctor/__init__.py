"""Whether GitLab is set up as the trust page requires: each check reads only GitLab's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.doctor.approving import approvers, unapproved
from headgate.doctor.branches import mergers, mirrors, protected_branch, pushers, records
from headgate.doctor.images import images
from headgate.doctor.intake import intake
from headgate.doctor.merging import approvals, pipelines, reviewers, squash, trains
from headgate.doctor.settings import (
    auto_cancel,
    pipeline_variables,
    registry,
    schedules,
    settings,
    titles,
    version,
    visible,
)
from headgate.doctor.tokens import allowlists, job_token_push, proofs, tokens, two_users
from headgate.doctor.way import live_tokens, protected_refs, reporter, starters, triggers, writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headgate.doctor.diagnosis import Diagnosis
    from headgate.doctor.examine import Examined

CHECKS: tuple[Callable[[Examined], Iterator[Diagnosis]], ...] = (
    *(
        version,
        visible,
        settings,
        pipeline_variables,
        protected_branch,
        records,
        pushers,
        mergers,
        job_token_push,
        tokens,
        two_users,
    ),
    *(mirrors, proofs, allowlists, auto_cancel, titles, registry, schedules, intake),
    *(reviewers, approvals, approvers, unapproved, pipelines, trains, squash),
    *(images, starters, protected_refs, live_tokens, writer, reporter, triggers),
)
"""The checks, in the order in which they are shown."""


def diagnose(examined: Examined) -> list[Diagnosis]:
    """Run all checks."""
    return [finding for check in CHECKS for finding in check(examined)]
