"""Merge requests that people merged: whether they had their approvals. Each is looked at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headgate.errors import GitLabError, HeadgateError
from headgate.gitlab.notes import keep_note
from headgate.intents.record_merges import RecordMerges
from headgate.model import UnapprovedMerge
from headgate.model.policies import approving
from headgate.paths import app_of, environment_of
from headgate.records import frozen_record
from headgate.releases.unapproved import read_unapproved, unapproved_text
from headgate.report.approvals import ignored_text
from headgate.report.markdown import prose
from headgate.review.description import ProposalMetadata, read_metadata, updated_description
from headgate.review.merging import approvals_of, needed_approvals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.gitlab.approvals import Approvals
    from headgate.review.api import MergeRequest
    from headgate.review.update import ReviewContext


@frozen_record
class MergedByPeople:
    """The merge requests that people merged since the last run, with their approvals.

    ``settled`` are the recorded ones, by environment and name, that a merge with its approvals followed; ``messages``
    say what could not be looked at.
    """

    counted: tuple[tuple[MergeRequest, Approvals], ...] = ()
    settled: tuple[tuple[str, str], ...] = ()
    messages: tuple[str, ...] = ()

    @property
    def intent(self) -> RecordMerges | None:
        """What is to be recorded; None where nothing is."""
        found = tuple(
            (environment_of(request.branch), _record(request, approvals))
            for request, approvals in self.counted
            if approvals.missing
        )
        return RecordMerges(found, self.settled) if found or self.settled else None


def _record(request: MergeRequest, approvals: Approvals) -> UnapprovedMerge:
    return UnapprovedMerge(
        request=request.name,
        app=app_of(request.branch) or None,
        by=request.merged_by or "somebody",
        commit=request.commit,
        merged_at=request.merged_at,
        needed=approvals.needed,
        approved_by=approvals.given,
    )


def merged_by_people(context: ReviewContext) -> MergedByPeople:
    """Return what people merged, where approvals are needed. Raises GitLabError when they cannot be listed."""
    settings = context.configuration.settings
    environments = [
        name for name, at in settings.environments.items() if at.review.approvals or approving(settings.policies, name)
    ]
    if not environments:
        return MergedByPeople()
    merged = [item for item in context.requests.merged() if environment_of(item.branch) in environments]
    counted, messages = [], []
    for request in merged:
        if request.merge_user == context.requests.gitlab.user or _is_marked(context, request):
            continue
        try:
            needed = needed_approvals(context, request.branch, request.commit)
            approvals = approvals_of(context, request.branch, request.commit, request, needed)
        except HeadgateError as error:
            messages.append(f"cannot count the approvals of {request.name}, which was merged: {error.what}")
            continue
        if approvals is not None and approvals.error is not None:
            messages.append(f"cannot count the approvals of {request.name}, which was merged: {approvals.error.what}")
        elif approvals is not None:
            counted.append((request, approvals))
    lacking = {request.name for request, approvals in counted if approvals.missing}
    settled = tuple(
        (name, merge.request) for name in environments for merge in _settled(context, name, merged, lacking)
    )
    return MergedByPeople(counted=tuple(counted), settled=settled, messages=tuple(messages))


def _settled(
    context: ReviewContext, environment: str, merged: Sequence[MergeRequest], lacking: set[str]
) -> Iterator[UnapprovedMerge]:
    """Yield the recorded merges after which the same app had another one that is not on record."""
    recorded = read_unapproved(context.workspace.tree, environment)
    known = {merge.request for merge in recorded} | lacking
    for merge in recorded:
        own = [
            request
            for request in merged
            if (environment_of(request.branch), app_of(request.branch)) == (environment, merge.app or "")
        ]
        newest = max(own, key=lambda request: request.merged_at, default=None)
        if newest is not None and newest.name not in known and newest.merged_at > merge.merged_at:
            yield merge


def mark_counted(context: ReviewContext, merged: MergedByPeople) -> Iterator[str]:
    """Report what was found on each merge request, and mark it. Yields what GitLab refused: it is on record already."""
    for request, approvals in merged.counted:
        try:
            _mark_one(context, request, approvals)
        except GitLabError as error:
            yield f"{request.name} was merged and is not marked as counted: {error.what}"


def _mark_one(context: ReviewContext, request: MergeRequest, approvals: Approvals) -> None:
    if approvals.missing:
        ignored = ignored_text(approvals)
        text = f"{unapproved_text(_record(request, approvals))}{f'. {ignored}' if ignored else ''}"
        path = f"{context.requests.path}/{request.number}"
        keep_note(context.requests.gitlab, path, "unapproved", f"{prose(text)}.")
    metadata = read_metadata(request.description) or ProposalMetadata()
    marked = replace(metadata, counted=_mark(context, request))
    context.requests.change(request, {"description": updated_description(request.description, marked)})


def _is_marked(context: ReviewContext, request: MergeRequest) -> bool:
    metadata = read_metadata(request.description)
    return metadata is not None and metadata.counted != "" and metadata.counted == _mark(context, request)


def _mark(context: ReviewContext, request: MergeRequest) -> str:
    """Return what nobody else can write into the description: everybody may edit that."""
    prover = context.workspace.prover
    return prover.signed(f"counted {request.number} {request.commit}") if prover else ""
