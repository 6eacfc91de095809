"""Turns the groups that an app should run in an environment into steps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from headgate import tools
from headgate.hydration.plan import Planned, Planner, input_paths
from headgate.intents.outcome import Decision, replaced
from headgate.intents.protocol import Step
from headgate.intents.template_versions import current_version, pins_template
from headgate.model import ProposalRecord
from headgate.releases.decide import Hold, decide
from headgate.releases.handoff import still_taken
from headgate.releases.pending_files import write_pending
from headgate.releases.release import NOTHING, known_parts, write_released
from headgate.releases.windows import closed
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from headgate.intents.protocol import AppInEnvironment, State
    from headgate.releases.decide import Wanted
    from headgate.releases.pending import Group, Pending, Proposal
    from headgate.releases.release import Released
    from headgate.repository.tree import Changes


def hold_of(app: AppInEnvironment, landed: Released, pending: Pending) -> Hold | None:
    """Return what holds automatic changes of an app; None if nothing does.

    A freeze or a closed window holds direct deliveries; with review, it holds the merge instead.
    """
    pin = landed.release.pin
    if pin is not None:
        return Hold(reason=f"pinned by {pin.by}: {pin.reason}", keeps_proposal=False)
    proposal = pending.proposal
    if proposal is not None and proposal.by_person:  # even if the environment is no longer reviewed
        return Hold(reason=proposal.by_person)
    if not app.is_reviewed:
        reason = closed_reason(app.state, app.environment)
        return Hold(reason=reason) if reason else None
    foreign = app.state.branches.problem(app.branch, proposal.record if proposal else None)
    return Hold(reason=foreign, yields=False) if foreign else None


def closed_reason(state: State, environment: str) -> str:
    """Return why an environment takes no automatic changes now: a freeze or a closed window; empty if it does."""
    freeze = state.configuration.frozen.get(environment)
    if freeze is not None:
        return f"{environment} is frozen by {freeze.by}: {freeze.reason}"
    return closed(environment, state.configuration.environment(environment).windows, state.now)


def advance(
    app: AppInEnvironment,
    arriving: Group | None = None,
    *,
    explicit: bool = False,
    retry: bool = False,
    unpinned: bool = False,
    past_holds: bool = False,
    reasons: tuple[str, ...] = (),
    behind: Collection[str] = (),
    overtakes: Collection[str] = (),
    recorded: Changes | None = None,
) -> Step:
    """Return the step that lands the wanted groups, proposes them, or records them as held."""
    landed = app.landed.changed(pin=None) if unpinned else app.landed
    pending = app.pending
    hold = hold_of(app, landed, pending)
    wanted = decide(
        landed,
        pending,
        arriving,
        hold=None if hold is not None and past_holds and hold.yields else hold,
        explicit=explicit,
        retry=retry or past_holds,
        known=known_parts(app.record, app.environment),
        behind=behind,
        overtakes=overtakes,
        past_order=past_holds,
        refusal=lambda group: still_taken(app.state.configuration, app.record, app.environment, group),
    )
    kept: Changes = dict(recorded or {})
    if (explicit or past_holds) and wanted.brings:
        reasons += _ended(pending)
    if not wanted.brings and wanted.hold:
        return _held(app, wanted, kept, reasons, arrived=arriving is not None)
    reasons += tuple(_still_held(wanted))
    if not wanted.brings and wanted.pending.proposal is not None:
        return _proposed_again(app, wanted, kept, reasons)
    steps = [_step(app, wanted, brought, kept, reasons) for brought in wanted.candidates()]
    return replace(steps[0], alternatives=tuple(steps[1:]))


def _ended(pending: Pending) -> tuple[str, ...]:
    """Say which roll-back or removal under review a person's word ends."""
    proposal = pending.proposal
    if proposal is None or not proposal.by_person:
        return ()
    return (f"ends the {proposal.record.kind} by {proposal.record.actor or 'somebody'} that was under review",)


def _held(app: AppInEnvironment, wanted: Wanted, recorded: Changes, reasons: tuple[str, ...], *, arrived: bool) -> Step:
    """Return the step that records what waits for a hold to end."""
    is_held = arrived or bool(wanted.pending.held)
    return Step(
        app.name,
        app.environment,
        after=wanted.landed,
        recorded=recorded | write_pending(app.state.tree, app.folder, wanted.holding()),
        hydrates=False,
        state="held" if is_held else "unchanged",
        reasons=(*reasons, wanted.hold) if is_held else reasons,
    )


def _still_held(wanted: Wanted) -> Iterator[str]:
    """Name the groups that stay held while others are delivered."""
    for group in wanted.pending.held if not wanted.hold else ():
        if group not in wanted.brings and group.record.reasons:
            yield f"{group.name} stays held: {'; '.join(group.record.reasons)}"


def _proposed_again(app: AppInEnvironment, wanted: Wanted, recorded: Changes, reasons: tuple[str, ...]) -> Step:
    """Return the step that updates a proposal that no new group joins."""
    step = _step(app, wanted, (), recorded, reasons)
    proposal = wanted.pending.proposal
    if proposal is not None and _is_up_to_date(app, proposal, step):
        recorded = recorded | write_pending(app.state.tree, app.folder, wanted.pending)
        return Step(app.name, app.environment, recorded=recorded, hydrates=False, reasons=reasons)
    return replace(step, after=wanted.release(()))


def _step(
    app: AppInEnvironment, wanted: Wanted, brought: Sequence[Group], recorded: Changes, reasons: tuple[str, ...]
) -> Step:
    state, proposal = app.state, wanted.pending.proposal
    after, copies = _with_template(app, wanted.release(brought), brought)
    is_empty = app.released is None and after.release == NOTHING.release  # nobody writes that
    changes = {} if is_empty else write_released(state.tree, app.folder, after)
    decision = Decision(
        tree=state.tree,
        folder=app.folder,
        output=app.output,
        commit=state.commit,
        wanted=wanted,
        brought=tuple(brought),
        branch_is_current=proposal is not None and state.branches.is_current(app.branch, proposal.record),
        has_records_apart=state.has_records_apart,
    )
    return Step(
        app.name,
        app.environment,
        after=after if brought else None,
        changes=changes,
        recorded=recorded | copies,
        reasons=reasons,
        decision=decision,
    )


def _with_template(app: AppInEnvironment, after: Released, brought: Sequence[Group]) -> tuple[Released, Changes]:
    """Return a release with its template, if releases carry templates here, and the changes that keep a copy of it."""
    carried = next((group.record.template for group in reversed(brought) if group.record.template), None)
    if carried is not None:
        return after.changed(template=carried), {}
    if not pins_template(app.state.configuration, app.environment):
        return after.changed(template=None) if brought else after, {}
    if not brought and after.release.template is not None:
        return after, {}
    version, copies = current_version(app.state.tree, app.record)
    return after.changed(template=version), copies


def _is_up_to_date(app: AppInEnvironment, proposal: Proposal, step: Step) -> bool:
    """Whether an open proposal is what this step would propose, and its branch can be merged."""
    return (
        app.is_reviewed
        and proposal.record.replaces == replaced(app.state.tree, app.folder, app.output)
        and step.decision is not None
        and step.decision.branch_is_current
        and proposal.record.inputs == _inputs(app, step.changes)
    )


def _inputs(app: AppInEnvironment, changes: Changes) -> str:
    """Identify the inputs of a proposal; empty when it cannot be planned."""
    tree = app.state.tree.with_changes(changes)
    prefetch(tree, input_paths([(app.record, app.environment)]))
    plan = Planner(tree, app.state.configuration, tools.engine_version).plan(app.record, app.environment)
    return plan.inputs if isinstance(plan, Planned) else ""


def decided_by_person(
    app: AppInEnvironment,
    after: Released,
    changes: Changes,
    *,
    kind: Literal["roll-back", "removal"],
    actor: str,
    reason: str = "",
    recorded: Changes | None = None,
) -> Step:
    """Return the step of a person's decision. Everything else is held until it has landed or is rejected."""
    hold = Hold(reason=f"a {kind} by {actor} came before it", keeps_proposal=False)
    wanted = decide(app.landed, app.pending, hold=hold, known=known_parts(app.record, app.environment))
    decision = Decision(
        tree=app.state.tree,
        folder=app.folder,
        output=app.output,
        commit=app.state.commit,
        wanted=wanted,
        proposes=ProposalRecord.model_validate(
            {"kind": kind, "changes": "-", "actor": actor, "reason": reason or None}
        ),
        decided=after if kind == "roll-back" else None,
        has_records_apart=app.state.has_records_apart,
    )
    before = app.pending.proposal
    is_again = before is not None and (before.record.kind, before.record.actor or "somebody") == (kind, actor)
    return Step(
        app.name,
        app.environment,
        after=after,
        changes=changes,
        recorded=dict(recorded or {}),
        reasons=() if is_again else _ended(app.pending),
        decision=decision,
    )
