"""What the API shows of things, with the fields that GitLab's pages name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support.gitlab.gitside import commit_facts, refs
from support.gitlab.state import DEVELOPER, Project, User, now

if TYPE_CHECKING:
    from support.gitlab.double import Double


def person(double: Double, user: User) -> dict[str, Any]:
    """Show a person: https://docs.gitlab.com/api/users/."""
    told = {"id": user.id, "username": user.name, "name": user.name.title(), "state": "active", "locked": False}
    return {**told, "avatar_url": None, "web_url": f"{double.url}/{user.name}"}


def profile(double: Double, user: User) -> dict[str, Any]:
    """Show a person alone, with what lists leave out: https://docs.gitlab.com/api/users/#retrieve-a-user."""
    return {**person(double, user), "bot": user.is_bot, "public_email": user.email or None, "created_at": now()}


def member(double: Double, user: User, level: int) -> dict[str, Any]:
    """Show a member: https://docs.gitlab.com/api/project_members/."""
    return {
        **person(double, user),
        "access_level": level,
        "created_at": now(),
        "expires_at": None,
        "membership_state": "active",
    }


def project(double: Double, found: Project, *, is_maintainer: bool) -> dict[str, Any]:
    """Show a project; its CI settings only to those who may change them: https://docs.gitlab.com/api/projects/."""
    shown = {
        "id": found.id,
        "name": found.path.rsplit("/", 1)[1],
        "path": found.path.rsplit("/", 1)[1],
        "path_with_namespace": found.path,
        "default_branch": found.default_branch,
        "visibility": found.visibility,
        "merge_trains_enabled": found.must_use_train,
        "squash_option": found.squash_option,
        "only_allow_merge_if_pipeline_succeeds": found.pipelines_must_succeed,
        "web_url": f"{double.url}/{found.path}",
        "http_url_to_repo": f"{double.url}/{found.path}.git",
    }
    if double.registry:
        shown["container_registry_image_prefix"] = f"{double.registry}/{found.path.lower()}"
    if double.is_newer_than(19, 1):
        shown["reviewer_assignment_strategy"] = found.reviewer_assignment
    if is_maintainer:
        shown |= (
            {"ci_skip_branch_pipelines_for_mrs": found.skips_branch_pipelines} if double.is_newer_than(19, 2) else {}
        )
        shown |= {
            "marked_for_deletion_on": now()[:10] if found.marked else None,
            "ci_config_path": found.ci_config_path,
            "ci_push_repository_for_job_token_allowed": found.job_token_push,
            "ci_pipeline_variables_minimum_override_role": found.variables_role,
        }
    return shown


def commit(double: Double, found: Project, sha: str) -> dict[str, Any]:
    """Show a commit: https://docs.gitlab.com/api/commits/."""
    author, email, date, parents, title, message = commit_facts(found, sha)
    told = {"id": sha, "short_id": sha[:8], "title": title, "parent_ids": parents.split(), "created_at": date}
    told |= {"message": message, "author_name": author, "author_email": email}
    told |= {"authored_date": date, "committer_name": author, "committer_email": email, "committed_date": date}
    return {**told, "web_url": f"{double.url}/{found.path}/-/commit/{sha}"}


def branch(double: Double, found: Project, name: str) -> dict[str, Any]:
    """Show a branch: https://docs.gitlab.com/api/branches/."""
    protection = found.protection(name)
    return {
        "name": name,
        "merged": False,
        "default": name == found.default_branch,
        "protected": protection is not None,
        "commit": commit(double, found, refs(found)[f"refs/heads/{name}"]),
        "developers_can_push": bool(protection and protection.push <= DEVELOPER),
        "developers_can_merge": bool(protection and protection.merge <= DEVELOPER),
        "can_push": True,
        "web_url": f"{double.url}/{found.path}/-/tree/{name}",
    }


def status(double: Double, one: dict[str, Any]) -> dict[str, Any]:
    """Show a commit's status: https://docs.gitlab.com/api/commits/#commit-status."""
    return {
        **{key: one[key] for key in ("id", "sha", "ref", "name", "status", "target_url", "description", "created_at")},
        "pipeline_id": one["pipeline_id"],
        "started_at": None,
        "finished_at": None,
        "allow_failure": False,
        "coverage": None,
        "author": person(double, one["author"]),
    }


def environment(one: dict[str, Any]) -> dict[str, Any]:
    """Show an environment: https://docs.gitlab.com/api/environments/."""
    return {
        **{key: one.get(key) for key in ("id", "name", "external_url", "tier")},
        **{key: one.get(key) for key in ("kubernetes_namespace", "flux_resource_path")},
        "cluster_agent": {"id": one["cluster_agent_id"]} if one.get("cluster_agent_id") else None,
        "slug": one["name"].replace("/", "-"),
        "state": "available",
    }


def deployment(double: Double, found: Project, one: dict[str, Any]) -> dict[str, Any]:
    """Show a deployment: https://docs.gitlab.com/api/deployments/."""
    place = next(environment(entry) for entry in found.environments if entry["name"] == one["environment"])
    place = {key: place[key] for key in ("id", "name", "slug", "external_url")}
    told = {key: one[key] for key in ("id", "iid", "ref", "sha", "status", "created_at")}
    return {
        **told,
        "updated_at": one["created_at"],
        "user": person(double, one["user"]),
        "environment": place,
        "deployable": None,
    }
