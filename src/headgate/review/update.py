"""One merge request: opened, described anew, made a draft while its environment is frozen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from headgate.intents.on_failure import ACTOR
from headgate.model import Review
from headgate.paths import OURS
from headgate.releases.pending import read_pending
from headgate.releases.release import parts
from headgate.report.describe import describe
from headgate.report.markdown import plain, prose
from headgate.repository import git
from headgate.review.api import as_draft, as_ready
from headgate.review.automerge import stop
from headgate.review.description import ProposalMetadata, described, read_marks, settings_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headgate.config import Configuration
    from headgate.errors import HeadgateError
    from headgate.gitlab.people import People
    from headgate.landing.review_branches import ReviewBranches
    from headgate.landing.workspace import OpenProposal, Workspace
    from headgate.report.appchange import AppChange
    from headgate.review.api import MergeRequest, MergeRequests
    from headgate.review.description import Source

_MOST_TITLE = 200


@dataclass(frozen=True)
class ReviewResult:
    """The open merge requests by branch, what there is to say, and what went wrong.

    ``changed`` are the branches whose merge request changed, ``merged`` those of them that are merged now: then the
    default branch moved. ``gone`` are commits of apps that merge requests held and hold no more, by branch.
    """

    open: dict[str, MergeRequest] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    errors: list[HeadgateError] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    gone: dict[str, tuple[Source, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class ReviewContext:
    """What all branches are reconciled with."""

    requests: MergeRequests
    workspace: Workspace
    configuration: Configuration
    people: People
    branches: ReviewBranches

    def review(self, branch: str) -> Review:
        """Return how the merge requests of a branch's environment are made."""
        found = self.configuration.settings.environments.get(environment_of(branch))
        return found.review if found else Review()

    def notice(self, branch: str) -> str:
        """Say in Markdown that the branch's environment is frozen; nothing where it is not."""
        environment = environment_of(branch)
        freeze = self.configuration.frozen.get(environment)
        if freeze is None:
            return ""
        return f"> {prose(environment)} is frozen by {prose(freeze.by)}: {prose(freeze.reason)}"

    def decision(self, branch: str) -> str:
        """Say in Markdown why a branch holds a roll-back that nobody asked for; nothing where it holds none."""
        record = self.configuration.apps.get(app_of(branch))
        if record is None:
            return ""
        proposal = read_pending(self.workspace.tree, record.release_folder(environment_of(branch)), None).proposal
        is_own = proposal is not None and proposal.record.actor == ACTOR
        return f"> {prose(proposal.by_person)}\n\n" if proposal is not None and is_own else ""


def environment_of(branch: str) -> str:
    """Return the environment that a branch for review is of, by its name."""
    return branch.removeprefix(OURS).split("/", 1)[0]


def app_of(branch: str) -> str:
    """Return the app that a branch for review is of, by its name; empty for a change of many apps."""
    name = branch.removeprefix(OURS).partition("/")[2]
    return "" if name.startswith("_") else name


def opened(bench: ReviewContext, proposal: OpenProposal, changes: Sequence[AppChange], done: ReviewResult) -> None:
    """Open a merge request for a proposal, unless somebody closed that very one. Raises GitLabError."""
    branch, review = proposal.branch, bench.review(proposal.branch)
    refused = [one for one in bench.requests.closed(branch) if one.commit == proposal.commit]
    if refused:
        way_out = f"reopen it, or delete the branch ({refused[0].url})"
        done.told.append(f"{refused[0].name} for {branch} was closed and stays so: {way_out}")
        return
    notice = bench.notice(branch)
    marks = _marks(bench, proposal, changes, frozen=bool(notice) and not review.draft)
    title = _title(bench, proposal)
    wanted: dict[str, Any] = {
        "title": as_draft(title) if review.draft or notice else title,
        "description": described("", marks, bench.decision(branch) + _text(bench, changes), notice),
        **({"labels": ",".join(review.labels)} if review.labels else {}),
        **_people(bench, review, ()),
    }
    one = bench.requests.create(branch, wanted)
    found = read_marks(one.description)
    if found is None or found.commit != proposal.commit:  # somebody else's, who was faster
        again(bench, proposal, changes, one, done)
    else:
        done.open[branch] = one
        done.changed.append(branch)
        done.told.append(f"opened {one.name} for {branch}: {one.url}")


def again(
    bench: ReviewContext, proposal: OpenProposal, changes: Sequence[AppChange], one: MergeRequest, done: ReviewResult
) -> None:
    """Bring a merge request to what its branch holds now, or to other settings. What people changed stays."""
    review = bench.review(proposal.branch)
    before = read_marks(one.description) or ProposalMetadata()
    notice = bench.notice(proposal.branch)
    freezes = bool(notice) and not one.is_draft
    frozen = freezes or (before.frozen and one.is_draft and bool(notice))
    marks = _marks(bench, proposal, changes, frozen=frozen)
    title = _title(bench, proposal)
    is_draft = freezes or (one.is_draft and not (before.frozen and not notice))
    wanted: dict[str, Any] = {
        "title": as_draft(title) if is_draft else title,
        "description": described(
            one.description, marks, bench.decision(proposal.branch) + _text(bench, changes), notice
        ),
    }
    if before.settings != marks.settings:
        wanted |= {"add_labels": ",".join(review.labels)} if review.labels else {}
        wanted |= _people(bench, review, one.reviewers)
    if notice and one.merges_itself:
        stop(bench.requests, one)
    gone = tuple(source for source in before.sources if source not in marks.sources)
    done.gone[proposal.branch] = gone
    done.open[proposal.branch] = bench.requests.change(one, wanted)
    done.changed.append(proposal.branch)
    done.told.append(f"updated {one.name} for {proposal.branch}: {one.url}")


def thawed_or_frozen(bench: ReviewContext, one: MergeRequest, marks: ProposalMetadata) -> MergeRequest:
    """Make a merge request a draft while its environment is frozen, and ready again if we made it one."""
    notice = bench.notice(one.branch)
    if notice and one.merges_itself:
        stop(bench.requests, one)
        one = replace(one, merges_itself=False)
    if notice and not one.is_draft:
        title, frozen = as_draft(one.title), True
    elif not notice and marks.frozen:
        title, frozen = as_ready(one.title), False
    else:
        return one
    description = described(one.description, replace(marks, frozen=frozen), notice=notice)
    return bench.requests.change(one, {"title": title, "description": description})


def _marks(
    bench: ReviewContext, proposal: OpenProposal, changes: Sequence[AppChange], *, frozen: bool
) -> ProposalMetadata:
    return ProposalMetadata(
        proposal.commit, settings_id(bench.review(proposal.branch)), tuple(_sources(changes)), frozen
    )


def _sources(changes: Sequence[AppChange]) -> Iterator[Source]:
    """Yield the apps' commits that changes bring."""
    found: dict[Source, None] = {}
    for change in changes:
        before = parts(change.before)
        for name, part in parts(change.after).items():
            if part != before.get(name) and part.project_id is not None:
                found[part.project_id, part.commit] = None
    yield from list(found)[:_MOST_SOURCES]


_MOST_SOURCES = 200


def _title(bench: ReviewContext, proposal: OpenProposal) -> str:
    message = git.message_of(bench.workspace.repository, proposal.commit)
    return plain(message.split("\n", 1)[0], _MOST_TITLE)


def _text(bench: ReviewContext, changes: Sequence[AppChange]) -> str:
    return describe(changes, bench.requests.gitlab.url)


def _people(bench: ReviewContext, review: Review, already: Sequence[int]) -> Mapping[str, list[int]]:
    found: dict[str, list[int]] = {}
    reviewers = bench.people.numbers(review.reviewers)
    if reviewers:
        found["reviewer_ids"] = list(dict.fromkeys([*already, *reviewers]))
    assignees = bench.people.numbers([review.assignee] if review.assignee else [])
    return found | ({"assignee_ids": assignees} if assignees else {})
