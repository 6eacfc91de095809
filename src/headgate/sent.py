"""A hand-off that came with a pipeline: proved, its images resolved to digests, its repository opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate import git
from headgate.claim import parse_claim
from headgate.errors import UntrustedError
from headgate.handoff import BRANCHES, HandOff, accepting, check
from headgate.identity import sender
from headgate.run import check_settings
from headgate.source import app_source

if TYPE_CHECKING:
    from contextlib import ExitStack

    from headgate.config import Configuration
    from headgate.identity import Sender
    from headgate.run import Run
    from headgate.source import AppSource


def sent(run: Run, configuration: Configuration, stack: ExitStack) -> tuple[HandOff, AppSource]:
    """Return the hand-off that this pipeline was triggered with, and the app's repository while ``stack`` is open.

    Nothing of what the pipeline was told is taken as it is: GitLab says who sent it, and the registry what the
    tags stand for. Raises UntrustedError when it is not proved, RefusedError when nobody takes it, and
    RegistryError when an image is not there.
    """
    check_settings(configuration.settings, run.event)
    claim = parse_claim(run.event.handoff)
    found = sender(claim, run.job, run.read, run.event.manifests, run.event.upstream)
    stack.enter_context(git.logged_in(run.manifests_login, run.reading_login(found.path)))
    source = stack.enter_context(app_source(run.repository(found.path), found.commit))
    _check_reachable(source, found)
    claimed = HandOff(
        *(found.path, found.commit, found.ref, claim.images, found.pipeline, found.project, found.is_protected)
    )
    check(claimed)
    accepting(configuration, claimed)  # before any registry is asked: only for images that an app of this project has
    return claimed, source


def _check_reachable(source: AppSource, found: Sender) -> None:
    """Refuse a commit that its branch does not hold any more: it was rewritten, so nobody vouches for it."""
    if found.ref.startswith(BRANCHES) and source.is_on(found.ref) is not True:
        raise UntrustedError(
            f"commit {found.commit[:12]} is not on {found.ref} of {found.path} any more",
            hint="run a pipeline of the branch as it is now; a retried job of an old pipeline does not count",
        )
