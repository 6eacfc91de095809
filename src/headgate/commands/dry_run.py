"""``--dry-run``: describe what a command would land, as for reviewers. Writes nothing."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from headgate.commands.exit_code import merge_codes, outcome_codes
from headgate.commands.options import NOTHING_WRITTEN
from headgate.landing.migrate import is_due
from headgate.landing.rehearse import rehearse
from headgate.landing.workspace import open_workspace
from headgate.report.changejson import report_to_json
from headgate.report.changereport import ChangeReport
from headgate.report.json import outcomes_to_json
from headgate.report.screen import write_change
from headgate.report.terminal import Terminal, summary

if TYPE_CHECKING:
    from headgate.commands.options import Resolve, RunOptions
    from headgate.hydration.hydrate import HydrateOptions
    from headgate.landing.rehearse import Rehearsal

_OLD_FORM = "this repository has the layout of version 1.0.0; the first run that lands something migrates it first"


def run(options: RunOptions, resolve: Resolve, hydrate: HydrateOptions) -> int:
    """Describe what an intent would land, without the promotions that would follow.

    Returns the exit code that the command would have. Raises what the intent raises.
    """
    terminal = Terminal(sys.stdout, quiet=options.json)
    with open_workspace(options.manifests) as workspace, ExitStack() as stack:
        intent = resolve(workspace, stack)
        found = rehearse(workspace, intent, terminal.progress, hydrate)
        report = ChangeReport.of(workspace.tree, found, requested_by=intent.actor, consequence=_consequence(found))
        messages = (*found.messages, *((_OLD_FORM,) if is_due(workspace) else ()))
    terminal.end_progress()
    _print(terminal, report, found, messages)
    if options.json:
        data = report_to_json(report)
        print(outcomes_to_json(found.outcomes, dry_run=True, told=list(messages), review=data))  # noqa: T201
    return merge_codes(outcome_codes(found.outcomes))


def _consequence(found: Rehearsal) -> str:
    owners = {(outcome.app, outcome.environment) for outcome in found.outcomes if outcome.state == "changed"}
    proposed = sorted({environment for _, environment in found.reviewed})
    landed = sorted({environment for _, environment in owners - found.reviewed})
    words = [f"lands in {', '.join(landed)}"] if landed else []
    words += [f"is proposed for review in {', '.join(proposed)}"] if proposed else []
    return f"Without --dry-run it {' and '.join(words)}." if words else ""


def _print(terminal: Terminal, report: ChangeReport, found: Rehearsal, messages: tuple[str, ...]) -> None:
    for message in messages:
        terminal.line(message)
    write_change(terminal, report)
    for outcome in found.outcomes:
        for reason in outcome.reasons:
            terminal.line(f"{outcome.app} in {outcome.environment}: {outcome.state}: {reason}", "dim")
    terminal.line(summary(found.outcomes))
    terminal.line(NOTHING_WRITTEN, "bold")
