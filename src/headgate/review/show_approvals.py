"""The approvals of open proposals, to be shown: reads GitLab, and writes nothing, neither there nor to a checkout."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from headgate.errors import GitLabError
from headgate.gitlab.api import project_path
from headgate.gitlab.approvals import ApprovalRule, Approvals
from headgate.model.policies import approving
from headgate.paths import app_of
from headgate.review.api import MergeRequests
from headgate.review.approvals import count_approvals, rule_of_inputs, rule_of_release
from headgate.review.description import read_metadata
from headgate.review.update import actor_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headgate.configuration import Configuration
    from headgate.gitlab.api import GitLab
    from headgate.review.api import MergeRequest
    from headgate.state.proposals import Proposed
    from headgate.state.status import AppStatus


def with_approvals(
    apps: Sequence[AppStatus], configuration: Configuration, gitlab: GitLab | None, branch: str
) -> list[AppStatus]:
    """Return the apps with the approvals of what is proposed, where headgate.yaml or a policy requires some.

    ``branch`` is the default branch. Without ``gitlab`` it is not known how many there are, nor what policies require.
    """
    if not any(app.proposed is not None and _may_need(configuration, app) for app in apps):
        return list(apps)
    look = _lookup(configuration, gitlab, branch)

    def counted(app: AppStatus) -> AppStatus:
        proposed = app.proposed
        if proposed is None or not _may_need(configuration, app):
            return app
        return replace(app, proposed=replace(proposed, approvals=look(app, proposed)))

    return [counted(app) for app in apps]


def _may_need(configuration: Configuration, app: AppStatus) -> int:
    """Return how many approvals an app's proposal needs at most: one more for each policy that requires one."""
    policies = approving(configuration.settings.policies, app.environment)
    return configuration.review(app.app, app.environment).approvals + len(policies)


def _lookup(
    configuration: Configuration, gitlab: GitLab | None, branch: str
) -> Callable[[AppStatus, Proposed], Approvals | None]:
    """Return what counts the approvals of a proposal; None where it needs none."""
    settings = configuration.settings.gitlab
    if gitlab is None or settings is None:
        return partial(_unknown, configuration, GitLabError("there is no HEADGATE_TOKEN"))
    requests = MergeRequests(gitlab, settings.project, branch)
    try:
        found = {request.branch: request for request in requests.open()}
    except GitLabError as error:
        return partial(_unknown, configuration, error)

    def count(app: AppStatus, proposed: Proposed) -> Approvals | None:
        request = found.get(proposed.branch) if proposed.commit else None
        needed = _needed(configuration, app, proposed, request)
        rule = partial(_rule, app, proposed, configuration, requests)
        return count_approvals(requests, request, proposed.commit, needed, rule) if needed else None

    return count


def _unknown(configuration: Configuration, error: GitLabError, app: AppStatus, _proposed: Proposed) -> Approvals | None:
    needed = configuration.review(app.app, app.environment).approvals
    return Approvals(needed=needed, error=error) if needed else None


def _needed(configuration: Configuration, app: AppStatus, proposed: Proposed, request: MergeRequest | None) -> int:
    """Return how many approvals a proposal needs, as its merge request says of this commit, within what can be."""
    least = configuration.review(app.app, app.environment).approvals
    metadata = read_metadata(request.description) if request else None
    if metadata is None or metadata.commit != proposed.commit:
        return least
    return min(max(least, metadata.needed), _may_need(configuration, app))


def _rule(app: AppStatus, proposed: Proposed, configuration: Configuration, requests: MergeRequests) -> ApprovalRule:
    gitlab, review = requests.gitlab, configuration.review(app.app, app.environment)
    entry = gitlab.get(f"{project_path(requests.project)}/repository/commits/{proposed.commit}")
    actor = actor_in(entry["message"])
    if app_of(proposed.branch) not in configuration.apps:
        return rule_of_inputs(review, actor, requests, app.environment, entry["parent_ids"][0], (gitlab,))
    return rule_of_release(review, actor, app.release, proposed.release, (gitlab,))
