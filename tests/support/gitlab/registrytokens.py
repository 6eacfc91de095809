"""Tokens for GitLab's container registry: https://docs.gitlab.com/administration/packages/container_registry/."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.gitlab.gitside import may_read
from support.gitlab.state import DEVELOPER, Project
from support.gitlab.web import Answer, Request
from support.tokens import token

if TYPE_CHECKING:
    from support.gitlab.double import Double
    from support.gitlab.gitside import Who


def answer(double: Double, request: Request) -> Answer:
    """Give a token for what somebody may do with a repository of images, which may be nothing."""
    who = double.who_by_basic(request)
    if "authorization" in request.headers and who.user is None:
        return Answer(403, {"errors": [{"code": "DENIED", "message": "HTTP Basic: Access denied."}]})
    _, name, _wanted = str(request.query["scope"]).split(":")
    project = owner(double, name)
    allowed = _allowed(double, who, project) if project else []
    return Answer(200, {"token": token(name, [one for one in allowed if one in _wanted.split(",")])})


def owner(double: Double, name: str) -> Project | None:
    """Return the project whose images a repository holds: of that path, or of one above."""
    found = [one for one in double.projects if f"{name}/".startswith(f"{one.path.lower()}/")]
    return max(found, key=lambda one: len(one.path), default=None)


def _allowed(double: Double, who: Who, project: Project) -> list[str]:
    if who.user is None or not may_read(double, who, project):
        return []
    may_push = project.level(who.user) >= DEVELOPER and (who.job is None or who.job.pipeline.project is project)
    return ["pull", "push"] if may_push else ["pull"]
