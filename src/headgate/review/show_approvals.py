"""The approvals of open proposals, to be shown: reads GitLab, and writes nothing, neither there nor to a checkout."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from headgate.errors import GitLabError
from headgate.gitlab.api import project_path
from headgate.gitlab.approvals import ApprovalRule, Approvals, ApprovalSubject, read_approvals
from headgate.review.api import MergeRequests
from headgate.review.approvals import actors_of_release, commits_of_inputs, commits_of_release, needed_approvals
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
    """Return the apps with the approvals of what is proposed, where headgate.yaml asks for some.

    ``branch`` is the default branch. Without ``gitlab`` it is not known how many there are.
    """
    waiting = {
        (app.app, app.environment): needed
        for app in apps
        if app.proposed is not None and (needed := needed_approvals(configuration.review(app.app, app.environment)))
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
        numbers = {request.branch: request.number for request in requests.open()}
    except GitLabError as error:
        unknown = error
        return lambda _app, _proposed, needed: Approvals(needed=needed, error=unknown)

    def count(app: AppStatus, proposed: Proposed, needed: int) -> Approvals:
        if proposed.branch not in numbers or not proposed.commit:
            return Approvals(needed=needed)
        number, commit = numbers[proposed.branch], proposed.commit
        subject = ApprovalSubject(project=requests.project, number=number, commit=commit, needed=needed)
        rule = partial(_rule, app, proposed, configuration, requests)
        return read_approvals(requests.gitlab, subject, rule)

    return count


def _rule(app: AppStatus, proposed: Proposed, configuration: Configuration, requests: MergeRequests) -> ApprovalRule:
    gitlab, project = requests.gitlab, requests.project
    entry = gitlab.get(f"{project_path(project)}/repository/commits/{proposed.commit}")
    actors = {actor_in(entry["message"])} - {""}
    if proposed.release is None:
        commits = commits_of_inputs(gitlab, project, app.environment, entry["parent_ids"][0])
    else:
        actors |= actors_of_release(app.release, proposed.release)
        commits = commits_of_release(app.release, proposed.release)
    role = configuration.review(app.app, app.environment).approver_role
    return ApprovalRule(role=role, actors=frozenset(actors), commits=commits, readers=(gitlab,))
