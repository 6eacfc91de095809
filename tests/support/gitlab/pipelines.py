"""Pipelines: made by pushes, triggers, forms, schedules and merge requests as GitLab does; run when a test says."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from support.gitlab import locally, runner
from support.gitlab.ciconfig import ConfigurationError, NothingToRunError, expand, read_configuration
from support.gitlab.gitside import (
    NOTHING,
    Update,
    Who,
    git,
    git_once,
    may_push,
    message_of,
    refs,
    refused,
    write_commit,
)
from support.gitlab.modelled import check_configuration
from support.gitlab.predefined import pipeline_variables
from support.gitlab.state import DEVELOPER, LEVEL_NAMES, NO_ONE, Job, MergeRequest, Pipeline, Project, Token, User

if TYPE_CHECKING:
    from support.gitlab.double import Double

_NOBODY = 99
_ROLES = {"no_one_allowed": _NOBODY, **{name: level for level, name in LEVEL_NAMES.items()}}


def push_files(
    double: Double,
    project: Project,
    files: dict[str, str | None],
    user: User,
    message: str = "Change",
    branch: str = "main",
    tag: str = "",
    base: str = "",
) -> str:
    """Commit files and push them as a person, rewriting what may be rewritten; return the commit. None removes a file.

    Raises AssertionError in GitLab's words where it refuses that. Only the commit is written by git, since tests push
    more often than they do anything else; what git and GitLab say to each other is tested by Headgate's own pushes.
    """
    known = refs(project)
    start = base or next((one for one in (branch, "main") if f"refs/heads/{one}" in known), "")
    head = known.get(f"refs/heads/{start}", start)
    names = [*([f"refs/heads/{branch}"] if files else []), *([f"refs/tags/{tag}"] if tag else [])]
    who = Who(user, Token(user, ("write_repository",)))
    pushed = [Update(name, known.get(name, NOTHING), head) for name in names]
    refusal = may_push(double, who, project) or refused(double, who, project, pushed)
    is_rewritten = known.get(f"refs/heads/{branch}", head) != head and project.protection(branch) is not None
    if refusal or (files and is_rewritten):
        raise AssertionError(refusal or "You are not allowed to force push code to a protected branch on this project.")
    with double.lock:
        commit = write_commit(project.folder, names[0], head, files, user.name, message) if files else head
        if tag:
            git(project, "update-ref", f"refs/tags/{tag}", commit)
    double.pushed(project, who, [Update(one.ref, one.old, commit) for one in pushed], [])
    return commit


_SKIP = re.compile(r"\[(ci[ _-]skip|skip[ _-]ci)\]", re.IGNORECASE)


def on_push(double: Double, project: Project, ref: str, sha: str, user: User) -> None:
    """Make the pipeline of a pushed branch or tag, and cancel those that it makes redundant (facts, parts 5 and 11).

    A commit that says ``[skip ci]`` gets a record that nothing runs in.
    """
    kind, _, name = ref.removeprefix("refs/").partition("/")
    if kind not in ("heads", "tags"):
        return
    is_tag = kind == "tags"
    if _SKIP.search(message_of(project, sha)):
        project.pipelines.append(Pipeline(project, name, sha, "push", user, is_tag=is_tag, status="skipped"))
        return
    made = make(double, project, name, "push", user, is_tag=is_tag, sha=sha)
    if not made.errors:
        _cancel_redundant(project, made)


def _cancel_redundant(project: Project, newest: Pipeline) -> None:
    """Cancel queued pipelines of older commits of the ref: CancelRedundantPipelinesService (facts, part 11)."""
    for one in project.pipelines:
        is_older = one.ref == newest.ref and one.is_tag == newest.is_tag and one.sha != newest.sha
        if is_older and one.status == "created" and one.auto_cancel != "none":
            one.status = "canceled"
            for job in one.jobs:
                job.status = "canceled"


def on_merge_request(double: Double, request: MergeRequest, user: User, *, in_parent: bool = False) -> Pipeline:
    """Make the pipeline of a merge request: in the fork, unless somebody runs it in the parent project.

    As who pushed (facts, part 5): https://docs.gitlab.com/ci/pipelines/merge_request_pipelines/#use-with-forked-projects.
    """
    project = request.project if in_parent else request.source_project
    ref = f"refs/merge-requests/{request.iid}/head"
    return make(double, project, ref, "merge_request_event", user, sha=request.sha, merge_request=request)


def make(
    double: Double,
    project: Project,
    ref: str,
    source: str,
    user: User,
    *,
    sha: str = "",
    is_tag: bool = False,
    inputs: dict[str, Any] | None = None,
    variables: dict[str, str] | None = None,
    upstream: Job | None = None,
    merge_request: MergeRequest | None = None,
) -> Pipeline:
    """Make a pipeline. What GitLab refuses is told in its ``errors``."""
    found = sha or refs(project).get(f"refs/{'tags' if is_tag else 'heads'}/{ref}", "")
    made = Pipeline(
        project, ref, found, source, user, is_tag, dict(inputs or {}), dict(variables or {}), upstream, merge_request
    )
    try:
        _check_permitted(project, made)
        known = pipeline_variables(double, made)
        masked = frozenset(name for name, one in project.variables.items() if one.masked) - set(made.variables)
        config = read_configuration(double, project, found, user, made.inputs, known, masked)
        check_configuration(config)
        made.auto_cancel = ((config.get("workflow") or {}).get("auto_cancel") or {}).get(
            "on_new_commit", "conservative"
        )
        made.config_variables = {key: str(value) for key, value in (config.get("variables") or {}).items()}
        jobs = locally.jobs(_decided(project, made, config), known)
        made.jobs = [
            each for name, one in jobs.items() for each in _side_by_side(name, one, config[name].get("parallel"), made)
        ]
        # https://docs.gitlab.com/ci/yaml/#stages
        stages = [".pre", *(config.get("stages") or ["build", "test", "deploy"]), ".post"]
        made.jobs.sort(key=lambda one: stages.index(one.stage))
        _check_any(made)
    except NothingToRunError as error:
        made.errors.append(str(error))
        made.status = "failed"
        if source in ("push", "merge_request_event"):
            return made  # GitLab makes none, silently
    except ConfigurationError as error:
        made.errors.append(str(error))
        made.status = "failed"
    project.pipelines.append(made)
    return made


def _decided(project: Project, made: Pipeline, config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with each rule of ``changes`` decided: https://docs.gitlab.com/ci/yaml/#ruleschanges.

    A push is compared with the commit's parent, as a push of one commit is. ``parallel`` is for `_side_by_side`.
    """
    files = git_once(project, "diff-tree", "--no-commit-id", "--name-only", "-r", made.sha).split("\n")

    def holds(rule: dict[str, Any]) -> bool:
        globs = rule.get("changes")
        return globs is None or made.source != "push" or any(fnmatch(file, one) for file in files for one in globs)

    def decided(job: Any) -> Any:
        if not isinstance(job, dict):
            return job
        alone = {key: job[key] for key in job if key != "parallel"}
        if "rules" not in job:
            return alone
        rules = [{key: rule[key] for key in rule if key != "changes"} for rule in job["rules"] if holds(rule)]
        return {**alone, "rules": rules or [{"when": "never"}]}

    return {name: decided(job) for name, job in config.items()}


def _side_by_side(name: str, job: dict[str, Any], total: int | None, made: Pipeline) -> list[Job]:
    """Return a job, or those that it stands for: https://docs.gitlab.com/ci/yaml/#parallel."""
    if total is None:
        return [Job(name, job.get("stage", "test"), job, made)]
    numbered = []
    for index in range(1, total + 1):
        own = {"CI_NODE_INDEX": index, "CI_NODE_TOTAL": total}
        one = {**job, "variables": {**(job.get("variables") or {}), **own}}
        numbered.append(Job(f"{name} {index}/{total}", job.get("stage", "test"), one, made))
    return numbered


def _check_any(made: Pipeline) -> None:
    if not made.jobs:
        raise NothingToRunError("Pipeline will not run for the selected trigger. The rules prevented any jobs")


def _check_permitted(project: Project, made: Pipeline) -> None:
    """Check rights: https://docs.gitlab.com/ci/pipelines/#pipeline-security-on-protected-branches (facts, part 2)."""
    level = project.level(made.user)
    protection = project.protection(made.ref) if not made.is_tag and made.merge_request is None else None
    needed = DEVELOPER
    if protection:
        needed = min((one for one in (protection.push, protection.merge) if one != NO_ONE), default=_NOBODY)
    if not made.sha:
        raise ConfigurationError("Reference not found")
    if level < DEVELOPER or (level < needed and made.source not in ("push", "schedule")):
        raise ConfigurationError("You do not have sufficient permission to run a pipeline on the selected ref")
    if made.variables and level < _ROLES[project.variables_role]:
        raise ConfigurationError("Insufficient permissions to set pipeline variables")


def settle(double: Double) -> None:
    """Run all queued pipelines, and those that they set off, side by side."""
    with ThreadPoolExecutor(8) as pool:
        running = []
        while True:
            queued = [one for project in double.projects for one in project.pipelines if one.status == "created"]
            for one in queued:
                one.status = "running"
                running.append(pool.submit(_run_pipeline, double, one))
            if not queued:
                if all(one.done() for one in running):
                    break
                _wait()
        for done in running:
            done.result()


def _wait() -> None:
    threading.Event().wait(0.02)


def _run_pipeline(double: Double, pipeline: Pipeline) -> None:
    """Run a pipeline's jobs side by side, each when those before it have ended.

    doc/ci/yaml/_index.md#stages and #needs
    """
    ended = {job.id: threading.Event() for job in pipeline.jobs}
    with ThreadPoolExecutor(max(1, len(pipeline.jobs))) as pool:
        running = [pool.submit(_run_in_turn, double, job, ended) for job in pipeline.jobs]
    for one in running:
        one.result()
    pipeline.status = "failed" if any(_stops_others(job) for job in pipeline.jobs) else "success"


def _run_in_turn(double: Double, job: Job, ended: dict[int, threading.Event]) -> None:
    """Run a job after those before it; one of them that failed ends the pipeline, unless it is allowed to fail."""
    try:
        earlier = runner.earlier_jobs(job)
        for one in earlier:
            ended[one.id].wait()
        if any(_stops_others(one) for one in earlier):
            job.status = "skipped"
        else:
            run_job(double, job)
    finally:
        ended[job.id].set()


def _stops_others(job: Job) -> bool:
    return job.status == "skipped" or (job.status == "failed" and not job.config.get("allow_failure"))


def run_job(double: Double, job: Job) -> None:
    """Run one job: a script as the runner does, or a trigger."""
    if job.is_bridge:
        _run_bridge(double, job)
    else:
        runner.run(double, job)


def _run_bridge(double: Double, job: Job) -> None:
    """Trigger another project's pipeline: app/services/ci/create_downstream_pipeline_service.rb (facts, part 2)."""
    trigger = job.config["trigger"]
    job.status = "running"
    upper = job.pipeline
    known = {**pipeline_variables(double, upper), **upper.config_variables}
    project = double.find_project(expand(trigger["project"], known))
    inherits = (job.config.get("inherit") or {}).get("variables", True)
    forwarded = {**(upper.config_variables if inherits else {}), **(job.config.get("variables") or {})}
    if project is None or not project.level(upper.user):
        job.status, job.failure_reason = "failed", "downstream_bridge_project_not_found"
        return
    # app/models/ci/bridge.rb: what stands in trigger:inputs is not expanded
    made = make(
        double,
        project,
        expand(trigger.get("branch") or project.default_branch, known),
        "pipeline",
        upper.user,
        inputs=trigger.get("inputs") or {},
        variables={key: expand(str(value), known) for key, value in forwarded.items()},
        upstream=job,
    )
    if made.errors:
        job.status, job.failure_reason, job.log = (
            "failed",
            "downstream_pipeline_creation_failed",
            "\n".join(made.errors),
        )
        return
    job.downstream = made
    while trigger.get("strategy") and made.status in ("created", "running"):
        _wait()
    job.status = made.status if trigger.get("strategy") else "success"
