"""From what is wanted of an app in an environment to the steps that bring it there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headgate import tools
from headgate.hydration.plan import Planned, Planner, input_paths
from headgate.intents.outcome import Decision, replaced
from headgate.intents.protocol import Step
from headgate.intents.template_versions import current_version, pins_template
from headgate.model import ProposalRecord
from headgate.paths import review_branch
from headgate.releases.decide import Hold, decide
from headgate.releases.handoff import still_taken
from headgate.releases.pending_files import write_pending
from headgate.releases.release import NOTHING, known_parts, write_released
from headgate.releases.windows import closed
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from headgate.config import AppRecord
    from headgate.intents.protocol import State
    from headgate.releases.decide import Wanted
    from headgate.releases.pending import Group, Pending, Proposal
    from headgate.releases.release import Released
    from headgate.repository.tree import Changes


def hold_of(state: State, record: AppRecord, environment: str, landed: Released, pending: Pending) -> Hold | None:
    """Return why nothing goes on by itself in an environment; None where it does.

    A freeze or a closed window holds what would land at once. Where people review, it holds the merge instead.
    """
    pin = landed.release.pin
    if pin is not None:
        return Hold(reason=f"pinned by {pin.by}: {pin.reason}", keeps_proposal=False)
    if not state.reviews(record.name, environment):
        reason = closed_reason(state, environment)
        return Hold(reason=reason) if reason else None
    proposal = pending.proposal
    if proposal is not None and proposal.by_person:
        return Hold(reason=proposal.by_person)
    foreign = state.branches.problem(review_branch(record.name, environment), proposal.record if proposal else None)
    return Hold(reason=foreign, yields=False) if foreign else None


def closed_reason(state: State, environment: str) -> str:
    """Say why an environment takes nothing by itself now: it is frozen, or outside of its windows; or nothing."""
    freeze = state.configuration.frozen.get(environment)
    if freeze is not None:
        return f"{environment} is frozen by {freeze.by}: {freeze.reason}"
    return closed(environment, state.configuration.environment(environment).windows, state.now)


def advance(
    state: State,
    record: AppRecord,
    environment: str,
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
    """Return the step that brings what is wanted to the default branch, to its proposal, or on record as held."""
    landed = state.released(record, environment) or NOTHING
    if unpinned:
        landed = landed.changed(pin=None)
    pending = state.pending(record, environment)
    hold = hold_of(state, record, environment, landed, pending)
    wanted = decide(
        landed,
        pending,
        arriving,
        hold=None if hold is not None and past_holds and hold.yields else hold,
        explicit=explicit,
        retry=retry or past_holds,
        known=known_parts(record, environment),
        behind=behind,
        overtakes=overtakes,
        past_order=past_holds,
        refusal=lambda group: still_taken(state.configuration, record, environment, group),
    )
    folder = record.release_folder(environment)
    more: Changes = dict(recorded or {})
    if not wanted.brings and wanted.hold:
        held = more | write_pending(state.tree, folder, wanted.holding())
        state_word = "held" if arriving is not None or wanted.pending.held else "unchanged"
        messages = (*reasons, wanted.hold) if state_word == "held" else reasons
        return Step(
            record.name, environment, wanted.landed, recorded=held, hydrates=False, state=state_word, reasons=messages
        )
    if not wanted.hold:
        stays = [group for group in wanted.pending.held if group not in wanted.brings and group.record.reasons]
        reasons += tuple(f"{group.name} stays held: {'; '.join(group.record.reasons)}" for group in stays)
    proposal = wanted.pending.proposal
    if not wanted.brings and proposal is not None:
        step = _step(state, record, environment, wanted, (), more, reasons)
        if _fits(state, record, environment, proposal, step):
            kept = more | write_pending(state.tree, folder, wanted.pending)
            return Step(record.name, environment, recorded=kept, hydrates=False, reasons=reasons)
        return replace(step, after=wanted.release(()))
    steps = [_step(state, record, environment, wanted, brought, more, reasons) for brought in wanted.candidates()]
    return replace(steps[0], otherwise=tuple(steps[1:]))


def _step(
    state: State,
    record: AppRecord,
    environment: str,
    wanted: Wanted,
    brought: Sequence[Group],
    recorded: Changes,
    reasons: tuple[str, ...],
) -> Step:
    proposal, branch = wanted.pending.proposal, review_branch(record.name, environment)
    after, copies = _with_template(state, record, environment, wanted.release(brought), brought)
    folder = record.release_folder(environment)
    changes = write_released(state.tree, folder, after) if after.release != _empty(state, record, environment) else {}
    decision = Decision(
        tree=state.tree,
        folder=folder,
        output=state.configuration.output_folder(record.name, environment),
        commit=state.commit,
        wanted=wanted,
        brought=tuple(brought),
        is_there=proposal is not None and state.branches.is_there(branch, proposal.record),
        has_records_apart=state.has_records_apart,
    )
    return Step(
        record.name,
        environment,
        after if brought else None,
        changes,
        recorded | copies,
        reasons=reasons,
        decision=decision,
    )


def _empty(state: State, record: AppRecord, environment: str) -> object:
    """Return the empty release of an app that has none yet: there is nothing to write of it."""
    return NOTHING.release if state.released(record, environment) is None else None


def _with_template(
    state: State, record: AppRecord, environment: str, after: Released, brought: Sequence[Group]
) -> tuple[Released, Changes]:
    """Return a release with the template that it carries, where templates travel, and what keeps a copy of it."""
    carried = next((group.record.template for group in reversed(brought) if group.record.template), None)
    if carried is not None:
        return after.changed(template=carried), {}
    if not pins_template(state.configuration, environment):
        return after.changed(template=None) if brought else after, {}
    if not brought and after.release.template is not None:
        return after, {}
    version, copies = current_version(state.tree, record)
    return after.changed(template=version), copies


def _fits(state: State, record: AppRecord, environment: str, proposal: Proposal, step: Step) -> bool:
    """Whether an open proposal is what would be proposed now, and its branch is as we left it."""
    output = state.configuration.output_folder(record.name, environment)
    return (
        proposal.record.replaces == replaced(state.tree, record.release_folder(environment), output)
        and step.decision is not None
        and step.decision.is_there
        and proposal.record.inputs == _inputs(state, record, environment, step.changes)
    )


def _inputs(state: State, record: AppRecord, environment: str, changes: Changes) -> str:
    """Identify what a proposal would be rendered from now; empty where that cannot be told."""
    tree = state.tree.with_changes(changes)
    prefetch(tree, input_paths(tree, [(record, environment)]))
    plan = Planner(tree, state.configuration, tools.engine_version).plan(record, environment)
    return plan.inputs if isinstance(plan, Planned) else ""


def decided_by_person(
    state: State,
    record: AppRecord,
    environment: str,
    after: Released,
    changes: Changes,
    *,
    kind: str,
    actor: str,
    reason: str = "",
    recorded: Changes | None = None,
) -> Step:
    """Return the step of what a person decided, to which everything else gives way: it is held until that is over."""
    landed = state.released(record, environment) or NOTHING
    pending = state.pending(record, environment)
    hold = Hold(reason=f"a {kind} by {actor} came before it", keeps_proposal=False)
    wanted = decide(landed, pending, hold=hold, known=known_parts(record, environment))
    decision = Decision(
        tree=state.tree,
        folder=record.release_folder(environment),
        output=state.configuration.output_folder(record.name, environment),
        commit=state.commit,
        wanted=wanted,
        proposes=ProposalRecord.model_validate(
            {"kind": kind, "changes": "-", "actor": actor, "reason": reason or None}
        ),
        decided=after if kind == "roll-back" else None,
        has_records_apart=state.has_records_apart,
    )
    return Step(record.name, environment, after, changes, dict(recorded or {}), decision=decision)
