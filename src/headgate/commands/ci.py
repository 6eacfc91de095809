"""``headgate ci``: the task of a pipeline. Each kind of pipeline reads as its steps."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from headgate.commands import verbs, verify
from headgate.commands.exit_code import merge_codes
from headgate.commands.job_checks import check_installation, check_person, show_health
from headgate.commands.kept_results import finish_results, result_folder
from headgate.commands.reviews import with_reviews_recorded
from headgate.commands.run import land_intent, print_result
from headgate.commands.version import engine_line
from headgate.errors import ConfigError, HeadgateError, UntrustedError
from headgate.feedback.apps import Scope, report_to_sender
from headgate.feedback.completion import complete
from headgate.feedback.hydrationnote import comment_hydration
from headgate.feedback.jobreport import JobReport
from headgate.feedback.notify import notify
from headgate.gitlab.api import merge_request_path
from headgate.gitlab.completed import completed_today
from headgate.gitlab.event import read_event
from headgate.gitlab.form import check_form
from headgate.gitlab.run import check_settings, open_run
from headgate.gitlab.verified_handoff import app_histories, resolve_handoff, verify_sender
from headgate.health.run import run_health
from headgate.hydration.hydrate import AS_USUAL, HydrateOptions
from headgate.intents.deliver import Deliver
from headgate.landing.artifacts import write_artifacts
from headgate.landing.migrate import migrated
from headgate.landing.proof import ProofKey
from headgate.landing.workspace import open_workspace, refreshed
from headgate.paths import OURS
from headgate.process import hide_environment
from headgate.report.terminal import Terminal
from headgate.repository.login import logged_in
from headgate.review.automerge import is_own_push
from headgate.review.without_token import push_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from headgate.commands.job_checks import Check
    from headgate.commands.options import Resolve
    from headgate.commands.run import RunResult
    from headgate.feedback.commit_report import CommitRef
    from headgate.gitlab.run import Run
    from headgate.landing.workspace import Workspace
    from headgate.releases.handoff import HandOff


def run(environ: Mapping[str, str] = os.environ) -> int:
    """Run the task of this job's pipeline. Returns the exit code."""
    hide_environment()
    event = read_event(environ)
    found = open_run(event)
    kind = _kind(found)
    terminal, results = Terminal(sys.stdout), result_folder(environ)
    terminal.line(engine_line())
    login = found.branch_login if kind == "merge_request_event" else found.manifests_login
    report = JobReport(event.server)
    with logged_in(login), app_histories(found) as histories:
        try:
            code = _KINDS[kind](replace(found, histories=histories, results=results), report)
        except HeadgateError as error:
            report.failed(error)
            notify(found, report.announcements, environ)
            raise
        notify(found, report.announcements, environ)
        if results is not None:
            finish_results(results, terminal)
        return code


def _kind(run: Run) -> str:
    """Return the kind of this run, from the pipeline's source in GitLab.

    https://docs.gitlab.com/ci/jobs/job_rules/#ci_pipeline_source-predefined-variable
    """
    source = run.job.source
    if source in ("pipeline", "trigger"):
        return "hand-off"
    if run.event.handoff:
        raise UntrustedError(
            f"this pipeline has a hand-off, but no project triggered it ({source})",
            hint="leave the input 'handoff' empty; to deliver by hand, run the app's pipeline again",
        )
    if source in ("web", "api", "webide", "chat"):
        return "form"
    if source in ("push", "schedule", "merge_request_event"):
        return source
    raise ConfigError(f"nothing to do in a pipeline with the source '{source}'")


def hand_off(run: Run, report: JobReport) -> int:
    """Verify the sender, land the hand-off, update GitLab. An unverified claim is reported to nobody."""
    terminal = Terminal(sys.stdout)
    with _open(run) as opened, ExitStack() as stack:
        workspace = _prepared(run, report, opened, terminal, check_installation)
        claim, sender = verify_sender(run, workspace.configuration)
        terminal.line(f"sent by pipeline {sender.pipeline} of {sender.path}@{sender.commit[:12]}: {sender.proof}")
        try:
            received, source = resolve_handoff(run, workspace.configuration, claim, sender, stack)
            result = _land(run, report, workspace, terminal, lambda _workspace, _stack: Deliver(received, source))
            scope = Scope(sent=_commit_of(received))
            result = result.followed_by(complete(run, workspace, result.landings, scope, report.announcements.health))
        except HeadgateError as error:
            report_to_sender(run, sender, error)
            raise
        code = print_result(result, terminal)
        report_to_sender(run, sender, None)
    return code


def _commit_of(hand_off: HandOff) -> CommitRef | None:
    return None if hand_off.project_id is None else (hand_off.project_id, hand_off.commit, hand_off.ref)


def push(run: Run, report: JobReport) -> int:
    """Hydrate what the push changed, then update open proposals."""
    with _open(run) as opened:
        rehydrated = run_step(run, report, opened, verbs.rehydrate(), Scope(since=run.job.commit))
        return merge_codes([rehydrated, run_step(run, report, refreshed(opened), verbs.refresh(), Scope())])


def schedule(run: Run, report: JobReport) -> int:
    """Verify, roll back failed versions, run due promotions, refresh proposals; the last step reports changes.

    Once a day it reports everything, which completes what GitLab refused or lost.
    """
    gitlab, project = run.write, run.event.manifests
    completed = completed_today(gitlab, project, run.job.ref, datetime.now(UTC)) if gitlab is not None else ""
    scope = Scope(reported=completed) if completed else Scope(everything=True)
    verified = verify.run(verify.VerifyOptions(run.address), report.verified)
    health = run_health(run)
    with _open(run) as opened:
        rolled_back = run_step(run, report, opened, verbs.roll_back_failed(health), Scope(landed=True))
        promoted = run_step(run, report, refreshed(opened), verbs.promote_due(run.histories, health), None)
        last = run_step(run, report, refreshed(opened), verbs.refresh(), scope)
    return merge_codes([verified, rolled_back, promoted, last])


def merge_request(run: Run, report: JobReport) -> int:
    """Hydrate a merge request onto its branch if a token may push there; otherwise verify its YAML."""
    number = run.job.merge_request
    request = run.by_job.get(merge_request_path(run.event.manifests, number))
    branch = request["source_branch"]
    with open_workspace(run.address, outlives=True) as workspace:
        target, trusted = workspace.configuration, workspace.tree
    check_settings(target.settings, run.event)
    is_foreign = {request["source_project_id"], request["target_project_id"]} != {run.job.project}
    if run.branch is None or branch.startswith(OURS) or is_foreign:
        ref = f"refs/merge-requests/{number}/head"
        return verify.run(verify.VerifyOptions(run.address, ref=ref, target=target, base=trusted), report.verified)
    # Reviewers see here what other engine versions change, before the merge. And nobody can add final YAML with a
    # matching record: only folders that equal those on the default branch are trusted.
    options = HydrateOptions(upgrade=True, trusted=trusted)
    terminal = Terminal(sys.stdout)
    with open_workspace(run.address, run.event.signing_key, branch) as opened:
        workspace = migrated(replace(opened, target=target))
        result = _land(run, report, workspace, terminal, verbs.rehydrate(), hydrate=options)
        result = result.followed_by(comment_hydration(run.branch, run.event.manifests, request, workspace))
    hydrated = print_result(result, terminal)
    stray = verify.VerifyOptions(
        run.address, ref=f"refs/heads/{branch}", target=target, base=trusted, unrendered=result.unrendered
    )
    return merge_codes([hydrated, verify.run(stray, report.verified)])


def form(run: Run, report: JobReport) -> int:
    """Run the action that a person chose in the form for a new pipeline, if that person may."""
    chosen = run.event.form
    check_form(chosen)
    intent_id = run.keyed(f"pipeline-{run.job.project}-{run.job.pipeline}")
    hydrate = HydrateOptions(everything=True) if chosen.action == "rehydrate" else AS_USUAL
    resolve = verbs.FORM[chosen.action](chosen, run.job.user_name, run.histories)
    checks = (check_installation, check_person, show_health)
    return run_job(run, report, resolve, Scope(), *checks, intent_id=intent_id, hydrate=hydrate)


# The steps


@contextmanager
def _open(run: Run) -> Iterator[Workspace]:
    """Open the manifest repository, once for all steps of a job."""
    with open_workspace(run.address, run.event.signing_key) as opened:
        options = push_options if run.write is None else None
        yield replace(opened, push_options=options, prover=_proof_key(run))


def _prepared(run: Run, report: JobReport, opened: Workspace, terminal: Terminal, *checks: Check) -> Workspace:
    """Return the workspace after the checks, with the merge requests that people closed recorded."""
    for check in checks:
        check(run, opened)
    return with_reviews_recorded(run, report, migrated(opened), terminal)


def _land(
    run: Run,
    report: JobReport,
    workspace: Workspace,
    terminal: Terminal,
    resolve: Resolve,
    *,
    intent_id: str = "",
    hydrate: HydrateOptions = AS_USUAL,
) -> RunResult:
    result = land_intent(
        workspace,
        resolve,
        terminal,
        intent_id=intent_id,
        after=run.job.commit,
        hydrate=replace(hydrate, results=run.results),
        histories=run.histories,
    )
    artifacts = write_artifacts(workspace, lambda settings: run.access(settings).registries, run.event.artifact_key)
    result = result.followed_by(artifacts)
    report.add(workspace, result.landings)
    report.announcements.landed(workspace, result.landings)
    return result


def run_job(
    run: Run,
    report: JobReport,
    resolve: Resolve,
    scope: Scope | None,
    *checks: Check,
    intent_id: str = "",
    hydrate: HydrateOptions = AS_USUAL,
) -> int:
    """Do the only step of a job (`run_step`)."""
    with _open(run) as opened:
        return run_step(run, report, opened, resolve, scope, *checks, intent_id=intent_id, hydrate=hydrate)


def run_step(
    run: Run,
    report: JobReport,
    opened: Workspace,
    resolve: Resolve,
    scope: Scope | None,
    *checks: Check,
    intent_id: str = "",
    hydrate: HydrateOptions = AS_USUAL,
) -> int:
    """Land an intent on the default branch and update GitLab within the ``scope``, if there is one."""
    terminal = Terminal(sys.stdout)
    workspace = _prepared(run, report, opened, terminal, *(checks or (check_installation,)))
    if scope is not None and scope.since:
        report.announcements.pushed(run, workspace)
    result = _land(run, report, workspace, terminal, resolve, intent_id=intent_id, hydrate=hydrate)
    if scope is not None and (not scope.landed or any(landing.delivered for landing in result.landings)):
        result = result.followed_by(complete(run, workspace, result.landings, scope, report.announcements.health))
    return print_result(result, terminal)


def _proof_key(run: Run) -> ProofKey | None:
    """Return the key that proves review commits, from the bot's token; with the job token there is none."""
    gitlab, project = run.write, run.event.manifests
    if gitlab is None:
        return None
    return ProofKey.of(run.event.tokens.write, run.address, lambda at, commit: is_own_push(gitlab, project, at, commit))


_KINDS: dict[str, Callable[[Run, JobReport], int]] = {
    "hand-off": hand_off,
    "push": push,
    "schedule": schedule,
    "merge_request_event": merge_request,
    "form": form,
}
