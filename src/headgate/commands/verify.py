"""``headgate verify``: whether the committed YAML matches its inputs, and who edited it by hand. Reads only."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from headgate import config
from headgate.commands.exit_code import merge_codes
from headgate.commands.hydrate import select
from headgate.errors import GitError
from headgate.hydration.hydrate import broken
from headgate.records import frozen_record
from headgate.releases.deepen import RECENT_DEPTHS, deepening
from headgate.report.terminal import Terminal
from headgate.report.verify import verifications_to_json, write_verifications
from headgate.repository.tree import prefetch
from headgate.state.flux import flux_verdicts
from headgate.state.reading import open_for_reading
from headgate.state.verify import Verification, has_all_commits, orphans, strays, verdicts, with_last_commits, without

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from headgate.configuration import Configuration
    from headgate.landing.workspace import Workspace
    from headgate.repository.tree import Tree


@frozen_record(kw_only=False)
class VerifyOptions:
    """The command's arguments. ``ref`` is verified instead of the default branch, whose configuration is ``target``.

    ``base`` are the default branch's files, where ``ref`` is to be merged into it. ``unrendered``: all but these output
    folders was hydrated right before, so only what no hydration wrote is looked for.
    """

    manifests: str = "."
    apps: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    json: bool = False
    ref: str = ""
    target: Configuration | None = None
    base: Tree | None = None
    unrendered: Collection[str] | None = None
    sandbox: bool = True


def run(request: VerifyOptions, on_result: Callable[[Sequence[Verification]], None] = lambda _found: None) -> int:
    """Hydrate again and compare; return 0, 1 if something differs, or the code of the error.

    ``on_result`` is called with the findings.
    """
    terminal = Terminal(sys.stdout, quiet=request.json)
    with open_for_reading(request.manifests, request.ref) as workspace:
        tree = workspace.tree
        prefetch(tree)
        configuration = config.load(tree)
        configuration = configuration.guarded_by(request.target) if request.target else configuration
        configuration = configuration if request.sandbox else configuration.without_sandbox()
        targets = select(configuration, request.apps, request.environments)
        is_hydrated = request.unrendered is not None
        found = [] if is_hydrated else verdicts(tree, configuration, targets, terminal.progress)
        if not request.apps and not request.environments:
            found += orphans(tree, configuration)
            found += [] if is_hydrated else flux_verdicts(tree, configuration)
        if request.base is not None and request.target is not None:
            found += _strays(tree, configuration, request.target, request.base, found, request.unrendered)
        found = _with_touches(workspace, found)
    failed = [
        Verification(
            app=outcome.app, environment=outcome.environment, folder=outcome.folder, state="failed", error=outcome.error
        )
        for outcome in broken(configuration, request.apps)
    ]
    found += failed
    on_result(found)
    terminal.end_progress()
    if request.json:
        print(verifications_to_json(found))  # noqa: T201  the answer itself
    else:
        write_verifications(terminal, found)
    return _exit_code(found)


def _strays(
    tree: Tree,
    configuration: Configuration,
    target: Configuration,
    base: Tree,
    found: Sequence[Verification],
    unrendered: Collection[str] | None,
) -> list[Verification]:
    if unrendered is None:
        unrendered = [verification.folder for verification in found if verification.state in ("waits", "empty")]
    wrong = [verification for verification in found if verification.is_wrong]
    known = {difference.file for verification in wrong for difference in verification.differences}
    return without(strays(tree, configuration, target, base, unrendered), known)


def _exit_code(found: Sequence[Verification]) -> int:
    codes = merge_codes(verification.error.code for verification in found if verification.error is not None)
    return codes or (1 if any(verification.is_wrong for verification in found) else 0)


def _with_touches(workspace: Workspace, found: Sequence[Verification]) -> list[Verification]:
    known = list(found)
    with deepening(workspace.repository, workspace.remote, workspace.base, RECENT_DEPTHS) as repositories:
        try:
            for repository in repositories:
                known = with_last_commits(found, repository, workspace.base)
                if has_all_commits(known):
                    break
        except GitError:  # the remote does not answer: use the local history
            pass
    return known
