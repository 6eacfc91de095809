"""``headgate ci``: what a pipeline asks for, by the same straight line as everything else."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from headgate.commands import hold, promote, rehydrate, rollback, verify
from headgate.commands.landed import Around, Asked, landed
from headgate.commands.version import engine_line
from headgate.errors import ConfigError, HeadgateError, Place, SeveralError, UntrustedError
from headgate.feedback.apps import Scope, tell_sender
from headgate.feedback.completion import complete
from headgate.feedback.hydrationnote import tell_hydration
from headgate.feedback.jobreport import JobReport
from headgate.gitlab.api import merge_request_path, path_of
from headgate.gitlab.completed import completed_today
from headgate.gitlab.event import read_event
from headgate.gitlab.form import check_form, check_permitted, concerned
from headgate.gitlab.identity import access_level, level_by_token
from headgate.gitlab.run import check_settings, open_run
from headgate.gitlab.sent import app_histories, proven, sent
from headgate.intents.deliver import Deliver
from headgate.intents.rollback import Wanted
from headgate.landing.proof import Prover
from headgate.landing.workspace import open_workspace
from headgate.layout import OURS, SETTINGS
from headgate.process import hide_environment
from headgate.report.terminal import Terminal
from headgate.repository.login import logged_in
from headgate.review.automerge import was_pushed_by_us
from headgate.review.mergerequests import closed_by_people
from headgate.review.unopened import push_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from headgate.feedback.word import Told
    from headgate.gitlab.run import Run
    from headgate.gitlab.sender import Sender
    from headgate.intents.held import Reject
    from headgate.landing.land import Landing
    from headgate.landing.workspace import Workspace
    from headgate.releases.handoff import HandOff


def run(environ: Mapping[str, str] = os.environ) -> int:
    """Do what this job's pipeline asks for, and return the exit code."""
    hide_environment()
    event = read_event(environ)
    found = open_run(event)
    kind = _kind(found)
    Terminal(sys.stdout).line(engine_line())
    login = found.branch_login if kind == "merge_request_event" else found.manifests_login
    report = JobReport(event.server)
    with logged_in(login), app_histories(found) as histories:
        try:
            return _KINDS[kind](replace(found, histories=histories), report)
        except HeadgateError as error:
            report.failed(error)
            raise


def _kind(run: Run) -> str:
    """Return what kind of run this is, by what GitLab says of the pipeline.

    https://docs.gitlab.com/ci/jobs/job_rules/#ci_pipeline_source-predefined-variable
    """
    source = run.job.source
    if source in ("pipeline", "trigger"):
        return "hand-off"
    if run.event.handoff:
        raise UntrustedError(
            f"a hand-off came with a pipeline that nobody triggered from a project ({source})",
            hint="leave the input 'handoff' empty; to deliver by hand, run the app's pipeline again",
        )
    if source in ("web", "api", "webide", "chat"):
        return "form"
    if source in ("push", "schedule", "merge_request_event"):
        return source
    raise ConfigError(f"there is nothing to do in a pipeline of the kind '{source}'")


def _hand_off(run: Run, report: JobReport) -> int:
    senders: list[Sender] = []
    taken: list[HandOff] = []
    with ExitStack() as stack:

        def resolve(workspace: Workspace) -> Deliver:
            claim, found = proven(run, workspace.configuration)
            senders.append(found)
            short = f"{found.path}@{found.commit[:12]}"
            Terminal(sys.stdout).line(f"sent by pipeline {found.pipeline} of {short}: {found.proof}")
            hand_off, source = sent(run, workspace.configuration, claim, found, stack)
            taken.append(hand_off)
            return Deliver(hand_off, source)

        try:
            code = landed(_asked(run, report, lambda: Scope(sent=_told(taken[-1]))), resolve)
        except HeadgateError as error:
            for one in senders:  # nobody else is told: a claim that is not proved is nobody's
                tell_sender(run, one, error)
            raise
        tell_sender(run, senders[0], None)
        return code


def _told(hand_off: HandOff) -> Told | None:
    return None if hand_off.project_id is None else (hand_off.project_id, hand_off.commit, hand_off.ref)


def _push(run: Run, report: JobReport) -> int:
    asked = _asked(run, report, lambda: Scope(since=run.job.commit))
    return _worst(rehydrate.run(rehydrate.Request(), asked), rehydrate.refresh(_asked(run, report)))


def _schedule(run: Run, report: JobReport) -> int:
    """Verify, promote what is due, refresh what is proposed; the last of them tells of what is new.

    Once a day it tells of everything, which completes what GitLab refused or lost.
    """
    gitlab, project = run.write, run.event.manifests
    completed = completed_today(gitlab, project, run.job.ref, datetime.now(UTC)) if gitlab is not None else ""
    scope = Scope(told=completed) if completed else Scope(everything=True)
    verified = verify.run(verify.Request(run.address), report.verified)
    followed = promote.follow(_asked(run, report, completes=False))
    return _worst(verified, followed, rehydrate.refresh(_asked(run, report, lambda: scope)))


def _merge_request(run: Run, report: JobReport) -> int:
    """Hydrate a merge request onto its branch, where that may be written; else verify what it holds."""
    number = run.job.merge_request
    found = run.by_job.get(merge_request_path(run.event.manifests, number))
    branch = found["source_branch"]
    is_ours = branch.startswith(OURS)
    with open_workspace(run.address) as workspace:
        target, trusted = workspace.configuration.settings, workspace.tree
    check_settings(target, run.event)
    if run.branch is None or is_ours or {found["source_project_id"], found["target_project_id"]} != {run.job.project}:
        ref = f"refs/merge-requests/{number}/head"
        return verify.run(verify.Request(run.address, ref=ref, target=target, base=trusted), report.verified)

    def tell(workspace: Workspace, landings: Sequence[Landing]) -> Iterator[str]:
        report.add(workspace, landings)
        if run.branch is not None:
            yield from tell_hydration(run.branch, run.event.manifests, found, workspace)

    around = Around(complete=tell, branch=branch, target=target)
    asked = Asked(run.address, signing_key=run.event.signing_key, around=around)
    # Here everybody sees what other versions of the engines change, before it is merged. And nobody brings final YAML
    # of his own with a record that fits it: only what is on the default branch already is believed.
    hydrated = rehydrate.run(rehydrate.Request(upgrade=True, trusted=trusted), asked)
    stray = verify.Request(run.address, ref=f"refs/heads/{branch}", target=target, base=trusted, strays=True)
    return _worst(hydrated, verify.run(stray, report.verified))


def _form(run: Run, report: JobReport) -> int:
    form, by = run.event.form, run.job.user_name
    check_form(form)
    intent = run.keyed(f"pipeline-{run.job.project}-{run.job.pipeline}")
    asked = _asked(run, report, intent=intent, check=lambda at: _permit(run, at))
    actions: dict[str, Callable[[], int]] = {
        "promote": lambda: promote.run(promote.Request(form.app, form.source, form.environment, actor=by), asked),
        "roll-back": lambda: rollback.run(Wanted(form.app, form.environment, form.to or "1", by, form.reason), asked),
        "pin": lambda: hold.pin(form.app, form.environment, by, form.reason, asked),
        "unpin": lambda: hold.unpin(form.app, form.environment, asked, by),
        "freeze": lambda: hold.freeze(form.environment, by, form.reason, asked),
        "thaw": lambda: hold.thaw(form.environment, asked, by),
        "remove": lambda: hold.remove(form.app, [form.environment] if form.environment else [], asked, by),
        "deliver-held": lambda: hold.deliver_held(form.app, form.environment, by, form.reason, asked),
        "discard-held": lambda: hold.discard_held(form.app, form.environment, by, form.reason, asked),
        "rehydrate": lambda: rehydrate.run(
            rehydrate.Request([form.environment] if form.environment else [], everything=True), asked
        ),
    }
    return actions[form.action]()


def _permit(run: Run, workspace: Workspace) -> None:
    _check(run, workspace)
    form, configuration = run.event.form, workspace.configuration
    check_permitted(form, configuration.settings, concerned(form, configuration), _level(run), run.job.user_name)


def _level(run: Run) -> int:
    """Return the access level of who runs this job in the manifest project. Job tokens may not ask for members."""
    gitlab = run.write or (run.read if run.event.tokens.read else None)
    if gitlab is not None:
        return access_level(gitlab, run.event.manifests, run.job.user)
    if path_of(run.by_job, run.job.address) != run.event.manifests:
        raise ConfigError(
            f"no token here tells which role {run.job.user_name} has in {run.event.manifests}",
            hint=f"give {path_of(run.by_job, run.job.address)} the variable HEADGATE_TOKEN, or HEADGATE_READ_TOKEN "
            f"(read_api) of a member of {run.event.manifests}; or fill the form in there",
        )
    return level_by_token(run.event.tokens.id, run.job, run.event.server, run.event.manifests)


def _check(run: Run, workspace: Workspace) -> None:
    settings = workspace.configuration.settings
    check_settings(settings, run.event)
    if settings.records == "branch" and run.write is None:
        raise ConfigError(
            "with 'records: branch' what is pending stands on a branch that the bot alone pushes, and there is no "
            "HEADGATE_TOKEN",
            where=Place(SETTINGS),
            hint="give the project HEADGATE_TOKEN, or leave 'records' out where jobs push the default branch",
        )


def _asked(
    run: Run,
    report: JobReport,
    scope: Callable[[], Scope] = Scope,
    intent: str = "",
    check: Callable[[Workspace], None] | None = None,
    *,
    completes: bool = True,
) -> Asked:
    """Return the options of a run that lands on the default branch, and brings GitLab up to it (``completes``)."""

    def finish(workspace: Workspace, landings: Sequence[Landing]) -> Iterator[str]:
        report.add(workspace, landings)
        if completes:
            yield from complete(run, workspace, landings, scope())

    options = push_options if run.write is None else None
    around = Around(
        check or (lambda at: _check(run, at)),
        lambda at: _rejected(run, at),
        finish,
        push_options=options,
        prover=_prover(run),
        histories=run.histories,
    )
    return Asked(run.address, intent, signing_key=run.event.signing_key, around=around, after=run.job.commit)


def _rejected(run: Run, workspace: Workspace) -> Reject | None:
    """Return what people rejected in merge requests since the last run; without a token nobody can tell."""
    return closed_by_people(run.write, run.event.manifests, workspace) if run.write is not None else None


def _prover(run: Run) -> Prover | None:
    """Return what proves commits for review by the bot's token; with the job's token everybody pushes as himself."""
    gitlab, project = run.write, run.event.manifests
    if gitlab is None:
        return None
    return Prover.of(run.event.tokens.write, run.address, lambda at, one: was_pushed_by_us(gitlab, project, at, one))


def _worst(*codes: int) -> int:
    failed = {code for code in codes if code}
    return failed.pop() if len(failed) == 1 else SeveralError.code if failed else 0


_KINDS: dict[str, Callable[[Run, JobReport], int]] = {
    "hand-off": _hand_off,
    "push": _push,
    "schedule": _schedule,
    "merge_request_event": _merge_request,
    "form": _form,
}
