"""Approvals of a merge request, counted as headgate.yaml requires: whose, of which commit, and who may not approve it.

GitLab says who approved and when, and never of which commit. So an approval counts for the newest commit where it was
given after GitLab had seen that: https://docs.gitlab.com/api/merge_request_approvals/.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from headgate.errors import GitLabError
from headgate.gitlab.api import merge_request_path, project_path
from headgate.gitlab.identity import LEVELS, access_level
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from headgate.gitlab.api import GitLab
    from headgate.model.fields import Level

SourceCommit = tuple[int | str, str]
"""A project, by its id or path, and a commit of it."""


@frozen_record
class ApprovalRule:
    """Whose approvals count: from which role on, and of what.

    ``actors`` are the names of the people who requested the change, ``commits`` what it brings: their authors and the
    actors approve nothing of it. ``readers`` are tried in turn to read these commits.
    """

    role: Level
    actors: frozenset[str] = frozenset()
    commits: tuple[SourceCommit, ...] = ()
    readers: tuple[GitLab, ...] = ()


@frozen_record
class ApprovalSubject:
    """A merge request whose branch is at a commit, and how many approvals it needs.

    ``merged_at`` is when it was merged, as GitLab writes it; what came later does not count.
    """

    project: str
    number: int
    commit: str
    needed: int
    merged_at: str = ""


@frozen_record
class Approvals:
    """The approvals of a merge request at one commit.

    ``given`` names whose count; ``ignored`` whose do not, each with the reason. ``error`` says why the others
    could not be counted.
    """

    needed: int
    given: tuple[str, ...] = ()
    ignored: tuple[tuple[str, str], ...] = ()
    error: GitLabError | None = None

    @property
    def missing(self) -> int:
        """How many more are needed."""
        return max(0, self.needed - len(self.given))


@frozen_record
class _Approver:
    id: int
    user_name: str
    name: str
    address: str
    is_bot: bool


@frozen_record
class _Author:
    """Who wrote a commit, by git, and the user names of who opened the merge requests that brought it."""

    name: str
    address: str
    user_names: frozenset[str]


def read_approvals(gitlab: GitLab, subject: ApprovalSubject, find_rule: Callable[[], ApprovalRule]) -> Approvals:
    """Return the approvals of a merge request. What cannot be read is an ``error``.

    The rule is looked for only where there is an approval.
    """
    project, needed = subject.project, subject.needed
    path = merge_request_path(project, subject.number)
    ignored: list[tuple[str, str]] = []
    given: list[_Approver] = []
    try:
        entries = gitlab.get(f"{path}/approvals")["approved_by"]
        if not entries:
            return Approvals(needed=needed)
        rule, since = find_rule(), _since(gitlab, path, subject.commit)
        for entry in entries:
            user = entry["user"]
            reason = _untimely(entry.get("approved_at"), since, subject.merged_at)
            reason = reason or _excluded(gitlab, project, user, rule)
            if reason:
                ignored.append((user["username"], reason))
            else:
                given.append(_approver(gitlab, user["id"]))
    except GitLabError as error:
        return Approvals(needed=needed, error=error)
    except (KeyError, TypeError, ValueError):
        return Approvals(needed=needed, error=GitLabError(f"GitLab's approvals of !{subject.number} are not readable"))
    ignored += [(approver.user_name, "is a bot") for approver in given if approver.is_bot]
    people = [approver for approver in given if not approver.is_bot]
    if len(people) < needed:  # whoever wrote it, there are too few
        return _counted(needed, people, ignored)
    try:
        authors = [_author(rule.readers, source) for source in rule.commits]
    except GitLabError as error:
        return Approvals(needed=needed, ignored=tuple(ignored), error=error)
    wrote = {approver for approver in people for author in authors if _is_same(approver, author)}
    ignored += [(approver.user_name, "wrote what is approved") for approver in people if approver in wrote]
    return _counted(needed, [approver for approver in people if approver not in wrote], ignored)


def _counted(needed: int, people: Iterable[_Approver], ignored: Iterable[tuple[str, str]]) -> Approvals:
    return Approvals(needed=needed, given=tuple(approver.user_name for approver in people), ignored=tuple(ignored))


def _since(gitlab: GitLab, path: str, commit: str) -> datetime | None:
    """Return since when GitLab shows a merge request at a commit as it does now; None as long as it does not.

    https://docs.gitlab.com/api/merge_requests/#get-merge-request-diff-versions: newest first. Another target makes
    another version, since people then saw another diff.
    """
    newest = next(gitlab.each(f"{path}/versions", {"per_page": 1}), None)
    if newest is None or newest["head_commit_sha"] != commit:
        return None
    return datetime.fromisoformat(newest["created_at"])


def _untimely(approved: str | None, since: datetime | None, merged: str) -> str:
    if approved is None:
        return "GitLab does not say when"
    if since is None or datetime.fromisoformat(approved) <= since:
        return "approved before the last commit or change of target: revoke that approval and approve again"
    if merged and datetime.fromisoformat(approved) > datetime.fromisoformat(merged):
        return "approved after the merge"
    return ""


def _excluded(gitlab: GitLab, project: str, user: Any, rule: ApprovalRule) -> str:
    if user["id"] == gitlab.user:
        return "is Headgate's own user"
    actors = {actor.casefold() for actor in rule.actors}
    if not actors.isdisjoint((user["username"].casefold(), user["name"].casefold())):
        return "requested it"
    if access_level(gitlab, project, user["id"]) < LEVELS[rule.role]:
        return f"lacks the role {rule.role}"
    return ""


def _approver(gitlab: GitLab, user: int) -> _Approver:
    """Return a user with what only their own page shows: https://docs.gitlab.com/api/users/#retrieve-a-user."""
    entry = gitlab.get(f"/users/{user}")
    return _Approver(
        id=entry["id"],
        user_name=entry["username"],
        name=entry["name"],
        address=entry.get("public_email") or "",
        is_bot=bool(entry["bot"]),
    )


def _author(readers: Sequence[GitLab], source: SourceCommit) -> _Author:
    """Return who wrote a commit. Raises GitLabError where no token may read it."""
    project, commit = source
    path = f"{project_path(project)}/repository/commits/{commit}"
    for reader in readers:
        try:
            entry = reader.get(path)
            requests = reader.get(f"{path}/merge_requests")
            return _Author(
                name=str(entry["author_name"]),
                address=str(entry["author_email"]),
                user_names=frozenset(request["author"]["username"] for request in requests),
            )
        except GitLabError as error:
            if not error.is_hidden:
                raise
        except (KeyError, TypeError):
            continue
    names = ", ".join(dict.fromkeys(reader.token for reader in readers)) or "no token"
    raise GitLabError(
        f"cannot read who wrote {commit[:12]} of project {project} ({names} may not), and authors may not approve what "
        "they wrote",
        hint="let the user of HEADGATE_TOKEN, or of HEADGATE_READ_TOKEN, read that project (Reporter)",
    )


def _is_same(approver: _Approver, author: _Author) -> bool:
    """Whether an approver is an author, as far as git's name and address say: names that are equal are one person."""
    names = {approver.user_name.casefold(), approver.name.casefold()}
    address = author.address.casefold()
    # https://docs.gitlab.com/user/profile/#use-an-automatically-generated-private-commit-email
    is_private = address.startswith(f"{approver.id}-") and "@users.noreply." in address
    return (
        approver.user_name in author.user_names
        or author.name.casefold() in names
        or is_private
        or (bool(address) and address == approver.address.casefold())
    )
