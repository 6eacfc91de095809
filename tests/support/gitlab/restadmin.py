"""People, groups and new projects in the API: what is made before there is a project.

https://docs.gitlab.com/api/users/, https://docs.gitlab.com/api/user_tokens/, https://docs.gitlab.com/api/groups/ and
https://docs.gitlab.com/api/projects/#create-a-project.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from support.gitlab.entities import person, project
from support.gitlab.gitside import write_commit
from support.gitlab.state import Group, Token, User, now
from support.gitlab.web import Answer, Request

if TYPE_CHECKING:
    from support.gitlab.double import Double
    from support.gitlab.gitside import Who

FORBIDDEN, NOT_FOUND = Answer(403, {"message": "403 Forbidden"}), Answer(404, {"message": "404 Not found"})
Handler = Callable[["Double", Request, User, str], Answer]


def answer(double: Double, request: Request, who: Who, path: str) -> Answer | None:
    """Answer what is asked of people and groups; None where it is about something else."""
    assert who.user is not None
    for method, pattern, handler in ROUTES:
        match = re.fullmatch(pattern, path)
        if match is None or method != request.method:
            continue
        if who.token is None or "api" not in who.token.scopes:
            return FORBIDDEN
        return handler(double, request, who.user, unquote(match[1]) if match.groups() else "")
    return None


def _make_user(double: Double, request: Request, user: User, _: str) -> Answer:
    body = request.json()
    if not user.is_admin:
        return FORBIDDEN
    if not {"email", "name", "username"} <= set(body) or not {"password", "force_random_password"} & set(body):
        return Answer(400, {"error": "email is missing, name is missing, username is missing, password is missing"})
    if any(one.name == body["username"] for one in double.users):
        return Answer(409, {"message": "Username has already been taken"})
    return Answer(201, person(double, double.user(body["username"])))


def _find_user(double: Double, number: str) -> User | None:
    return next((one for one in double.users if str(one.id) == number), None)


def _remove_user(double: Double, request: Request, user: User, number: str) -> Answer:
    found = _find_user(double, number)
    if not user.is_admin:
        return FORBIDDEN
    if found is None:
        return NOT_FOUND
    double.users.remove(found)
    double.tokens = [one for one in double.tokens if one.user is not found]
    return Answer(204, raw=b"")


def _make_token(double: Double, request: Request, user: User, number: str) -> Answer:
    """Make a personal access token for somebody: an administrator may."""
    body, found = request.json(), _find_user(double, number)
    if not user.is_admin:
        return FORBIDDEN
    if found is None:
        return NOT_FOUND
    made = Token(found, tuple(body["scopes"]))
    double.tokens.append(made)
    told = {"id": found.id, "name": body["name"], "scopes": list(made.scopes), "user_id": found.id, "active": True}
    return Answer(201, {**told, "revoked": False, "created_at": now(), "expires_at": None, "token": made.value})


def find_group(double: Double, name: str) -> Group | None:
    """Return a group by its number or path."""
    return next((one for one in double.groups if name in (one.path, str(one.id))), None)


def _shown(double: Double, one: Group) -> dict[str, Any]:
    told = {"id": one.id, "path": one.path.rpartition("/")[2], "name": one.path.rpartition("/")[2]}
    told |= {"full_path": one.path, "visibility": "private", "web_url": f"{double.url}/groups/{one.path}"}
    return {**told, "marked_for_deletion_on": now()[:10] if one.marked else None}


def _make_group(double: Double, request: Request, user: User, _: str) -> Answer:
    body = request.json()
    parent = find_group(double, str(body["parent_id"])) if body.get("parent_id") else None
    if body.get("parent_id") and (parent is None or parent.owner is not user):
        return FORBIDDEN
    path = f"{parent.path}/{body['path']}" if parent else body["path"]
    if find_group(double, path):
        return Answer(400, {"message": {"path": ["has already been taken"]}})
    double.groups.append(Group(path, user))
    return Answer(201, _shown(double, double.groups[-1]))


def _group(double: Double, request: Request, user: User, name: str) -> Answer:
    found = find_group(double, name)
    return Answer(200, _shown(double, found)) if found and found.owner is user else NOT_FOUND


def _remove_group(double: Double, request: Request, user: User, name: str) -> Answer:
    """Mark a group; one below another goes at once when it is asked for a second time, one at the top some days later.

    https://docs.gitlab.com/api/groups/#delete-a-group
    """
    found, query = find_group(double, name), request.query
    if found is None or found.owner is not user:
        return NOT_FOUND
    if query.get("permanently_remove") == "true":
        if not found.marked or query.get("full_path") != found.path or "/" not in found.path:
            return Answer(400, {"message": "`permanently_remove` option is only available for subgroups."})
        double.groups.remove(found)
    found.marked = True
    return Answer(202, {"message": "202 Accepted"})


def _namespace(double: Double, request: Request, user: User, name: str) -> Answer:
    """Show a group as a namespace: https://docs.gitlab.com/api/namespaces/. A person's own one is not modelled."""
    found = find_group(double, name)
    if found is None or found.owner is not user:
        return NOT_FOUND
    path = found.path.rpartition("/")[2]
    return Answer(200, {"id": found.id, "name": path, "path": path, "kind": "group", "full_path": found.path})


def _make_project(double: Double, request: Request, user: User, _: str) -> Answer:
    """Make an empty project in a group; the one who makes it owns it, as the group's owner."""
    body = request.json()
    group = find_group(double, str(body.get("namespace_id")))
    if group is None or group.owner is not user:
        return Answer(400, {"message": {"namespace": ["is not valid"]}})
    path = f"{group.path}/{body['path']}"
    if double.find_project(path):
        return Answer(400, {"message": {"path": ["has already been taken"]}})
    made = double.project_in(group, path)
    if body.get("initialize_with_readme"):
        write_commit(made.folder, "refs/heads/main", "", {"README.md": "# New\n"}, user.name, "Initial commit")
    return Answer(201, project(double, made, is_maintainer=True))


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/users", _make_user),
    ("DELETE", "/users/([0-9]+)", _remove_user),
    ("POST", "/users/([0-9]+)/personal_access_tokens", _make_token),
    ("POST", "/groups", _make_group),
    ("GET", "/groups/([^/]+)", _group),
    ("GET", "/namespaces/([^/]+)", _namespace),
    ("DELETE", "/groups/([^/]+)", _remove_group),
    ("POST", "/projects", _make_project),
)
