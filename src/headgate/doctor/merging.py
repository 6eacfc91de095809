"""GitLab's settings for merge requests of reviewed environments: reviewers, approvals, pipelines, squash.

Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.doctor.diagnosis import Diagnosis, is_given, reviewed
from headgate.scaffolding import CI

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.doctor.examine import Examined


def reviewers(examined: Examined) -> Iterator[Diagnosis]:
    """GitLab adds no reviewers to Headgate's proposals.

    Since 19.1 it adds Code Owners, except to drafts, and if a reviewer is set already.
    """
    name, project = "automatic reviewers", examined.manifests
    strategy = (project.facts or {}).get("reviewer_assignment_strategy") or "disabled"
    unnamed = [name for name, environment in reviewed(examined) if not environment.review.reviewers]
    if strategy == "disabled" or not reviewed(examined):
        return
    if unnamed:
        text = f"GitLab makes all Code Owners reviewers ({strategy}), since headgate.yaml names none"
        yield Diagnosis(
            *(name, "wrong", project.path, f"{text} for {', '.join(unnamed)}"),
            "headgate.yaml: review: {reviewers: [...]}; or Settings > Merge requests > Automatic reviewer assignment > "
            "'Automatically assign all code owners as reviewers': off",
        )
    else:
        yield Diagnosis(name, "ok", project.path, "GitLab adds none where headgate.yaml names reviewers")


def approvals(examined: Examined) -> Iterator[Diagnosis]:
    """Only approved versions are merged: a newer version in a merge request needs new approvals."""
    name, project = "approvals", examined.manifests
    if not reviewed(examined) or project.approvals is None:  # GitLab Free requires none
        return
    setting = "Settings > Merge requests > Approval settings > 'When a commit is added': 'Remove all approvals'"
    by_itself = _by_itself(examined)
    if project.approvals.get("reset_approvals_on_push"):
        text = "a newer version in an open merge request removes its approvals: it must be approved again"
        yield Diagnosis(name, "ok", project.path, text)
    elif by_itself:
        text = f"approvals survive a newer version, and {', '.join(by_itself)} merges it automatically, unseen"
        yield Diagnosis(name, "wrong", project.path, text, setting)
    else:
        text = "approvals survive a newer version in an open merge request: whoever merges it must check"
        yield Diagnosis(name, "ok", project.path, text)


def pipelines(examined: Examined) -> Iterator[Diagnosis]:
    """If GitLab requires a successful pipeline, merge requests have one."""
    name, project = "pipelines of merge requests", examined.manifests
    facts = project.facts or {}
    if not reviewed(examined) or not facts.get("only_allow_merge_if_pipeline_succeeds"):
        return
    setting = "Settings > Merge requests > Merge checks > 'Pipelines must succeed': off"
    if project.variables is not None and not is_given(examined.runs_in, "HEADGATE_TOKEN"):
        text = "what a job pushes with its own token starts no pipeline, so no merge request can be merged"
        yield Diagnosis(name, "wrong", project.path, text, f"give jobs HEADGATE_TOKEN; or {setting}")
    elif CI not in examined.ci:
        yield Diagnosis(name, "cannot tell", project.path, f"{CI} not found")
    elif facts.get("ci_skip_branch_pipelines_for_mrs") and not _runs_for_requests(examined.ci[CI]):
        text = "GitLab skips pipelines of branches with a merge request, and there are no others"
        yield Diagnosis(
            *(name, "wrong", project.path, f"{text}, so no merge request can be merged"),
            f"{_FOR_REQUESTS}; or Settings > CI/CD > General pipelines > 'Skip branch pipelines for merge requests': "
            "off",
        )
    else:
        yield Diagnosis(name, "ok", project.path, "merge requests have pipelines, which must succeed")


_FOR_REQUESTS = f"{CI}: workflow: rules: add '- if: $CI_PIPELINE_SOURCE == \"merge_request_event\"'"


def trains(examined: Examined) -> Iterator[Diagnosis]:
    """If GitLab merges by merge trains, which 19.3 can enforce, they can take Headgate's merge requests.

    https://docs.gitlab.com/ci/pipelines/merge_trains/: it needs a pipeline of the merge request.
    """
    name, project = "merge trains", examined.manifests
    by_itself = _by_itself(examined)
    if not by_itself or not (project.facts or {}).get("merge_trains_enabled"):
        return
    if CI not in examined.ci:
        yield Diagnosis(name, "cannot tell", project.path, f"{CI} not found")
    elif not _runs_for_requests(examined.ci[CI]):
        text = "a merge train takes only merge requests with a pipeline of their own, and here they have none"
        yield Diagnosis(
            *(name, "wrong", project.path, f"{text}, so {', '.join(by_itself)} is not merged automatically"),
            f"{_FOR_REQUESTS}; or Settings > Merge requests > 'Enable merge trains': off",
        )
    else:
        yield Diagnosis(name, "ok", project.path, "Headgate's merges use the merge train")


def _runs_for_requests(ci: Any) -> bool:
    """Whether a CI file's workflow allows merge request pipelines."""
    workflow = ci.get("workflow") if isinstance(ci, dict) else None
    rules = (workflow or {}).get("rules") or ()
    return any("merge_request_event" in str(rule.get("if", "")) and rule.get("when") != "never" for rule in rules)


def _by_itself(examined: Examined) -> list[str]:
    """Return the environments whose merge requests Headgate lets GitLab merge."""
    return [name for name, environment in reviewed(examined) if environment.review.auto_merge]


def squash(examined: Examined) -> Iterator[Diagnosis]:
    """GitLab merges commits without squashing them."""
    name, project = "squash", examined.manifests
    option = (project.facts or {}).get("squash_option")
    by_itself = _by_itself(examined)
    if not by_itself or option is None:
        return
    if option == "always":
        text = f"GitLab merges nothing that is not squashed, so {', '.join(by_itself)} is not merged automatically"
        way_out = "Settings > Merge requests > 'Squash commits when merging': Allow, Encourage or Do not allow"
        yield Diagnosis(name, "wrong", project.path, text, way_out)
    else:
        yield Diagnosis(name, "ok", project.path, f"merge requests may be merged as they are ({option})")
