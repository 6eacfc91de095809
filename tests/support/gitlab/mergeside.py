"""Merge requests: made, changed, found mergeable with a delay, really merged. https://docs.gitlab.com/api/merge_requests/."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from support.gitlab import mergerules, pipelines, restpipelines
from support.gitlab.entities import person
from support.gitlab.gitside import NOTHING, Update, Who, git, git_once, refs
from support.gitlab.state import DEVELOPER, REPORTER, MergeRequest, Note, Pipeline, Project, User, now
from support.gitlab.web import Answer

if TYPE_CHECKING:
    from support.gitlab.double import Double
    from support.gitlab.rest import Call


def entity(double: Double, one: MergeRequest, *, asked: bool = False) -> dict[str, Any]:
    """Show a merge request. ``asked``: for itself, which is when GitLab begins to find out whether it can be merged."""
    state = detailed_status(double, one, asked=asked)
    people = {user.id: person(double, user) for user in double.users}
    told = {
        "id": one.id,
        "iid": one.iid,
        "project_id": one.project.id,
        "title": one.title,
        "description": one.description,
    }
    told |= {"state": one.state, "target_branch": one.target, "source_branch": one.source, "labels": list(one.labels)}
    told |= {"author": people[one.author.id], "reviewers": [people[user] for user in one.reviewers]}
    told |= {"assignees": [people[user] for user in one.assignees], "draft": one.is_draft, "sha": one.sha or None}
    told |= {"source_project_id": one.source_project.id, "target_project_id": one.project.id}
    told |= {"merge_when_pipeline_succeeds": one.auto_merge, "detailed_merge_status": state}
    merged_by = one.merged_by or (one.set_by if one.auto_merge else None)
    told |= {"merged_at": one.merged_at, "merge_user": person(double, merged_by) if merged_by else None}
    told |= {"closed_by": people[one.closed_by.id] if one.closed_by else None}
    told |= {"merge_commit_sha": one.merge_commit, "created_at": one.created_at, "updated_at": one.created_at}
    if asked:  # lists do not say it
        base = git(one.project, "merge-base", one.sha, f"refs/heads/{one.target}", check=False) if one.sha else ""
        found = head_pipeline(one)
        told |= {"head_pipeline": restpipelines.detailed(double, found) if found else None}
        told |= {"merge_error": one.merge_error}
        told |= {"diff_refs": {"base_sha": base, "start_sha": base, "head_sha": one.sha} if base else None}
    told |= {"has_conflicts": state == "conflict", "user_notes_count": sum(not note.system for note in one.notes)}
    return {**told, "web_url": f"{double.url}/{one.project.path}/-/merge_requests/{one.iid}"}


def listed(double: Double, one: MergeRequest) -> dict[str, Any]:
    """Show a merge request as lists do: with less."""
    return {
        key: value
        for key, value in entity(double, one).items()
        if key not in ("diff_refs", "head_pipeline", "merge_error")
    }


def detailed_status(double: Double, one: MergeRequest, *, asked: bool) -> str:
    """Return what GitLab knows of a request's mergeability: nothing at first, then what git says (facts, part 4)."""
    if one.state != "opened":
        return "not_open"
    target = refs(one.project).get(f"refs/heads/{one.target}", "")
    if one.checked != f"{target} {one.sha}":
        if one.unchecked_reads < double.unchecked_reads or not asked:
            one.unchecked_reads += int(asked)
            return "checking" if one.unchecked_reads else "unchecked"
        one.checked, one.unchecked_reads = f"{target} {one.sha}", 0
    if one.is_draft:
        return "draft_status"
    if _is_merged(one.project, one.sha, target):
        return "commits_status"
    if not _merged_tree(one.project, target, one.sha):
        return "conflict"
    return one.blocked or mergerules.waiting(one) or "mergeable"


def head_pipeline(one: MergeRequest) -> Pipeline | None:
    """Return the newest pipeline of a merge request's newest commit."""
    found = [run for run in one.source_project.pipelines if run.merge_request is one and run.sha == one.sha]
    return found[-1] if found else None


def _is_merged(project: Project, sha: str, target: str) -> bool:
    return git_once(project, "rev-list", "--max-count=1", sha, f"^{target}") == ""


def _merged_tree(project: Project, target: str, sha: str) -> str:
    """Return the tree of a merge, or nothing where it conflicts."""
    return git_once(project, "merge-tree", "--write-tree", target, sha, check=False).partition("\n")[0]


def heed(double: Double, text: str) -> None:
    """Note what GitLab would carry out of a text: quick actions, and people who are told."""
    plain = re.sub(r"(?ms)^(```+|~~~+).*?^\1|<!--.*?-->", "", text)
    plain = re.sub(r"`+[^`\n]*`+", "", plain)
    double.executed += re.findall(r"(?mi)^[ \t]*/[a-z_]+.*$", plain)
    double.executed += re.findall(r"(?<!\w)@[A-Za-z][\w.-]*", plain)


def open_request(
    double: Double, project: Project, source: str, author: User, *, source_project: Project | None = None, **fields: Any
) -> MergeRequest:
    """Open a merge request, and start its pipeline."""
    origin = source_project or project
    made = MergeRequest(
        project,
        origin,
        len(project.merge_requests) + 1,
        source,
        fields.pop("target", project.default_branch),
        fields.pop("title", source),
        author,
        **fields,
    )
    made.sha = refs(origin).get(f"refs/heads/{source}", "")
    if origin is not project:
        git(project, "fetch", "--quiet", str(origin.folder), made.sha)
    made.versions.append((made.sha, now()))
    heed(double, f"{made.description}\n\n> {made.title}")  # people are told by titles too, orders are none there
    project.merge_requests.append(made)
    _point(made)
    return made


def _point(one: MergeRequest) -> None:
    git(one.project, "update-ref", f"refs/merge-requests/{one.iid}/head", one.sha)


def after_push(double: Double, project: Project, who: Who, updates: list[Update], options: list[str]) -> None:
    """Bring merge requests up to what was pushed; make those that push options ask for (facts, parts 3 and 12).

    What a job token pushes makes no pipelines, of merge requests neither (part 3).
    """
    assert who.user is not None
    is_many = sum(one.ref != f"refs/heads/{project.default_branch}" for one in updates) > _MOST_BY_OPTIONS
    for index, update in enumerate(updates):
        branch = update.ref.removeprefix("refs/heads/")
        for one in project.merge_requests:
            if one.source_project is project and one.state == "opened" and one.source == branch:
                if update.new == NOTHING:
                    one.state, one.closed_by = "closed", who.user
                    continue
                one.sha, one.auto_merge = update.new, False
                one.versions.append((update.new, now()))
                one.approved_by = {} if project.resets_approvals else one.approved_by
                _point(one)
                # that the limit of pipelines holds for these too is the worse of two readings (facts, part 12)
                if who.job is None and index < double.push_pipelines:
                    pipelines.on_merge_request(double, one, who.user)
        told = dict(option.partition("=")[::2] for option in options if option.startswith("merge_request."))
        is_open = any(one.source == branch and one.state == "opened" for one in project.merge_requests)
        if (
            "merge_request.create" in told
            and not is_open
            and not is_many
            and update.new != NOTHING
            and branch != project.default_branch
        ):
            _by_options(double, project, branch, who.user, told, options)


_MOST_BY_OPTIONS = 10
"""Branches of a push: of more, none gets one, "Too many branches pushed (12 were pushed, limit is 10)" (facts, 12)."""


def _by_options(
    double: Double, project: Project, branch: str, user: User, told: dict[str, str], options: list[str]
) -> None:
    """Make a merge request as push options ask: https://docs.gitlab.com/topics/git/commit/#push-options.

    That they are heeded for a job token too is not confirmed (facts, part 3).
    """
    title = told.get("merge_request.title") or git(project, "log", "-1", "--format=%s", f"refs/heads/{branch}")
    made = open_request(
        double,
        project,
        branch,
        user,
        target=told.get("merge_request.target", project.default_branch),
        title=f"Draft: {title}" if "merge_request.draft" in told else title,
        description=told.get("merge_request.description", ""),
    )
    made.labels = [option.partition("=")[2] for option in options if option.startswith("merge_request.label=")]


def merge(double: Double, one: MergeRequest, user: User) -> str:
    """Merge by a merge commit, as the button does; return it."""
    target = refs(one.project)[f"refs/heads/{one.target}"]
    tree = _merged_tree(one.project, target, one.sha)
    see = f"See merge request {one.project.path}!{one.iid}"
    message = f"Merge branch '{one.source}' into '{one.target}'\n\n{one.title}\n\n{see}\n"
    made = git(
        one.project,
        "-c",
        f"user.name={user.name}",
        "-c",
        f"user.email={user.name}@example.com",
        "commit-tree",
        tree,
        "-p",
        target,
        "-p",
        one.sha,
        stdin=message,
    )
    git(one.project, "update-ref", f"refs/heads/{one.target}", made, target)
    one.state, one.merge_commit, one.merged_by, one.auto_merge = "merged", made, user, False
    one.merged_at = now()
    if one.remove_source_branch:
        git(one.project, "update-ref", "-d", f"refs/heads/{one.source}")
    pipelines.on_push(double, one.project, f"refs/heads/{one.target}", made, user)
    return made


# --- the API: facts, part 4 (making, changing, notes), part 12 (merging); what a job token may not: part 3


def _one(call: Call) -> MergeRequest | None:
    return next((one for one in call.project.merge_requests if str(one.iid) == call.parts[0]), None)


_GONE = Answer(404, {"message": "404 Not found"})


def _list(call: Call) -> Answer:
    from support.gitlab.rest import paged  # noqa: PLC0415  it knows this module

    query, found = call.request.query, call.project.merge_requests
    keys = {"state": "state", "source_branch": "source", "target_branch": "target"}
    for key, name in keys.items():
        if query.get(key) not in (None, "all"):
            found = [one for one in found if getattr(one, name) == query[key]]
    return paged(call, [listed(call.double, one) for one in reversed(found)])


def _get(call: Call) -> Answer:
    found = _one(call)
    return Answer(200, entity(call.double, found, asked=True)) if found else _GONE


def _create(call: Call) -> Answer:
    body, user = call.request.json(), call.who.user
    assert user is not None
    for one in call.project.merge_requests:
        if one.state == "opened" and (one.source, one.target) == (body["source_branch"], body["target_branch"]):
            return Answer(
                409, {"message": [f"Another open merge request already exists for this source branch: !{one.iid}"]}
            )
    if f"refs/heads/{body['source_branch']}" not in refs(call.project):
        return Answer(400, {"message": {"base": ["source branch does not exist"]}})
    made = open_request(
        call.double,
        call.project,
        body["source_branch"],
        user,
        target=body["target_branch"],
        title=body["title"],
        description=body.get("description") or "",
        labels=_names(body.get("labels")),
        reviewers=_ids(body.get("reviewer_ids")),
        assignees=_ids(body.get("assignee_ids")) or _ids([body["assignee_id"]] if body.get("assignee_id") else []),
        remove_source_branch=bool(body.get("remove_source_branch")),
    )
    mergerules.add_reviewers(made)
    pipelines.on_merge_request(call.double, made, user)
    return Answer(201, entity(call.double, made))


def _names(told: Any) -> list[str]:
    return [one.strip() for one in (told if isinstance(told, list) else (told or "").split(",")) if one.strip()]


def _ids(told: Any) -> list[int]:
    return [int(one) for one in told or []]


def _begin_pipeline(call: Call) -> Answer:
    """Start a pipeline of a merge request: doc/api/merge_requests.md#create-merge-request-pipeline."""
    found, user = _one(call), call.who.user
    assert user is not None
    if found is None:
        return _GONE
    made = pipelines.on_merge_request(call.double, found, user)
    if made.errors:
        return Answer(400, {"message": {"base": made.errors}})
    return Answer(201, restpipelines.detailed(call.double, made))


def _update(call: Call) -> Answer:
    found, body = _one(call), call.request.json()
    if found is None:
        return _GONE
    for key in ("title", "description"):
        if key in body:
            setattr(found, key, body[key])
    heed(call.double, f"{body.get('description') or ''}\n\n> {body.get('title') or ''}")
    if "labels" in body:
        found.labels = _names(body["labels"])
    found.labels += [one for one in _names(body.get("add_labels")) if one not in found.labels]
    found.labels = [one for one in found.labels if one not in _names(body.get("remove_labels"))]
    found.reviewers = _ids(body["reviewer_ids"]) if "reviewer_ids" in body else found.reviewers
    found.assignees = _ids(body["assignee_ids"]) if "assignee_ids" in body else found.assignees
    states = {"close": "closed", "reopen": "opened"}
    if "state_event" in body:
        found.state = states[body["state_event"]]
        found.closed_by = call.who.user if found.state == "closed" else None
    return Answer(200, entity(call.double, found))


def _merge(call: Call) -> Answer:
    found, body = _one(call), call.request.json()
    if found is None:
        return _GONE
    if body.get("sha") and body["sha"] != found.sha:
        return Answer(409, {"message": "SHA does not match HEAD of source branch: " + found.sha})
    state = detailed_status(call.double, found, asked=True)
    user = call.who.user
    assert user is not None
    protection = call.project.protection(found.target)
    if protection and call.project.level(user) < protection.merge:
        return Answer(401, {"message": "401 Unauthorized"})
    waits = [
        "ci_still_running",
        "ci_must_pass",
        "not_approved",
        *(["mergeable"] if call.project.must_use_train and head_pipeline(found) else []),
    ]
    if state in waits and body.get("auto_merge"):
        found.auto_merge, found.set_by = True, user
        return Answer(200, entity(call.double, found))
    refusal = mergerules.refusal(found, state, squash=bool(body.get("squash")))
    if refusal is not None:
        return refusal
    found.remove_source_branch = bool(body.get("should_remove_source_branch", found.remove_source_branch))
    merge(call.double, found, user)
    return Answer(200, entity(call.double, found))


def _cancel(call: Call) -> Answer:
    found = _one(call)
    if found is None:
        return _GONE
    if not found.auto_merge:
        return Answer(406, {"message": "406 Not Acceptable"})
    found.auto_merge = False
    return Answer(201, entity(call.double, found))


def retarget(one: MergeRequest, target: str) -> None:
    """Let a merge request go to another branch: GitLab compares anew (`MergeRequest#reload_diff_if_branch_changed`)."""
    one.target = target
    one.versions.append((one.sha, now()))


def approve(one: MergeRequest, user: User) -> bool:
    """Approve a merge request as it is. Who approved it before has to revoke that first: then nothing changes."""
    is_new = user.id not in one.approved_by
    one.approved_by.setdefault(user.id, now())
    return is_new


def _approvals(call: Call) -> Answer:
    """Show who approved a merge request: lib/api/merge_request_approvals.rb, which GitLab Free has too.

    When each did, `approved_at`, is shown since gitlab-org/gitlab!204605 of 2025, so in all versions that are modelled.
    For which commit is not shown. With GitLab Free `approved` says that anybody approved it.
    """
    found = _one(call)
    if found is None:
        return _GONE
    people = {user.id: person(call.double, user) for user in call.double.users}
    given = [{"user": people[user], "approved_at": since} for user, since in found.approved_by.items()]
    assert call.who.user is not None
    shown = {"approved": bool(given), "approved_by": given, "user_has_approved": call.who.user.id in found.approved_by}
    return Answer(200, {**shown, "user_can_approve": call.who.user.id not in found.approved_by})


def _approve(call: Call) -> Answer:
    """Approve, which with GitLab Free every Developer may (the same page); twice is refused."""
    found = _one(call)
    assert call.who.user is not None
    if found is None:
        return _GONE
    if call.request.json().get("sha") not in (None, found.sha):
        return Answer(409, {"message": "SHA does not match HEAD of source branch: " + found.sha})
    return _approvals(call) if approve(found, call.who.user) else Answer(401, {"message": "401 Unauthorized"})


def _unapprove(call: Call) -> Answer:
    found = _one(call)
    assert call.who.user is not None
    if found is None or found.approved_by.pop(call.who.user.id, None) is None:
        return _GONE
    return _approvals(call)


def _versions(call: Call) -> Answer:
    """List what a merge request was at, newest first: GitLab makes a version for each push to its branch."""
    from support.gitlab.rest import paged  # noqa: PLC0415

    found = _one(call)
    if found is None:
        return _GONE
    entries = [
        {
            "id": index + 1,
            "head_commit_sha": sha,
            "created_at": since,
            "merge_request_id": found.id,
            "state": "collected",
        }
        for index, (sha, since) in enumerate(found.versions)
    ]
    return paged(call, entries[::-1])


def _note(double: Double, one: Note) -> dict[str, Any]:
    told = {"id": one.id, "body": one.body, "author": person(double, one.author), "system": one.system}
    return {
        **told,
        "created_at": one.created_at,
        "updated_at": one.created_at,
        "noteable_type": "MergeRequest",
        "resolvable": False,
    }


def _notes(call: Call) -> Answer:
    from support.gitlab.rest import paged  # noqa: PLC0415

    found = _one(call)
    return paged(call, [_note(call.double, one) for one in reversed(found.notes)]) if found else _GONE


def _add_note(call: Call) -> Answer:
    found = _one(call)
    assert call.who.user is not None
    if found is None:
        return _GONE
    body = call.request.json()["body"]
    heed(call.double, body)
    found.notes.append(Note(call.who.user, body))
    return Answer(201, _note(call.double, found.notes[-1]))


def _change_note(call: Call) -> Answer:
    found = _one(call)
    note = next((one for one in found.notes if str(one.id) == call.parts[1]), None) if found else None
    if note is None:
        return _GONE
    note.body = call.request.json()["body"]
    heed(call.double, note.body)
    return Answer(200, _note(call.double, note))


_MR = "/merge_requests/([0-9]+)"
ROUTES: tuple[tuple[str, str, Callable[[Call], Answer], int, bool], ...] = (
    ("GET", "/merge_requests", _list, REPORTER, True),
    ("POST", "/merge_requests", _create, DEVELOPER, False),
    ("GET", _MR, _get, REPORTER, True),
    ("PUT", _MR, _update, DEVELOPER, False),
    ("POST", f"{_MR}/pipelines", _begin_pipeline, DEVELOPER, False),
    ("PUT", f"{_MR}/merge", _merge, DEVELOPER, False),
    ("POST", f"{_MR}/cancel_merge_when_pipeline_succeeds", _cancel, DEVELOPER, False),
    ("GET", f"{_MR}/approvals", _approvals, REPORTER, False),
    ("POST", f"{_MR}/approve", _approve, DEVELOPER, False),
    ("POST", f"{_MR}/unapprove", _unapprove, DEVELOPER, False),
    ("GET", f"{_MR}/versions", _versions, REPORTER, False),
    ("GET", f"{_MR}/notes", _notes, REPORTER, True),
    ("POST", f"{_MR}/notes", _add_note, REPORTER, False),
    ("PUT", f"{_MR}/notes/([0-9]+)", _change_note, REPORTER, False),
)
__all__ = ["ROUTES", "after_push", "approve", "entity", "merge", "now", "open_request"]
