"""One merge request: opened, updated, made a draft while its environment is frozen."""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

from headgate.gitlab.titles import commit_titles
from headgate.intents.on_failure import ACTOR
from headgate.paths import app_of, environment_of
from headgate.records import frozen_record
from headgate.releases.pending_files import read_pending
from headgate.releases.release import parts
from headgate.report.approvals import approvals_notice
from headgate.report.changereport import ChangeReport, actors_of, source_steps
from headgate.report.describe import describe
from headgate.report.markdown import plain, prose
from headgate.repository import git
from headgate.review.api import as_draft, as_ready
from headgate.review.automerge import cancel_auto_merge
from headgate.review.description import (
    ProposalMetadata,
    notice_of,
    read_metadata,
    settings_id,
    updated_description,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headgate.configuration import Configuration
    from headgate.errors import HeadgateError
    from headgate.gitlab.api import GitLab
    from headgate.gitlab.approvals import Approvals
    from headgate.gitlab.people import People
    from headgate.landing.review_branches import ReviewBranches
    from headgate.landing.workspace import OpenProposal, Workspace
    from headgate.model import Review
    from headgate.report.appchange import AppChange
    from headgate.review.api import MergeRequest, MergeRequests
    from headgate.review.content import ReviewContent
    from headgate.review.description import Source

_MAX_TITLE = 200


@frozen_record
class RequestUpdate:
    """What became of one branch's merge request; ``request`` is its open one, None when it has none any more.

    ``gone`` are the apps' commits that it no longer proposes.
    """

    request: MergeRequest | None
    message: str = ""
    changed: bool = False
    merged: bool = False
    gone: tuple[Source, ...] = ()


@frozen_record
class ReviewResult:
    """The open merge requests by branch, messages, and errors.

    ``changed`` are the branches whose merge request changed; ``merged`` says that the default branch moved. ``gone``
    are the apps' commits that merge requests no longer propose, by branch.
    """

    open: Mapping[str, MergeRequest] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    errors: tuple[HeadgateError, ...] = ()
    changed: frozenset[str] = frozenset()
    merged: bool = False
    gone: Mapping[str, tuple[Source, ...]] = field(default_factory=dict)


@frozen_record
class ReviewContext:
    """What the steps for all branches share.

    ``pages`` are addresses of pages that show what commits change; ``readers`` are those that may read apps' commits.
    """

    requests: MergeRequests
    workspace: Workspace
    configuration: Configuration
    people: People
    branches: ReviewBranches
    pages: Mapping[str, str] = field(default_factory=dict)
    readers: tuple[GitLab, ...] = ()

    def review(self, branch: str) -> Review:
        """Return the review settings of a branch: of its environment, and of its app."""
        return self.configuration.review(app_of(branch), environment_of(branch))

    def notice(self, branch: str) -> str:
        """Return a Markdown notice when the branch's environment is frozen, else an empty string."""
        environment = environment_of(branch)
        freeze = self.configuration.frozen.get(environment)
        if freeze is None:
            return ""
        return f"> {prose(environment)} is frozen by {prose(freeze.by)}: {prose(freeze.reason)}"

    def notices(self, branch: str, approvals: Approvals | None) -> str:
        """Return in Markdown what holds a branch's merge request: a freeze, and approvals that it needs."""
        return "\n\n".join(filter(None, (self.notice(branch), approvals_notice(approvals))))

    def decision(self, branch: str) -> str:
        """Return in Markdown why a branch holds an automatic roll-back; empty where it holds none."""
        record = self.configuration.apps.get(app_of(branch))
        if record is None:
            return ""
        proposal = read_pending(self.workspace.tree, record.release_folder(environment_of(branch)), None).proposal
        is_own = proposal is not None and proposal.record.actor == ACTOR
        return f"> {prose(proposal.by_person)}\n\n" if proposal is not None and is_own else ""


def open_request(
    context: ReviewContext, proposal: OpenProposal, content: ReviewContent, approvals: Approvals | None = None
) -> RequestUpdate:
    """Open a merge request for a proposal, unless somebody closed that very one. Raises GitLabError."""
    branch, review = proposal.branch, context.review(proposal.branch)
    rejected = [request for request in context.requests.closed(branch) if request.commit == proposal.commit]
    if rejected:
        way_out = f"reopen it, or delete the branch ({rejected[0].url})"
        message = f"{rejected[0].name} for {branch} was closed and is not opened again: {way_out}"
        return RequestUpdate(request=None, message=message)
    notice = context.notice(branch)
    metadata = _metadata(context, proposal, content.changes, approvals, frozen=bool(notice) and not review.draft)
    labels = dict.fromkeys([*review.labels, *content.labels])
    title = _title(context, proposal)
    fields: dict[str, Any] = {
        "title": as_draft(title) if review.draft or notice else title,
        "description": updated_description(
            "", metadata, _text(context, proposal, content), context.notices(branch, approvals)
        ),
        **({"labels": ",".join(labels)} if labels else {}),
        **_people(context, review, ()),
    }
    request = context.requests.create(branch, fields)
    existing = read_metadata(request.description)
    if existing is None or existing.commit != proposal.commit:  # somebody else was faster
        return update_request(context, proposal, content, request, approvals)
    return RequestUpdate(request=request, changed=True, message=f"opened {request.name} for {branch}: {request.url}")


def update_request(
    context: ReviewContext,
    proposal: OpenProposal,
    content: ReviewContent,
    request: MergeRequest,
    approvals: Approvals | None = None,
) -> RequestUpdate:
    """Update a merge request to its branch's head or to new settings. What people changed stays. Raises GitLabError."""
    review = context.review(proposal.branch)
    before = read_metadata(request.description) or ProposalMetadata()
    notice = context.notice(proposal.branch)
    freezes = bool(notice) and not request.is_draft
    frozen = freezes or (before.frozen and request.is_draft and bool(notice))
    metadata = _metadata(context, proposal, content.changes, approvals, frozen=frozen)
    title = _title(context, proposal)
    is_draft = freezes or (request.is_draft and not (before.frozen and not notice))
    fields: dict[str, Any] = {
        "title": as_draft(title) if is_draft else title,
        "description": updated_description(
            request.description,
            metadata,
            _text(context, proposal, content),
            context.notices(proposal.branch, approvals),
        ),
    }
    has_new_settings = before.settings != metadata.settings
    labels = dict.fromkeys([*(review.labels if has_new_settings else ()), *content.labels])
    fields |= {"add_labels": ",".join(labels)} if labels else {}
    if has_new_settings:
        fields |= _people(context, review, request.reviewers)
    if notice and request.merges_itself:
        cancel_auto_merge(context.requests, request)
    return RequestUpdate(
        request=context.requests.change(request, fields),
        message=f"updated {request.name} for {proposal.branch}: {request.url}",
        changed=True,
        gone=tuple(source for source in before.sources if source not in metadata.sources),
    )


def sync_notices(
    context: ReviewContext, request: MergeRequest, metadata: ProposalMetadata, approvals: Approvals | None = None
) -> MergeRequest:
    """Say what holds a merge request, and make it a draft while its environment is frozen.

    It is ready again when that is over, unless a person drafted it.
    """
    notice, notices = context.notice(request.branch), context.notices(request.branch, approvals)
    if notice and request.merges_itself:
        cancel_auto_merge(context.requests, request)
        request = replace(request, merges_itself=False)
    if notice and not request.is_draft:
        title, frozen = as_draft(request.title), True
    elif not notice and metadata.frozen:
        title, frozen = as_ready(request.title), False
    elif notices != notice_of(request.description) or metadata.needed != _needed(approvals):
        title, frozen = request.title, metadata.frozen
    else:
        return request
    known = replace(metadata, frozen=frozen, needed=_needed(approvals))
    description = updated_description(request.description, known, notice=notices)
    return context.requests.change(request, {"title": title, "description": description})


def _needed(approvals: Approvals | None) -> int:
    return approvals.needed if approvals else 0


def _metadata(
    context: ReviewContext,
    proposal: OpenProposal,
    changes: Sequence[AppChange],
    approvals: Approvals | None,
    *,
    frozen: bool,
) -> ProposalMetadata:
    return ProposalMetadata(
        commit=proposal.commit,
        settings=settings_id(context.review(proposal.branch)),
        sources=tuple(_sources(changes)),
        frozen=frozen,
        needed=_needed(approvals),
    )


def _sources(changes: Sequence[AppChange]) -> Iterator[Source]:
    sources: dict[Source, None] = {}
    for change in changes:
        before = parts(change.before)
        for name, part in parts(change.after).items():
            if part != before.get(name) and part.project_id is not None:
                sources[part.project_id, part.commit] = None
    yield from list(sources)[:_MAX_SOURCES]


_MAX_SOURCES = 200


def _title(context: ReviewContext, proposal: OpenProposal) -> str:
    message = git.commit_details(context.workspace.repository, proposal.commit).message
    return plain(message.split("\n", 1)[0], _MAX_TITLE)


def _text(context: ReviewContext, proposal: OpenProposal, content: ReviewContent) -> str:
    gitlab, environment = context.requests.gitlab, environment_of(proposal.branch)
    changes = content.changes
    report = ChangeReport(
        changes=changes,
        findings=content.findings,
        requested_by=actor_of(context, proposal) or actors_of(changes),
        consequence=f"After the merge, Flux applies it in {environment}, from {context.workspace.branch}.",
        page=context.pages.get(proposal.commit, ""),
        titles=commit_titles(gitlab, source_steps(changes)),
    )
    return context.decision(proposal.branch) + describe(report, gitlab.url)


def actor_of(context: ReviewContext, proposal: OpenProposal) -> str:
    """Return the person who ran the command that made a proposal; empty for a hand-off."""
    return actor_in(git.commit_details(context.workspace.repository, proposal.commit).message)


def actor_in(message: str) -> str:
    """Return the person in a commit's message, who ran the command that made it; empty for a hand-off."""
    lines = message.split("\n")
    return next((line.removeprefix(_ACTOR) for line in lines if line.startswith(_ACTOR)), "")


_ACTOR = "Headgate-Actor: "


def _people(context: ReviewContext, review: Review, current: Sequence[int]) -> Mapping[str, list[int]]:
    fields: dict[str, list[int]] = {}
    reviewers = context.people.ids(review.reviewers)
    if reviewers:
        fields["reviewer_ids"] = list(dict.fromkeys([*current, *reviewers]))
    assignees = context.people.ids([review.assignee] if review.assignee else [])
    return fields | ({"assignee_ids": assignees} if assignees else {})
