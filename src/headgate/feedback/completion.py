"""What a run in a pipeline does after it landed: GitLab is brought to what the repository holds. Any run may do it.

Merge requests first, then what the apps' projects are told. All of it comes from the state of the repository and of
GitLab, so a run that was killed is completed by the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.feedback.apps import report
from headgate.landing.land import read_state
from headgate.landing.workspace import refreshed
from headgate.review.mergerequests import reconcile
from headgate.review.unopened import unopened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.config import Configuration
    from headgate.feedback.apps import Scope
    from headgate.gitlab.run import Run
    from headgate.landing.land import Landing
    from headgate.landing.workspace import Workspace
    from headgate.review.upkeep import Reconciled


def complete(run: Run, workspace: Workspace, landings: Sequence[Landing], scope: Scope) -> Iterator[str]:
    """Bring GitLab to what the repository holds, and yield what there is to say.

    ``workspace`` is as it was before the run. What reports are refused is told and changes nothing; raises
    GitLabError, at its end, when a merge request could not be kept.
    """
    newest = refreshed(workspace)
    state = read_state(newest)
    done = _merge_requests(run, newest, state.configuration)
    yield from done.told
    if done.merged:
        newest = refreshed(newest)
        state = read_state(newest)
    yield from report(run, workspace, newest, state, landings, scope, done)
    if done.errors:
        raise done.errors[0]


def _merge_requests(run: Run, newest: Workspace, configuration: Configuration) -> Reconciled:
    if run.write is None:
        return unopened(run.by_job, run.branch, run.event.manifests, newest, configuration)
    return reconcile(run.write, run.event.manifests, newest, configuration)
