"""The approvals of open proposals, to be shown: reads GitLab, and writes nothing, neither there nor to a checkout."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from headgate.errors import GitLabError
from headgate.gitlab.api import project_path
from headgate.gitlab.approvals import ApprovalRule, Approvals
from headgate.paths import app_of
from headgate.review.api import MergeRequests
from headgate.review.approvals import count_approvals, rule_of_inputs, rule_of_release
from headgate.review.update import actor_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headgate.configuration import Configuration
    from headgate.gitlab.api import GitLab
    from headgate.state.proposals import Proposed
    from headgate.state.status import AppStatus


def with_approvals(
    apps: Sequence[AppStatus], configuration: Configuration, gitlab: GitLab | None, branch: str
) -> list[AppStatus]:
    """Return the apps with the approvals of what is proposed, where headgate.yaml requires some.

    ``branch`` is the default branch. Without ``gitlab`` it is not known how many there are.
    """
    waiting = {
        (app.app, app.environment): needed
        for app in apps
        if app.proposed is not None and (needed := configuration.review(app.app, app.environment).approvals)
    }
    if not waiting:
        return list(apps)
    look = _lookup(configuration, gitlab, branch)

    def counted(app: AppStatus) -> AppStatus:
        proposed, needed = app.proposed, waiting.get((app.app, app.environment), 0)
        if proposed is None or not needed:
            return app
        return replace(app, proposed=replace(proposed, approvals=look(app, proposed, needed)))

    return [counted(app) for app in apps]


def _lookup(
    configuration: Configuration, gitlab: GitLab | None, branch: str
) -> Callable[[AppStatus, Proposed, int], Approvals]:
    """Return what counts the approvals of a proposal that needs a number of them."""
    settings = configuration.settings.gitlab
    if gitlab is None or settings is None:
        return lambda _app, _proposed, needed: Approvals(needed=needed, error=GitLabError("there is no HEADGATE_TOKEN"))
    requests = MergeRequests(gitlab, settings.project, branch)
    try:
        found = {request.branch: request for request in requests.open()}
    except GitLabError as error:
        unknown = error
        return lambda _app, _proposed, needed: Approvals(needed=needed, error=unknown)

    def count(app: AppStatus, proposed: Proposed, needed: int) -> Approvals:
        request = found.get(proposed.branch) if proposed.commit else None
        rule = partial(_rule, app, proposed, configuration, requests)
        return count_approvals(requests, request, proposed.commit, needed, rule)

    return count


def _rule(app: AppStatus, proposed: Proposed, configuration: Configuration, requests: MergeRequests) -> ApprovalRule:
    gitlab, review = requests.gitlab, configuration.review(app.app, app.environment)
    entry = gitlab.get(f"{project_path(requests.project)}/repository/commits/{proposed.commit}")
    actor = actor_in(entry["message"])
    if app_of(proposed.branch) not in configuration.apps:
        return rule_of_inputs(review, actor, requests, app.environment, entry["parent_ids"][0], (gitlab,))
    return rule_of_release(review, actor, app.release, proposed.release, (gitlab,))
