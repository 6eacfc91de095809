"""``headgate site``: static pages that show what runs where. Reads the repository, and writes into one folder."""

from __future__ import annotations

import os
import sys
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from headgate import config
from headgate.commands.status import TOKEN, read_by_status, whole_status
from headgate.errors import ArgumentError, GitError, HeadgateError, Location
from headgate.gitlab.api import connect_by_variable, project_path
from headgate.records import frozen_record
from headgate.releases.deepen import RECENT_DEPTHS, deepening
from headgate.releases.history import read_all_histories
from headgate.report.comparison import differences
from headgate.report.history_entries import history_entries
from headgate.report.site_app import app_json, app_page, comparison_page
from headgate.report.site_facts import AppFacts, EnvironmentDifference, RequestLink, SiteFacts
from headgate.report.site_overview import overview, overview_to_json
from headgate.report.terminal import Terminal
from headgate.repository.folder import apply
from headgate.repository.tree import prefetch
from headgate.review.api import MergeRequests
from headgate.state.reading import open_for_reading
from headgate.state.verify import orphans

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from headgate.configuration import AppRecord, Configuration
    from headgate.gitlab.api import GitLab
    from headgate.landing.workspace import Workspace
    from headgate.releases.history import ReleaseHistory
    from headgate.state.status import AppStatus, Status


@frozen_record
class SiteOptions:
    """The command's arguments.

    ``overview``: only the first page and its JSON, without a page for each app. ``token_variable`` names the variable
    with a token that reads merge requests and commit statuses.
    """

    folder: Path
    manifests: str = "."
    overview: bool = False
    steps: int = 20
    token_variable: str = TOKEN


MARK = ".headgate-site"
"""The file that lists what was written into a folder, so that the next run replaces that and nothing else."""


def run(request: SiteOptions, environ: Mapping[str, str] = os.environ) -> int:
    """Write the pages and return 0. Raises ArgumentError for a folder that holds files of somebody else."""
    before = _written_before(request.folder)
    terminal = Terminal(sys.stdout)
    with open_for_reading(request.manifests) as workspace:
        if not request.overview:
            prefetch(workspace.tree)
        prefetch(read_by_status(workspace.files))
        configuration = config.load(workspace.tree)
        gitlab = connect_by_variable(configuration.settings.gitlab, request.token_variable, environ)
        status = whole_status(workspace, configuration, gitlab, environ, terminal)
        requests = _requests(workspace, configuration, gitlab, request.token_variable)
        facts = _facts(workspace, configuration, status, *requests)
        files = {"index.html": overview(facts), "index.json": overview_to_json(facts)}
        if not request.overview:
            files |= dict(_app_files(workspace, configuration, facts, request.steps))
    terminal.end_progress()
    _write(request.folder, files, before)
    for note in facts.notes:
        terminal.line(note, "yellow")
    pages = sum(name.endswith(".html") for name in files)
    terminal.line(f"wrote {pages} pages for {len(facts.apps)} apps to {request.folder}")
    return 0


def _facts(
    workspace: Workspace,
    configuration: Configuration,
    status: Status,
    requests: Mapping[str, RequestLink],
    problem: str,
) -> SiteFacts:
    apps: dict[str, dict[str, AppStatus]] = {}
    for found in sorted(status.apps, key=lambda found: found.app):
        apps.setdefault(found.app, {})[found.environment] = found
    gitlab = configuration.settings.gitlab
    proposed = [found for found in status.apps if found.proposed is not None]
    notes = [
        *status.notes,
        *([f"links to merge requests are unknown: {problem}"] if problem and proposed else []),
        *_unknown_health(status),
        *(
            f"left over from a removed app or environment: {found.folder}"
            for found in orphans(workspace.tree, configuration)
        ),
    ]
    return SiteFacts(
        made=datetime.now(UTC),
        commit=workspace.base,
        environments=tuple(configuration.settings.environments),
        apps=apps,
        notes=tuple(notes),
        url=gitlab.url.rstrip("/") if gitlab else "",
        project=gitlab.project if gitlab else "",
        requests=requests,
    )


def _requests(
    workspace: Workspace, configuration: Configuration, gitlab: GitLab | None, token_variable: str
) -> tuple[dict[str, RequestLink], str]:
    """Return the open merge requests by branch, or why they are unknown."""
    settings = configuration.settings.gitlab
    if settings is None:
        return {}, "headgate.yaml does not name the project in 'gitlab'"
    if gitlab is None:
        return {}, f"{token_variable} holds no token that reads the project"
    try:
        # A job's checkout is on no branch.
        branch = workspace.branch or gitlab.get(project_path(settings.project))["default_branch"]
        requests = MergeRequests(gitlab, settings.project, branch)
        return {found.branch: RequestLink(name=found.name, url=found.url) for found in requests.open()}, ""
    except HeadgateError as error:
        return {}, error.what


def _unknown_health(status: Status) -> Iterator[str]:
    reasons = Counter(
        found.health.reason for found in status.apps if found.health is not None and found.health.state == "unknown"
    )
    for reason, count in reasons.items():
        yield f"health is unknown in {count} app-environments: {reason}"


def _app_files(
    workspace: Workspace, configuration: Configuration, facts: SiteFacts, steps: int
) -> Iterator[tuple[str, str]]:
    histories = _histories(workspace)
    for app in facts.apps:
        record = configuration.apps.get(app)
        entries = history_entries(histories.get(app, {}), facts.environments)
        own = AppFacts(
            app=app,
            history={name: found[:steps] for name, found in entries.items()},
            comparisons=_comparisons(workspace, configuration, record) if record else (),
            cut=next((history.cut for history in histories.get(app, {}).values()), ""),
        )
        yield f"apps/{app}/index.html", app_page(facts, own)
        yield f"apps/{app}/index.json", app_json(facts, own)
        for comparison in own.comparisons:
            if comparison.change is not None:
                yield f"apps/{app}/{comparison.file}", comparison_page(app, comparison, facts.url)


def _histories(workspace: Workspace) -> dict[str, dict[str, ReleaseHistory]]:
    found: dict[str, dict[str, ReleaseHistory]] = {}
    with deepening(workspace.repository, workspace.remote, workspace.base, RECENT_DEPTHS) as repositories:
        try:
            for repository in repositories:
                found = read_all_histories(repository, workspace.base)
        except GitError:  # the remote does not answer: what is here must do
            pass
    return found


def _comparisons(
    workspace: Workspace, configuration: Configuration, record: AppRecord
) -> Sequence[EnvironmentDifference]:
    found = []
    for left, right in pairwise(record.environments(configuration.settings)):
        changes = differences(workspace.tree, configuration, [record], left, right)
        found.append(EnvironmentDifference(left=left, right=right, change=changes[0] if changes else None))
    return found


def _written_before(folder: Path) -> list[str]:
    """Return what an earlier run wrote there. Raises ArgumentError where others did."""
    mark = folder / MARK
    if mark.is_file():
        return mark.read_text(encoding="utf-8").splitlines()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ArgumentError(
            "the folder holds files that 'headgate site' did not write",
            where=Location(str(folder)),
            hint="name a new or an empty folder",
        )
    return []


def _write(folder: Path, files: dict[str, str], before: Sequence[str]) -> None:
    """Write the files, and take away what an earlier run wrote and this one does not."""
    gone = [name for name in before if name not in files and (folder / name).resolve().is_relative_to(folder.resolve())]
    written = files | {MARK: "".join(f"{name}\n" for name in sorted(files))}
    apply(folder, {**dict.fromkeys(gone), **{name: text.encode() for name, text in written.items()}})
