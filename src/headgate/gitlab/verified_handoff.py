"""A pipeline's hand-off: its sender verified, its images resolved to digests, its repository opened."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from headgate.errors import UntrustedError
from headgate.gitlab.claim import parse_claim
from headgate.gitlab.proofs import Upstream, Verifier
from headgate.gitlab.run import check_settings
from headgate.gitlab.sender import find_sender
from headgate.objects.images import canonical_repository
from headgate.registry.digests import resolve, revision
from headgate.registry.provenance import provenance_problem
from headgate.releases.handoff import BRANCHES, TAGS, HandOff, accepting, check, short_ref
from headgate.releases.source import app_source
from headgate.repository.login import logged_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.configuration import Configuration
    from headgate.gitlab.claim import Claim
    from headgate.gitlab.run import Run
    from headgate.gitlab.sender import Sender
    from headgate.objects.images import Reference
    from headgate.registry.credentials import RegistryAccess
    from headgate.releases.handoff import Acceptance
    from headgate.releases.source import AppSource
    from headgate.releases.version_order import Histories


def verify_sender(run: Run, configuration: Configuration) -> tuple[Claim, Sender]:
    """Return this pipeline's claim and its sender according to GitLab. Raises UntrustedError."""
    check_settings(configuration.settings, run.event)
    claim = parse_claim(run.event.handoff)
    gitlab = configuration.settings.gitlab
    proofs = gitlab.proofs if gitlab is not None else ()
    upstream = Upstream(run.event.upstream_project, run.event.upstream)
    readers = list(dict.fromkeys((run.by_job, run.read)))
    return claim, find_sender(claim, run.job, run.event.manifests, Verifier(readers, proofs, upstream))


def resolve_handoff(
    run: Run, configuration: Configuration, claim: Claim, sender: Sender, stack: ExitStack
) -> tuple[HandOff, AppSource]:
    """Return the hand-off of a verified sender, and the app's repository while ``stack`` is open.

    The registry resolves the tags. Raises UntrustedError when the commit is no longer on its branch, RefusedError when
    no app accepts it, RegistryError when an image does not exist.
    """
    stack.enter_context(logged_in(run.manifests_login, run.reading_login(sender.path)))
    access = run.access(configuration.settings)
    source = stack.enter_context(app_source(run.repository(sender.path), sender.commit, access))
    _check_reachable(source, sender)
    claimed = HandOff(
        project=sender.path,
        commit=sender.commit,
        ref=sender.ref,
        images=claim.images,
        pipeline=sender.pipeline,
        project_id=sender.project,
        is_protected=sender.is_protected,
        actor=sender.user,
    )
    check(claimed)
    accepted = accepting(configuration, claimed)  # before any request to a registry: only for images of an app
    resolved = [resolve(image, access.registries) for image in claimed.images]
    untied = _provenance_problems(resolved, accepted, sender, access.registries)
    return replace(claimed, images=tuple(resolved), provenance_problems=untied), source


@contextmanager
def app_histories(run: Run) -> Iterator[Histories]:
    """Give a function that opens the repository of a project that hands off, once and on demand.

    It decides which of two commits is newer; a repository that this run may not read leaves that open.
    """
    sources: dict[str, AppSource] = {}
    with ExitStack() as stack:

        def open_source(project: str) -> AppSource:
            if project not in sources:
                stack.enter_context(logged_in(run.manifests_login, run.reading_login(project)))
                sources[project] = stack.enter_context(app_source(run.repository(project), ""))
            return sources[project]

        yield open_source


def _provenance_problems(
    images: Sequence[Reference], accepted: Sequence[Acceptance], sender: Sender, access: RegistryAccess
) -> dict[Reference, str]:
    """Return why images are not known to be built from the commit. Reads their labels only when it must."""
    tag = short_ref(sender.ref) if sender.ref.startswith(TAGS) else ""
    problems: dict[Reference, str] = {}
    for image in images:
        patterns = {"", *_tag_patterns(image, accepted)}
        if any(not provenance_problem(image.tag, sender.commit, tag, pattern) for pattern in patterns):
            continue
        problem = provenance_problem(image.tag, sender.commit, tag, revision=revision(image, access))
        problems |= {image: problem} if problem else {}
    return problems


def _tag_patterns(image: Reference, accepted: Sequence[Acceptance]) -> list[str]:
    repository = canonical_repository(image.repository)
    images = [own for each in accepted for own in each.record.images(each.environment).values()]
    return [own.tag for own in images if own.tag and canonical_repository(own.repository) == repository]


def _check_reachable(source: AppSource, sender: Sender) -> None:
    """Refuse a commit that is no longer on its branch: the branch was rewritten, so nobody vouches for it."""
    if sender.ref.startswith(BRANCHES) and source.is_on(sender.ref) is not True:
        raise UntrustedError(
            f"commit {sender.commit[:12]} is no longer on {sender.ref} of {sender.path}",
            hint="run a new pipeline of the branch; retrying a job of an old pipeline does not count",
        )
