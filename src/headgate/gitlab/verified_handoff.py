"""A hand-off that came with a pipeline: proved, its images resolved to digests, its repository opened."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from headgate.errors import UntrustedError
from headgate.gitlab.claim import parse_claim
from headgate.gitlab.run import check_settings
from headgate.gitlab.sender import Upstream, Verifier, sender
from headgate.objects.images import canonical_repository
from headgate.registry.digests import resolve, revision
from headgate.registry.provenance import provenance_problem
from headgate.releases.handoff import BRANCHES, TAGS, HandOff, accepting, check, short_ref
from headgate.releases.source import app_source
from headgate.repository.login import logged_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.config import Configuration
    from headgate.gitlab.claim import Claim
    from headgate.gitlab.run import Run
    from headgate.gitlab.sender import Sender
    from headgate.objects.images import Reference
    from headgate.registry.credentials import RegistryAccess
    from headgate.registry.digests import ResolvedImage
    from headgate.releases.handoff import Acceptance
    from headgate.releases.source import AppSource
    from headgate.releases.version_order import Histories


def proven(run: Run, configuration: Configuration) -> tuple[Claim, Sender]:
    """Return what this pipeline was told, and who told it, by GitLab's own word. Raises UntrustedError."""
    check_settings(configuration.settings, run.event)
    claim = parse_claim(run.event.handoff)
    gitlab = configuration.settings.gitlab
    proofs = gitlab.proofs if gitlab is not None else ()
    upstream = Upstream(run.event.upstream_project, run.event.upstream)
    readers = list(dict.fromkeys((run.by_job, run.read)))
    return claim, sender(claim, run.job, run.event.manifests, Verifier(readers, proofs, upstream))


def sent(
    run: Run, configuration: Configuration, claim: Claim, found: Sender, stack: ExitStack
) -> tuple[HandOff, AppSource]:
    """Return the hand-off of a proven sender, and the app's repository while ``stack`` is open.

    The registry says what the tags stand for. Raises UntrustedError when the commit is not on its branch any more,
    RefusedError when nobody takes it, and RegistryError when an image is not there.
    """
    stack.enter_context(logged_in(run.manifests_login, run.reading_login(found.path)))
    reached = run.access(configuration.settings)
    source = stack.enter_context(app_source(run.repository(found.path), found.commit, reached))
    _check_reachable(source, found)
    claimed = HandOff(
        project=found.path,
        commit=found.commit,
        ref=found.ref,
        images=claim.images,
        pipeline=found.pipeline,
        project_id=found.project,
        is_protected=found.is_protected,
        actor=found.user,
    )
    check(claimed)
    accepted = accepting(configuration, claimed)  # before any registry is asked: only for images that an app has
    resolved = [resolve(image, reached.registries) for image in claimed.images]
    untied = _untied(resolved, accepted, found, reached.registries)
    return replace(claimed, images=tuple(one.reference for one in resolved), provenance_problems=untied), source


@contextmanager
def app_histories(run: Run) -> Iterator[Histories]:
    """Give what opens the repository of a project that hands off, as this run may read it, once and when it is needed.

    It is asked which of two commits is newer, and answers that it cannot tell where it may not be read.
    """
    found: dict[str, AppSource] = {}
    with ExitStack() as stack:

        def opened(project: str) -> AppSource:
            if project not in found:
                stack.enter_context(logged_in(run.manifests_login, run.reading_login(project)))
                found[project] = stack.enter_context(app_source(run.repository(project), ""))
            return found[project]

        yield opened


def _untied(
    images: Sequence[ResolvedImage], accepted: Sequence[Acceptance], found: Sender, reached: RegistryAccess
) -> dict[Reference, str]:
    """Say of each image why nothing shows that it was built from the commit. Its label is only read if it must be."""
    tag = short_ref(found.ref) if found.ref.startswith(TAGS) else ""
    told: dict[Reference, str] = {}
    for image in images:
        patterns = {"", *_patterns(image.reference, accepted)}
        if any(not provenance_problem(image.reference.tag, found.commit, tag, pattern) for pattern in patterns):
            continue
        why = provenance_problem(image.reference.tag, found.commit, tag, revision=revision(image, reached))
        told |= {image.reference: why} if why else {}
    return told


def _patterns(image: Reference, accepted: Sequence[Acceptance]) -> list[str]:
    """Return the patterns of tags by which apps know an image."""
    repository = canonical_repository(image.repository)
    owned = [named for one in accepted for named in one.record.images(one.environment).values()]
    return [named.tag for named in owned if named.tag and canonical_repository(named.repository) == repository]


def _check_reachable(source: AppSource, found: Sender) -> None:
    """Refuse a commit that its branch does not hold any more: it was rewritten, so nobody vouches for it."""
    if found.ref.startswith(BRANCHES) and source.is_on(found.ref) is not True:
        raise UntrustedError(
            f"commit {found.commit[:12]} is not on {found.ref} of {found.path} any more",
            hint="run a pipeline of the branch as it is now; a retried job of an old pipeline does not count",
        )
