"""``headgate preview --source DIR``: a preview on your own machine, without a pipeline. Writes nothing."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from headgate.commands.deliver import references
from headgate.commands.exit_code import merge_codes, outcome_codes
from headgate.errors import ConfigError
from headgate.intents.preview import Preview
from headgate.landing.rehearse import rehearse
from headgate.records import frozen_record
from headgate.releases.handoff import HandOff, check, full_ref
from headgate.releases.source import SOURCE_HINT, app_source
from headgate.report.changejson import report_text
from headgate.report.changereport import ChangeReport
from headgate.report.screen import write_change
from headgate.report.terminal import Terminal, summary
from headgate.repository import git
from headgate.repository.worktree import uncommitted
from headgate.state.reading import open_for_reading

_PATH = re.compile(r"(?:[a-z+]+://[^/]+/|[^/@:]+@[^/:]+:)(?P<path>.+?)(?:\.git)?/?")
"""A project's path in the address of its repository: ``https://HOST/PATH.git`` or ``git@HOST:PATH.git``."""


@frozen_record
class LocalPreviewOptions:
    """The command's arguments. An empty ``project`` is read from the repository's ``origin``."""

    source: str
    manifests: str = "."
    project: str = ""
    images: tuple[str, ...] = ()
    ref: str = "main"
    json: bool = False


def run(request: LocalPreviewOptions) -> int:
    """Describe how handing off the source's last commit would change the final YAML. Returns the exit code.

    Only names uncommitted changes. Raises ConfigError if the project is unknown.
    """
    repository = git.open_repository(Path(request.source), SOURCE_HINT)
    terminal = Terminal(sys.stdout, quiet=request.json)
    hand_off = HandOff(
        project=request.project or project_of(repository),
        commit=git.head(repository, hint="commit the change first"),
        ref=full_ref(request.ref),
        images=references(request.images),
    )
    check(hand_off)
    with app_source(request.source, hand_off.commit) as source, open_for_reading(request.manifests) as workspace:
        found = rehearse(workspace, Preview(hand_off, source), terminal.progress, lands=False)
        consequence = f"This is what {hand_off.commit[:12]} of {hand_off.project} would change; nothing was written."
        files = uncommitted(repository)
        consequence += f" Uncommitted files are not part of it: {files}." if files else ""
        report = ChangeReport.of(workspace.tree, found, consequence=consequence)
    terminal.end_progress()
    write_change(terminal, report)
    terminal.line(summary(found.outcomes))
    if request.json:
        print(report_text(report), end="")  # noqa: T201  the answer itself
    return merge_codes(outcome_codes(found.outcomes))


def project_of(repository: git.Repository) -> str:
    """Return the project of a checkout's remote 'origin'. Raises ConfigError if it is unknown."""
    match = _PATH.fullmatch(repository.settings.get("remote.origin.url", "").strip())
    if match is None:
        raise ConfigError(
            "the project of this repository is unknown: it has no remote 'origin' in GitLab",
            hint="pass --project GROUP/NAME",
        )
    return match["path"]
