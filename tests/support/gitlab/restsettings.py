"""Settings of a project in the API, as they are changed: https://docs.gitlab.com/api/projects/ and others."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from support.gitlab.entities import member, person, project
from support.gitlab.state import DEVELOPER, MAINTAINER, OWNER, Protection, Token, Variable, now, number
from support.gitlab.web import Answer

if TYPE_CHECKING:
    from support.gitlab.rest import Call

_SETTINGS = {
    "ci_config_path": "ci_config_path",
    "ci_push_repository_for_job_token_allowed": "job_token_push",
    "cross_project_push_for_job_token_allowed": "cross_project_push",
    "ci_pipeline_variables_minimum_override_role": "variables_role",
}
NOT_FOUND = Answer(404, {"message": "404 Not found"})


def _change(call: Call) -> Answer:
    body = call.request.json()
    unknown = set(body) - set(_SETTINGS)
    assert not unknown, f"the double does not know the settings {unknown}"
    if not body:
        return Answer(400, {"error": "at least one parameter must be provided"})
    for key, value in body.items():
        setattr(call.project, _SETTINGS[key], value)
    return Answer(200, project(call.double, call.project, is_maintainer=True))


def _remove(call: Call) -> Answer:
    """Mark a project, which gives it another path; it goes when that is asked for a second time.

    https://docs.gitlab.com/api/projects/#delete-a-project
    """
    found, query = call.project, call.request.query
    if query.get("permanently_remove") == "true":
        if not found.marked or query.get("full_path") != found.path:
            return Answer(400, {"message": "Project must be marked for deletion first."})
        call.double.remove_project(found)
        shutil.rmtree(found.folder)
    elif not found.marked:
        found.marked, found.path = True, f"{found.path}-deletion_scheduled-{found.id}"
    return Answer(202, {"message": "202 Accepted"})


def _add_member(call: Call) -> Answer:
    """Add somebody: https://docs.gitlab.com/api/project_members/#add-a-member-to-a-project."""
    body = call.request.json()
    found = next((one for one in call.double.users if one.id == int(body["user_id"])), None)
    if found is None:
        return NOT_FOUND
    if found.name.startswith("project_") and f"_{call.project.id}_" not in found.name:
        return Answer(400, {"message": {"user": ["project bots cannot be added to other groups / projects"]}})
    if found.id in call.project.members:
        return Answer(409, {"message": "Member already exists"})
    call.project.members[found.id] = int(body["access_level"])
    return Answer(201, member(call.double, found, call.project.level(found)))


def _protection(name: str, one: Protection) -> dict[str, Any]:
    told = {"id": 1, "name": name, "allow_force_push": False, "code_owner_approval_required": False}
    told |= {"push_access_levels": [{"id": 1, "access_level": one.push, "access_level_description": "role"}]}
    return told | {"merge_access_levels": [{"id": 2, "access_level": one.merge, "access_level_description": "role"}]}


def _protect(call: Call) -> Answer:
    """Protect a branch: https://docs.gitlab.com/api/protected_branches/#protect-repository-branches."""
    body = call.request.json()
    name = body["name"]
    if name in call.project.protected_branches:
        return Answer(409, {"message": f"Protected branch '{name}' already exists"})
    levels = (int(body.get(key, MAINTAINER)) for key in ("push_access_level", "merge_access_level"))
    call.project.protected_branches[name] = Protection(*levels)
    return Answer(201, _protection(name, call.project.protected_branches[name]))


def _unprotect(call: Call) -> Answer:
    if call.project.protected_branches.pop(call.parts[0], None) is None:
        return NOT_FOUND
    return Answer(204, raw=b"")


def _add_variable(call: Call) -> Answer:
    """Add a variable: https://docs.gitlab.com/api/project_level_variables/#create-a-variable."""
    body = call.request.json()
    if body["key"] in call.project.variables:
        return Answer(400, {"message": {"key": [f"({body['key']}) has already been taken"]}})
    masked = bool(body.get("masked") or body.get("masked_and_hidden"))
    if masked and not re.fullmatch(r"\S{8,}", body["value"]):  # doc/ci/variables/_index.md#mask-a-cicd-variable
        return Answer(400, {"message": {"value": ["is invalid"]}})
    made = Variable(body["value"], bool(body.get("protected")), masked, hidden=bool(body.get("masked_and_hidden")))
    call.project.variables[body["key"]] = made
    return Answer(201, _variable(body["key"], made))


def _variable(key: str, one: Variable) -> dict[str, Any]:
    told: dict[str, Any] = {"variable_type": "env_var", "key": key, "value": None if one.hidden else one.value}
    told |= {"protected": one.protected, "masked": one.masked, "hidden": one.hidden, "raw": True}
    return {**told, "environment_scope": "*", "description": None}


def _change_variable(call: Call) -> Answer:
    """Change a variable; what is hidden once stays so: doc/api/project_level_variables.md#update-a-variable."""
    body, found = call.request.json(), call.project.variables.get(call.parts[0])
    if found is None:
        return Answer(404, {"message": "404 Variable Not Found"})
    unknown = set(body) - {"value", "protected", "masked"}
    assert not unknown, f"the double does not know {unknown} of variables"
    for key, value in body.items():
        setattr(found, key, value)
    return Answer(200, _variable(call.parts[0], found))


def _allow(call: Call) -> Answer:
    """Let another project's jobs in: https://docs.gitlab.com/api/project_job_token_scopes/."""
    found = call.double.find_project(str(call.request.json()["target_project_id"]))
    if found is None:
        return Answer(404, {"message": "404 target_project_id not found"})
    call.project.allowlist.add(found.path)
    return Answer(201, {"id": found.id, "path_with_namespace": found.path, "name": found.path.rpartition("/")[2]})


def _limit(call: Call) -> Answer:
    """Let other projects' jobs in by the allowlist alone, or all: https://docs.gitlab.com/api/project_job_token_scopes/."""
    call.project.is_allowlist_on = bool(call.request.json()["enabled"])
    return Answer(204, raw=b"")


def _change_member(call: Call) -> Answer:
    """Change a role: https://docs.gitlab.com/api/project_members/#update-a-member-of-a-project."""
    found = next((one for one in call.double.users if str(one.id) == call.parts[0]), None)
    if found is None or found.id not in call.project.members:
        return NOT_FOUND
    call.project.members[found.id] = int(call.request.json()["access_level"])
    return Answer(200, member(call.double, found, call.project.level(found)))


def _make_access_token(call: Call) -> Answer:
    """Make a token with a bot of its own: https://docs.gitlab.com/api/project_access_tokens/.

    The bot is a member of this project and can be one of no other:
    https://docs.gitlab.com/user/project/settings/project_access_tokens/#bot-users-for-projects
    """
    body, asks = call.request.json(), call.who.user
    assert set(body) == {"name", "scopes", "access_level"}, f"the double does not know {body} of access tokens"
    assert asks is not None
    if body["access_level"] > call.project.level(asks):
        return Answer(400, {"message": "User does not have permission to create project access token"})
    bot = call.double.user(f"project_{call.project.id}_bot_{len(call.double.tokens)}")
    bot.is_bot = True
    call.project.members[bot.id] = int(body["access_level"])
    made = Token(bot, tuple(body["scopes"]))
    call.double.tokens.append(made)
    told = {"id": bot.id, "name": body["name"], "scopes": body["scopes"], "user_id": bot.id, "active": True}
    told |= {"revoked": False, "created_at": now(), "expires_at": "2027-11-01", "access_level": body["access_level"]}
    return Answer(201, {**told, "token": made.value})


def _schedules(call: Call) -> Answer:
    """List schedules: https://docs.gitlab.com/api/pipeline_schedules/."""
    return Answer(200, call.project.schedules)


def _add_schedule(call: Call) -> Answer:
    """Make a schedule, which runs as who makes it; that one may push or merge there."""
    body, project, user = call.request.json(), call.project, call.who.user
    assert user is not None
    protection = project.protection(body["ref"])
    levels = [level for level in (protection.push, protection.merge) if level] if protection else [DEVELOPER]
    if project.level(user) < min(levels, default=OWNER + 1):
        return Answer(403, {"message": "403 Forbidden"})
    made = {"id": number(), "description": body["description"], "ref": f"refs/heads/{body['ref']}"}
    made |= {"cron": body["cron"], "cron_timezone": "UTC", "active": body["active"], "owner": person(call.double, user)}
    project.schedules.append(made)
    return Answer(201, made)


def _make_trigger(call: Call) -> Answer:
    """Make a trigger token, which acts as who makes it: https://docs.gitlab.com/api/pipeline_triggers/."""
    assert call.who.user is not None
    value = call.double.trigger_token(call.project, call.who.user)
    (shown,) = [one for one in _triggers(call).content if one["token"] == value]
    return Answer(201, shown)


def _protected_tags(call: Call) -> Answer:
    """List protected tags: https://docs.gitlab.com/api/protected_tags/#list-protected-tags."""
    shown = [
        {"name": name, "create_access_levels": [{"id": 1, "access_level": level, "access_level_description": "role"}]}
        for name, level in call.project.protected_tags.items()
    ]
    return Answer(200, shown)


def _triggers(call: Call) -> Answer:
    """List trigger tokens, those of others cut off: https://docs.gitlab.com/api/pipeline_triggers/."""
    shown = []
    for index, (value, owner) in enumerate(call.project.trigger_tokens.items()):
        token = value if owner is call.who.user else value[:4]
        trigger = {"id": index + 1, "description": "headgate", "created_at": now(), "last_used": None, "token": token}
        shown.append({**trigger, "updated_at": now(), "owner": person(call.double, owner)})
    return Answer(200, shown)


def _approvals(call: Call) -> Answer:
    """Show what holds for approvals, with a licence: https://docs.gitlab.com/api/merge_request_approvals/."""
    resets = call.project.resets_approvals
    return NOT_FOUND if resets is None else Answer(200, {"reset_approvals_on_push": resets})


ROUTES: tuple[tuple[str, str, Callable[[Call], Answer], int, bool], ...] = (
    ("PUT", "", _change, MAINTAINER, False),
    ("DELETE", "", _remove, OWNER, False),
    ("GET", "/protected_tags", _protected_tags, MAINTAINER, False),
    ("GET", "/approvals", _approvals, DEVELOPER, False),
    ("GET", "/triggers", _triggers, MAINTAINER, False),
    ("POST", "/members", _add_member, MAINTAINER, False),
    ("POST", "/protected_branches", _protect, MAINTAINER, False),
    ("DELETE", "/protected_branches/([^/]+)", _unprotect, MAINTAINER, False),
    ("POST", "/variables", _add_variable, MAINTAINER, False),
    ("PUT", "/variables/([^/]+)", _change_variable, MAINTAINER, False),
    ("PUT", "/members/([0-9]+)", _change_member, MAINTAINER, False),
    ("POST", "/access_tokens", _make_access_token, MAINTAINER, False),
    ("GET", "/pipeline_schedules", _schedules, DEVELOPER, False),
    ("POST", "/pipeline_schedules", _add_schedule, DEVELOPER, False),
    ("POST", "/triggers", _make_trigger, MAINTAINER, False),
    ("PATCH", "/job_token_scope", _limit, MAINTAINER, False),
    ("POST", "/job_token_scope/allowlist", _allow, MAINTAINER, False),
)
