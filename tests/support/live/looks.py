"""What is there on a GitLab: files, commits, merge requests, notes, statuses, deployments."""

from __future__ import annotations

from typing import Any

from support.live.api import Account, Project, ask, below, get, listed, part, post, put, until

MergeRequest = dict[str, Any]


def file(account: Account, project: Project, path: str, revision: str = "main") -> str:
    """Return a file of a repository. Raises RefusedError where it is not."""
    return ask(account, "GET", below(project, f"/repository/files/{part(path)}/raw"), ref=revision).text


def head(account: Account, project: Project, branch: str = "main") -> str:
    """Return a branch's commit."""
    return str(get(account, below(project, f"/repository/branches/{part(branch)}"))["commit"]["id"])


def commits(account: Account, project: Project, branch: str = "main") -> list[dict[str, Any]]:
    """Return the commits of a branch, newest first."""
    return listed(account, below(project, "/repository/commits"), ref_name=branch)


def proposals(account: Account, project: Project, branch: str) -> list[MergeRequest]:
    """Return the open merge requests from a branch."""
    return listed(account, below(project, "/merge_requests"), state="opened", source_branch=branch)


def propose(account: Account, project: Project, branch: str, title: str) -> MergeRequest:
    """Open a merge request into main."""
    told: MergeRequest = post(
        account, below(project, "/merge_requests"), source_branch=branch, target_branch="main", title=title
    )
    return told


def merge(account: Account, project: Project, request: MergeRequest) -> str:
    """Merge a merge request as it is now, as soon as GitLab knows that it can be; return the merge commit."""
    path = below(project, f"/merge_requests/{request['iid']}")

    def look() -> MergeRequest | None:
        found: MergeRequest = get(account, path)
        return found if found["detailed_merge_status"] == "mergeable" else None

    ready = until(account, f"{request['web_url']} to be mergeable", look)
    merged = put(account, f"{path}/merge", sha=ready["sha"])
    assert merged["state"] == "merged"
    return str(merged["merge_commit_sha"])


def notes(account: Account, project: Project, request: MergeRequest) -> list[str]:
    """Return what people and bots said on a merge request."""
    found = listed(account, below(project, f"/merge_requests/{request['iid']}/notes"))
    return [one["body"] for one in found if not one["system"]]


def statuses(account: Account, project: Project, sha: str) -> dict[str, str]:
    """Return Headgate's newest statuses of a commit, by name; GitLab lists jobs among them."""
    found = listed(account, below(project, f"/repository/commits/{sha}/statuses"))
    newest = sorted(found, key=lambda one: int(one["id"]))
    return {one["name"]: one["status"] for one in newest if one["name"].startswith("headgate: ")}


def deployments(account: Account, project: Project, sha: str) -> list[tuple[str, str]]:
    """Return where a commit was deployed, and how that ended."""
    found = listed(account, below(project, "/deployments"))
    return [(one["environment"]["name"], one["status"]) for one in found if one["sha"] == sha]
