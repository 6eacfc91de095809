"""``headgate compare``: what differs between two environments. Reads only."""

from __future__ import annotations

import sys

from headgate import config
from headgate.commands.hydrate import select
from headgate.records import frozen_record
from headgate.report.changejson import report_text
from headgate.report.changereport import ChangeReport
from headgate.report.comparison import differences
from headgate.report.screen import write_change
from headgate.report.terminal import Terminal
from headgate.repository.tree import prefetch
from headgate.state.reading import open_for_reading


@frozen_record
class CompareOptions:
    """The command's arguments."""

    left: str
    right: str
    app: str = ""
    manifests: str = "."
    json: bool = False


def run(request: CompareOptions) -> int:
    """Show how ``right`` differs from ``left`` and return 0. Raises ConfigError for unknown names."""
    with open_for_reading(request.manifests) as workspace:
        tree = workspace.tree
        prefetch(tree)
        configuration = config.load(tree)
        targets = select(configuration, (request.app,) if request.app else (), (request.left, request.right))
        apps = {record.name: record for record, _ in targets}
        changes = differences(tree, configuration, apps.values(), request.left, request.right)
    title = f"{request.right} differs from {request.left} in {len(changes)} of {len(apps)} apps"
    report = ChangeReport(changes=changes, title=title)
    if request.json:
        print(report_text(report), end="")  # noqa: T201  the answer itself
    else:
        write_change(Terminal(sys.stdout), report)
    return 0
