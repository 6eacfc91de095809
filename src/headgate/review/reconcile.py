"""The merge requests of all review branches: opened, updated, merged and closed to match the repository.

The only state is in GitLab and in git, so any run completes what another one left undone.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from headgate.errors import HeadgateError
from headgate.gitlab.people import People
from headgate.intents.decide_held import ClosedRequest, Reject
from headgate.landing.review_branches import ReviewBranches
from headgate.landing.workspace import read_proposal
from headgate.paths import OURS, app_of, environment_of
from headgate.releases.pending_files import read_pending
from headgate.repository.git import NO_COMMIT
from headgate.repository.remote import remote_refs
from headgate.repository.tree import differing
from headgate.review.api import MergeRequests
from headgate.review.automerge import Deadline
from headgate.review.closing import close, comment_closed
from headgate.review.content import review_content
from headgate.review.description import read_metadata, settings_id
from headgate.review.merging import approvals_of, merge_proposal, merges_automatically, needed_approvals
from headgate.review.pipelines import begin_pipeline, without_pipeline
from headgate.review.update import (
    RequestUpdate,
    ReviewContext,
    ReviewResult,
    open_request,
    sync_notices,
    update_request,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from headgate.configuration import Configuration
    from headgate.gitlab.api import GitLab
    from headgate.landing.workspace import OpenProposal, Workspace
    from headgate.review.api import MergeRequest

SECONDS = 60.0
"""How long a run waits in total for GitLab to decide what may be merged."""


def reconcile(context: ReviewContext) -> ReviewResult:
    """Reconcile a project's merge requests with its review branches.

    The context's workspace is at the newest commit of the default branch. An error of one merge request goes to
    ``errors`` and does not stop the others. Raises GitLabError when they cannot be listed.
    """
    requests = context.requests
    before = {request.branch: request for request in requests.open()}
    branches = context.branches.recorded
    steps = [attempt(name, partial(sync, context, name, head, before.get(name))) for name, head in branches.items()]
    for branch, request in before.items():
        if branch not in branches and _is_over(context.workspace, request):
            steps.append(attempt(branch, partial(_close, context, request)))
    steps += [
        attempt(request.branch, partial(_comment, context, request))
        for request in requests.closed()
        if request.branch not in branches
    ]
    steps += [
        attempt(request.branch, partial(begin_pipeline, requests, request, commit))
        for request, commit in without_pipeline(requests, branches, collect(before, steps))
    ]
    deadline = Deadline.of(SECONDS)
    for branch, request in collect(before, steps).open.items():
        if branch in branches and merges_automatically(context, request):
            steps.append(attempt(branch, partial(merge_proposal, context, request, branches[branch], deadline)))
    unknown = tuple(f"no user '{name}' in GitLab to review or assign" for name in context.people.unknown)
    result = collect(before, steps)
    return replace(result, messages=(*result.messages, *unknown))


def review_context(
    gitlab: GitLab,
    project: str,
    workspace: Workspace,
    configuration: Configuration,
    *,
    pages: Mapping[str, str] = MappingProxyType({}),
    readers: Sequence[GitLab] = (),
) -> ReviewContext:
    """Return what the steps for the merge requests of a project share.

    ``pages`` are the addresses of the pages that show what commits change, by commit; ``readers`` may read the apps'
    commits.
    """
    return ReviewContext(
        requests=MergeRequests(gitlab, project, workspace.branch),
        workspace=workspace,
        configuration=configuration,
        people=People(gitlab),
        branches=ReviewBranches(workspace),
        pages=pages,
        readers=tuple(readers),
    )


def closed_by_people(gitlab: GitLab, project: str, workspace: Workspace) -> Reject | None:
    """Return the open proposals that people rejected by closing their merge requests, or None. Raises GitLabError."""
    branches = {branch: commit for branch, commit in ReviewBranches(workspace).recorded.items() if app_of(branch)}
    if not branches:
        return None
    requests = MergeRequests(gitlab, project, workspace.branch)
    closed = [
        ClosedRequest(
            app=app_of(request.branch),
            environment=environment_of(request.branch),
            actor=request.closed_by or "somebody",
            request=request.name,
        )
        for request in requests.closed()
        if request.branch in branches and request.commit == branches[request.branch] and _by_person(gitlab, request)
    ]
    return Reject(tuple(closed)) if closed else None


def _by_person(gitlab: GitLab, request: MergeRequest) -> bool:
    """Whether a person closed it. Everybody may edit the description, so that counts only where GitLab does not say."""
    if request.close_user:
        return request.close_user != gitlab.user
    metadata = read_metadata(request.description)
    return metadata is None or not metadata.closed


def _is_over(workspace: Workspace, request: MergeRequest) -> bool:
    """Whether a merge request of Headgate's is for something that is no longer proposed."""
    metadata = read_metadata(request.description)
    head = workspace.branch_heads().get(f"refs/heads/{request.branch}", NO_COMMIT)
    return metadata is not None and head in (NO_COMMIT, metadata.commit) and not _moved(workspace, request.branch, head)


Step = tuple[str, RequestUpdate | HeadgateError | None]
"""A branch, and what became of its merge request; None: nothing."""


def attempt(branch: str, action: Callable[[], RequestUpdate | None]) -> Step:
    """Take the step of one branch; its error stops no other."""
    try:
        return branch, action()
    except HeadgateError as error:
        return branch, error


def collect(before: Mapping[str, MergeRequest], steps: Sequence[Step]) -> ReviewResult:
    """Return the result of all steps, in their order, upon the merge requests that were open before."""
    still_open, gone = dict(before), {}
    messages: list[str] = []
    for branch, update in steps:
        if isinstance(update, HeadgateError):
            messages.append(f"the merge request of {branch} is left to a later run")
        if not isinstance(update, RequestUpdate):
            continue
        messages += [update.message] if update.message else []
        if update.request is None:
            still_open.pop(branch, None)
        else:
            still_open[branch] = update.request
        if update.gone:
            gone[branch] = update.gone
    updates = [(branch, update) for branch, update in steps if isinstance(update, RequestUpdate)]
    return ReviewResult(
        open=still_open,
        messages=tuple(messages),
        errors=tuple(update for _, update in steps if isinstance(update, HeadgateError)),
        changed=frozenset(branch for branch, update in updates if update.changed),
        merged=any(update.merged for _, update in updates),
        gone=gone,
    )


def sync(context: ReviewContext, branch: str, commit: str, request: MergeRequest | None) -> RequestUpdate | None:
    """Give a branch its merge request, or bring that up to date. Raises GitLabError."""
    metadata = read_metadata(request.description) if request else None
    if request and metadata and (metadata.commit, metadata.settings) == (commit, settings_id(context.review(branch))):
        approvals = approvals_of(context, branch, commit, request, needed_approvals(context, branch, commit))
        return RequestUpdate(request=sync_notices(context, request, metadata, approvals))
    if _moved(context.workspace, branch, commit):
        return None  # whoever moved it reports to GitLab too
    if not context.branches.is_recorded(branch):
        message = f"{branch} holds a commit that Headgate did not make, so its merge request stays as it is"
        return RequestUpdate(request=request, message=message)
    proposal = read_proposal(context.workspace, branch, commit)
    if not _changes_anything(context, proposal):
        return _close(context, request) if request and metadata else None
    content = review_content(proposal.base, proposal.tree, context.configuration)
    is_known = metadata is not None and metadata.commit == commit
    needed = context.review(branch).approvals + content.approvals
    approvals = approvals_of(context, branch, commit, request if is_known else None, needed)
    if request is None:
        return open_request(context, proposal, content, approvals)
    return update_request(context, proposal, content, request, approvals)


def _moved(workspace: Workspace, branch: str, commit: str) -> bool:
    """Whether the remote branch is at another commit now."""
    ref = f"refs/heads/{branch}"
    if not workspace.remote:
        return False
    return remote_refs(workspace.repository, workspace.remote, ref).get(ref, NO_COMMIT) != commit


def _changes_anything(context: ReviewContext, proposal: OpenProposal) -> bool:
    newest = context.workspace.tree
    paths = differing(proposal.base, proposal.tree)
    return any(newest.oid(path) != proposal.tree.oid(path) for path in paths)


def _close(context: ReviewContext, request: MergeRequest) -> RequestUpdate:
    reason = _obsolete_reason(context, request.branch)
    close(context.requests, request, reason)
    metadata = read_metadata(request.description)
    return RequestUpdate(
        request=None,
        message=f"closed {request.name} for {request.branch}: {reason}",
        changed=True,
        gone=metadata.sources if metadata else (),
    )


def _comment(context: ReviewContext, request: MergeRequest) -> None:
    reason = _rejection(context, request) or _obsolete_reason(context, request.branch)
    comment_closed(context.requests, request, reason)


def _rejection(context: ReviewContext, request: MergeRequest) -> str:
    """Return the reason for a merge request that a person rejected, else an empty string."""
    app, environment = app_of(request.branch), environment_of(request.branch)
    if app not in context.configuration.apps:
        return ""
    folder = context.configuration.apps[app].release_folder(environment)
    rejected = read_pending(context.workspace.tree, folder, None).rejected
    entry = next((entry for entry in rejected.values() if entry.request == request.name), None)
    return f"rejected by {entry.by or 'somebody'}; a newer version is proposed again" if entry else ""


def _obsolete_reason(context: ReviewContext, branch: str) -> str:
    """Return why a branch has nothing left to review, according to the default branch."""
    environment, _, app = branch.removeprefix(OURS).partition("/")
    head = f"{context.workspace.branch} ({context.workspace.base[:12]})"
    apps = context.configuration.apps
    if environment not in context.configuration.settings.environments:
        return f"the environment {environment} no longer exists"
    if app.startswith("_"):
        return f"nothing left to change: {head} already has it, or something newer"
    if app not in apps.names or (
        app in apps and environment not in apps[app].environments(context.configuration.settings)
    ):
        return f"{app} is no longer configured in {environment}"
    return f"superseded: {head} already has it, or something newer"
