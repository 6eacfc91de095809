"""``headgate warm``: render a shard of a commit's app-environments into a folder, for the job that hydrates it."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headgate.commands.kept_results import FOLDER, KEY, finish_results, result_folder
from headgate.errors import ConfigError
from headgate.gitlab.event import read_event
from headgate.gitlab.run import check_settings, open_run
from headgate.hydration.hydrate import planned
from headgate.hydration.results import results_of
from headgate.hydration.shares import share_of
from headgate.landing.workspace import open_workspace
from headgate.process import hide_environment
from headgate.records import frozen_record
from headgate.report.terminal import Terminal
from headgate.repository.login import logged_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headgate.landing.workspace import Workspace


@frozen_record
class WarmOptions:
    """The command's arguments. ``manifests`` is empty in a pipeline; ``shard`` is ``I/N``, empty for what GitLab says.

    Nothing is rendered where fewer than ``at_least`` app-environments are to be rendered.
    """

    manifests: str = ""
    shard: str = ""
    at_least: int = 0


def run(options: WarmOptions, environ: Mapping[str, str] = os.environ) -> int:
    """Render the shard, and keep the results. Returns 0 even for errors: the job that hydrates reports them."""
    hide_environment()
    # https://docs.gitlab.com/ci/variables/predefined_variables/
    index, total = _shard(options.shard or f"{environ.get('CI_NODE_INDEX', 1)}/{environ.get('CI_NODE_TOTAL', 1)}")
    folder = result_folder(environ)
    if folder is None:
        raise ConfigError(
            f"{FOLDER} names no folder, or there is no key to authenticate results with",
            hint=f"set {KEY} or HEADGATE_TOKEN as a protected variable; the component 'warm' sets {FOLDER}",
        )
    terminal = Terminal(sys.stdout)
    with _open(options.manifests, environ) as workspace:
        tree, configuration = workspace.tree, workspace.configuration
        _, plans = planned(tree, configuration, list(configuration.pairs()))
        if len(plans) < options.at_least:
            few = f"{len(plans)} app-environments to render, fewer than {options.at_least}"
            terminal.line(f"{few}: left to 'hydrate'")
            return 0
        own = share_of(plans, tree, configuration, index, total)
        failed = 0
        for plan, result in results_of(own, folder):
            terminal.progress(plan.record.name, plan.environment)
            failed += result.error is not None
        terminal.end_progress()
    rest = f", {failed} of them with an error, which 'hydrate' reports" if failed else ""
    terminal.line(f"shard {index} of {total}: {len(own)} of {len(plans)} app-environments{rest}")
    finish_results(folder, terminal)
    return 0


@contextmanager
def _open(manifests: str, environ: Mapping[str, str]) -> Iterator[Workspace]:
    """Open the named manifest repository, or that of the pipeline."""
    if manifests:
        with open_workspace(manifests) as workspace:
            yield workspace
        return
    run = open_run(read_event(environ))
    with logged_in(run.manifests_login), open_workspace(run.address) as workspace:
        check_settings(workspace.configuration.settings, run.event)
        yield workspace


def _shard(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})", text)
    if match is None or int(match[1]) > int(match[2]):
        raise ConfigError(f"the shard is {text!r}, expected I/N, such as 1/4")
    return int(match[1]), int(match[2])
