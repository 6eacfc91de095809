"""The REST calls that Headgate makes, with who may make them. Paths and fields are those of GitLab's API pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from support.gitlab import mergeside, restadmin, restfiles, restpipelines, restsettings
from support.gitlab.entities import branch, commit, deployment, environment, member, person, profile, project, status
from support.gitlab.gitside import Update, Who, git, git_once, refs
from support.gitlab.modelled import NotModelledError
from support.gitlab.state import DEVELOPER, MAINTAINER, OWNER, REPORTER, Project, User, now, number
from support.gitlab.web import Answer, Request

if TYPE_CHECKING:
    from support.gitlab.double import Double


@dataclass(frozen=True)
class Call:
    """One call: who asks for what. ``parts`` are the variable parts of the path."""

    double: Double
    request: Request
    who: Who
    project: Project
    parts: tuple[str, ...]


Handler = Callable[[Call], Answer]


@dataclass(frozen=True)
class Route:
    """A call below ``/api/v4``: the level that it needs in the project, and whether a job token may make it.

    That is a permission's name where the project can withhold it from jobs of others. ``since`` is GitLab's version.
    """

    method: str
    path: str
    handler: Handler
    level: int = REPORTER
    job_token: bool | str = False
    since: tuple[int, ...] = ()


NOT_FOUND = Answer(404, {"message": "404 Not found"})


def answer(double: Double, request: Request) -> Answer:
    """Answer an API request: 401 without a token, 404 for what is hidden, 403 for what is not allowed."""
    path = request.path.removeprefix("/api/v4")
    who = double.who(request)
    if path.endswith("/trigger/pipeline"):  # has its own token
        return restpipelines.trigger(double, request, who, double.find_project(path.split("/")[2]))
    if who.user is None:
        return Answer(401, {"message": "401 Unauthorized"})
    return (
        restadmin.answer(double, request, who, path)
        or _outside(double, request, who, path)
        or _in_project(double, request, who, path)
    )


def _outside(double: Double, request: Request, who: Who, path: str) -> Answer | None:
    """Answer what concerns no project."""
    assert who.user is not None
    if path == "/job":
        return Answer(200, restpipelines.job_entity(double, who.job)) if who.job else NOT_FOUND
    if path == "/user":
        return _own_user(double, who)
    if path == "/users":
        return _paged(
            double, request, [person(double, one) for one in double.users if one.name == request.query.get("username")]
        )
    if match := re.fullmatch(r"/users/([0-9]+)", path):
        found = next((one for one in double.users if str(one.id) == match[1]), None)
        return Answer(200, profile(double, found)) if found and request.method == "GET" else NOT_FOUND
    if path == "/version":
        return Answer(200, {"version": double.version, "revision": "0000000"})
    return None


def _own_user(double: Double, who: Who) -> Answer:
    """Answer whose a token is, where its scope reaches: doc/user/profile/personal_access_tokens.md."""
    assert who.user is not None
    if who.job is not None:
        return Answer(401, {"message": "401 Unauthorized"})
    if who.token is not None and not {"api", "read_api", "read_user"} & set(who.token.scopes):
        return Answer(403, {"error": "insufficient_scope"})
    return Answer(200, person(double, who.user))


def _in_project(double: Double, request: Request, who: Who, path: str) -> Answer:
    assert who.user is not None
    for route in ROUTES:
        match = re.fullmatch(route.path, path)
        if route.method != request.method or match is None:
            continue
        if not double.is_newer_than(*route.since):
            return NOT_FOUND
        found = double.find_project(match[1])
        if found is None or not found.is_read_by(who.user):
            return Answer(404, {"message": "404 Project Not Found"})
        refusal = _refusal(double, request, who, route, found)
        if refusal is not None:
            return refusal
        return route.handler(Call(double, request, who, found, tuple(unquote(part) for part in match.groups()[1:])))
    raise NotModelledError(f"the double does not model {request.method} {path}")


def _refusal(double: Double, request: Request, who: Who, route: Route, project: Project) -> Answer | None:
    """Return the answer to a token that may not make a call where its user sees the project (facts, part 12)."""
    assert who.user is not None
    if who.job is not None and not route.job_token:
        return Answer(401, {"message": "401 Unauthorized"})
    if who.job is not None and (why := double.job_refusal(who.job, project, str(route.job_token))):
        return Answer(403, {"message": why})
    if who.token is not None and not _has_scope(who.token.scopes, request.method):
        return Answer(403, {"error": "insufficient_scope"})
    if route.level <= REPORTER and project.is_read_by(who.user):
        return None
    return Answer(403, {"message": "403 Forbidden"}) if project.level(who.user) < route.level else None


def _has_scope(scopes: tuple[str, ...], method: str) -> bool:
    return "api" in scopes or (method in ("GET", "HEAD") and "read_api" in scopes)


def _paged(double: Double, request: Request, entries: list[Any]) -> Answer:
    """Return one page: https://docs.gitlab.com/api/rest/#offset-based-pagination."""
    page, size = int(request.query.get("page", 1)), min(int(request.query.get("per_page", 20)), 100)
    rest = entries[(page - 1) * size :]
    headers = {"X-Page": str(page), "X-Per-Page": str(size), "X-Next-Page": str(page + 1) if len(rest) > size else ""}
    if len(rest) > size:
        query = "&".join(
            [*(one for one in request.query_text.split("&") if one and not one.startswith("page=")), f"page={page + 1}"]
        )
        headers["Link"] = f'<{double.url}{request.path}?{query}>; rel="next"'
    return Answer(200, rest[:size], headers)


def paged(call: Call, entries: list[Any]) -> Answer:
    """Return one page of a list."""
    return _paged(call.double, call.request, entries)


# --- repository


def _branches(call: Call) -> Answer:
    """List branches; what GitLab caches for 30 seconds is fresh here (facts, part 12)."""
    wanted = str(call.request.query.get("search", ""))
    names = [ref.removeprefix("refs/heads/") for ref in refs(call.project) if ref.startswith("refs/heads/")]
    if wanted.startswith("^"):
        names = [name for name in names if name.startswith(wanted[1:].removesuffix("$"))]
    if wanted.endswith("$"):
        names = [name for name in names if name.endswith(wanted.lstrip("^")[:-1])]
    return paged(call, [branch(call.double, call.project, name) for name in names])


def _branch(call: Call) -> Answer:
    if f"refs/heads/{call.parts[0]}" not in refs(call.project):
        return Answer(404, {"message": "404 Branch Not Found"})
    return Answer(200, branch(call.double, call.project, call.parts[0]))


def _tag(call: Call) -> Answer:
    found = refs(call.project).get(f"refs/tags/{call.parts[0]}")
    if found is None:
        return Answer(404, {"message": "404 Tag Not Found"})
    is_protected = bool(call.double.tag_protection(call.project, call.parts[0]))
    told = {"name": call.parts[0], "target": found, "message": "", "protected": is_protected, "release": None}
    return Answer(200, {**told, "commit": commit(call.double, call.project, found)})


def _commit(call: Call) -> Answer:
    found = git(call.project, "rev-parse", "--verify", "--quiet", f"{call.parts[0]}^{{commit}}", check=False)
    return (
        Answer(200, commit(call.double, call.project, found))
        if found
        else Answer(404, {"message": "404 Commit Not Found"})
    )


def _commit_requests(call: Call) -> Answer:
    """Return the merge requests that brought a commit: by its branch, or as the merge commit."""
    sha = call.parts[0]
    found = [
        one
        for one in call.project.merge_requests
        if sha in (one.merge_commit, one.sha)
        or (
            one.sha
            and sha in git(call.project, "rev-list", one.sha, f"^{one.checked or one.target}", check=False).split()
        )
    ]
    return paged(call, [mergeside.listed(call.double, one) for one in found])


def _statuses(call: Call) -> Answer:
    found = [one for one in call.project.statuses if one["sha"] == call.parts[0]]
    wanted = call.request.query.get("name")
    return paged(call, [status(call.double, one) for one in reversed(found) if wanted in (None, one["name"])])


def _set_status(call: Call) -> Answer:
    """Set the status of a commit (facts, parts 4 and 12)."""
    body, sha = call.request.json(), call.parts[0]
    if not git_once(call.project, "rev-parse", "--verify", "--quiet", f"{sha}^{{commit}}", check=False):
        return Answer(404, {"message": "404 Commit Not Found"})
    if len(body.get("description") or "") > 255:
        return Answer(400, {"message": {"description": ["is too long (maximum is 255 characters)"]}})
    name = body.get("name") or body.get("context") or "default"
    pipeline = _pipeline_of_status(call, sha, body)
    if pipeline is None:
        return Answer(404, {"message": "404 Pipeline Not Found"})
    if not _may_update_pipeline(call, pipeline, body.get("ref") or ""):
        return Answer(403, {"message": "403 Forbidden"})
    before = [
        one for one in call.project.statuses if (one["sha"], one["name"], one["pipeline_id"]) == (sha, name, pipeline)
    ]
    if before and (before[-1]["status"], body["state"]) in (("pending", "pending"), ("running", "pending")):
        # app/services/ci/create_commit_status_service.rb changes an unfinished one, by the events of its state machine
        return Answer(400, {"message": f"Cannot transition status via :enqueue from :{before[-1]['status']}"})
    made = {
        "id": number(),
        "sha": sha,
        "name": name,
        "status": body["state"],
        "author": call.who.user,
        "created_at": now(),
    }
    made |= {key: body.get(key) for key in ("ref", "target_url", "description")} | {"pipeline_id": pipeline}
    call.project.statuses.append(made)
    return Answer(201, status(call.double, made))


def _may_update_pipeline(call: Call, pipeline: int, ref: str) -> bool:
    """Whether somebody may change a pipeline: of a protected ref only who may update that (facts, part 12)."""
    found = next((one for one in call.project.pipelines if one.id == pipeline), None)
    is_tag = found.is_tag if found else f"refs/heads/{ref}" not in refs(call.project)
    protection = None if is_tag else call.project.protection(ref)
    needed = call.double.tag_protection(call.project, ref) if is_tag else 0
    if protection:
        needed = min(filter(None, (protection.push, protection.merge)), default=OWNER + 1)
    return call.who.user is not None and call.project.level(call.who.user) >= needed


def _pipeline_of_status(call: Call, sha: str, body: dict[str, Any]) -> int | None:
    """Return the pipeline that a status lands in: the newest of its commit and ref, else a new one (facts, part 12)."""
    ref = body.get("ref")
    fits = [one for one in call.project.pipelines if one.sha == sha and ref in (None, one.ref)]
    if body.get("pipeline_id") is not None:
        return next((one.id for one in fits if one.id == body["pipeline_id"]), None)
    known = [*(one.id for one in fits), *(one["pipeline_id"] for one in call.project.statuses if one["sha"] == sha)]
    return max(known, default=0) or number()


# --- deployments and environments (facts, parts 4 and 12)


def _deployments(call: Call) -> Answer:
    wanted, state = call.request.query.get("environment"), call.request.query.get("status")
    found = [
        one
        for one in call.project.deployments
        if wanted in (None, one["environment"]) and state in (None, one["status"])
    ]
    if call.request.query.get("sort") == "desc":
        found.reverse()
    return paged(call, [deployment(call.double, call.project, one) for one in found])


def _deploy(call: Call) -> Answer:
    body = call.request.json()
    if not any(one["name"] == body["environment"] for one in call.project.environments):
        call.project.environments.append(
            {"id": number(), "name": body["environment"], "external_url": None, "tier": None}
        )
    made = {
        **body,
        "id": number(),
        "iid": len(call.project.deployments) + 1,
        "user": call.who.user,
        "created_at": now(),
    }
    call.project.deployments.append(made)
    return Answer(201, deployment(call.double, call.project, made))


def _change_deployment(call: Call) -> Answer:
    found = next((one for one in call.project.deployments if str(one["id"]) == call.parts[0]), None)
    if found is None:
        return NOT_FOUND
    found["status"] = call.request.json()["status"]
    return Answer(200, deployment(call.double, call.project, found))


def _environments(call: Call) -> Answer:
    wanted = call.request.query.get("name")
    return paged(call, [environment(one) for one in call.project.environments if wanted in (None, one["name"])])


_FACTS = ("tier", "kubernetes_namespace", "flux_resource_path", "cluster_agent_id")


def _wrong_facts(call: Call, body: dict[str, Any]) -> Answer | None:
    """Refuse an agent of another project, and a Flux path without namespace (facts, part 12)."""
    if body.get("cluster_agent_id") is not None and body["cluster_agent_id"] not in call.project.agents:
        return Answer(400, {"message": "cluster agent doesn't exist or is not authorized for this project"})
    if body.get("flux_resource_path") and not body.get("kubernetes_namespace"):
        return Answer(400, {"message": {"kubernetes_namespace": ["is required"]}})
    return None


def _change_environment(call: Call) -> Answer:
    found = next((one for one in call.project.environments if str(one["id"]) == call.parts[0]), None)
    if found is None:
        return NOT_FOUND
    body = call.request.json()
    wrong = _wrong_facts(call, {**found, **body})
    if wrong is None:
        found.update({key: body[key] for key in _FACTS if key in body})
    return wrong or Answer(200, environment(found))


def _make_environment(call: Call) -> Answer:
    body = call.request.json()
    if wrong := _wrong_facts(call, body):
        return wrong
    if any(one["name"] == body["name"] for one in call.project.environments):
        return Answer(400, {"message": {"name": ["has already been taken"]}})
    made = {"id": number(), "external_url": None, "tier": None, **body}
    call.project.environments.append(made)
    return Answer(201, environment(made))


# --- events


def push_event(one: Update, user: User, at_once: int) -> dict[str, Any]:
    """Return the event of a pushed ref; of more than three at once GitLab keeps no refs (push_event_activities_limit).

    https://docs.gitlab.com/api/events/
    """
    is_known = at_once <= 3
    name = one.ref.removeprefix("refs/heads/")
    push: dict[str, Any] = {
        "ref": name if is_known else None,
        "commit_to": one.new if is_known else None,
        "ref_type": "branch",
    }
    push |= {"commit_from": one.old, "action": "pushed", "ref_count": None if is_known else at_once}
    told = {"id": number(), "action_name": "pushed to", "author_id": user.id, "created_at": now()}
    return {**told, "push_data": push}


def _events(call: Call) -> Answer:
    return paged(call, list(reversed(call.project.events)))


# --- project, members, settings: a job token may not ask for members (facts, part 12)


def _project(call: Call) -> Answer:
    is_maintainer = call.who.user is not None and call.project.level(call.who.user) >= MAINTAINER
    return Answer(200, project(call.double, call.project, is_maintainer=is_maintainer))


def _members(call: Call) -> Answer:
    """List members, also those by a group above: doc/api/project_members.md#list-all-members-of-a-project."""
    found = [one for one in call.double.users if call.project.level(one)]
    return paged(call, [member(call.double, one, call.project.level(one)) for one in found])


def _member(call: Call) -> Answer:
    found = next((one for one in call.double.users if str(one.id) == call.parts[0]), None)
    if found is None or not call.project.level(found):
        return NOT_FOUND
    return Answer(200, member(call.double, found, call.project.level(found)))


def _protected(call: Call) -> Answer:
    return paged(
        call,
        [
            {
                "id": index + 1,
                "name": name,
                "allow_force_push": False,
                "code_owner_approval_required": False,
                "push_access_levels": [{"id": 1, "access_level": one.push, "access_level_description": "role"}],
                "merge_access_levels": [{"id": 2, "access_level": one.merge, "access_level_description": "role"}],
            }
            for index, (name, one) in enumerate(call.project.protected_branches.items())
        ],
    )


def _variables(call: Call) -> Answer:
    return paged(
        call,
        [
            {
                "variable_type": "env_var",
                "key": key,
                "value": None if one.hidden else one.value,
                "protected": one.protected,
                "masked": one.masked,
                "hidden": one.hidden,
                "raw": True,
                "environment_scope": "*",
                "description": None,
            }
            for key, one in call.project.variables.items()
        ],
    )


def _scope(call: Call) -> Answer:
    return Answer(200, {"inbound_enabled": call.project.is_allowlist_on, "outbound_enabled": False})


def _allowlist(call: Call) -> Answer:
    found = [one for one in call.double.projects if one.path in call.project.allowlist or one is call.project]
    return paged(
        call, [{"id": one.id, "path_with_namespace": one.path, "name": one.path.rsplit("/", 1)[1]} for one in found]
    )


def _no_groups(call: Call) -> Answer:
    """List the groups whose projects' jobs are let in: none, since groups are not modelled (facts, part 3)."""
    return paged(call, [])


_P = r"/projects/([^/]+)"
ROUTES: tuple[Route, ...] = (
    Route("GET", _P, _project),
    Route("GET", f"{_P}/events", _events),
    Route("GET", f"{_P}/members/all", _members),
    Route("GET", f"{_P}/members/all/([0-9]+)", _member),
    Route("GET", f"{_P}/protected_branches", _protected, MAINTAINER),
    Route("GET", f"{_P}/variables", _variables, MAINTAINER),
    Route("GET", f"{_P}/job_token_scope", _scope, MAINTAINER),
    Route("GET", f"{_P}/job_token_scope/allowlist", _allowlist, MAINTAINER),
    Route("GET", f"{_P}/job_token_scope/groups_allowlist", _no_groups, MAINTAINER),
    Route("GET", f"{_P}/repository/branches", _branches, job_token="read_repositories"),
    Route("GET", f"{_P}/repository/branches/([^/]+)", _branch),
    Route("GET", f"{_P}/repository/tags/([^/]+)", _tag, job_token="read_repositories"),
    Route("GET", f"{_P}/repository/commits/([^/]+)", _commit, job_token="read_repositories"),
    Route("GET", f"{_P}/repository/commits/([^/]+)/merge_requests", _commit_requests, job_token="read_repositories"),
    Route("GET", f"{_P}/repository/commits/([^/]+)/statuses", _statuses),
    Route("POST", f"{_P}/statuses/([^/]+)", _set_status, DEVELOPER),
    Route("GET", f"{_P}/deployments", _deployments, job_token=True),
    Route("POST", f"{_P}/deployments", _deploy, DEVELOPER, job_token=True),
    Route("PUT", f"{_P}/deployments/([0-9]+)", _change_deployment, DEVELOPER, job_token=True),
    Route("GET", f"{_P}/environments", _environments, job_token=True),
    Route("POST", f"{_P}/environments", _make_environment, DEVELOPER, job_token=True),
    Route("PUT", f"{_P}/environments/([0-9]+)", _change_environment, DEVELOPER, job_token=True),
    *(Route(method, _P + path, *rest) for method, path, *rest in restpipelines.ROUTES),
    *(Route(method, _P + path, handler, level, job) for method, path, handler, level, job in mergeside.ROUTES),
    *(Route(method, _P + path, handler, level, job) for method, path, handler, level, job in restfiles.ROUTES),
    *(Route(method, _P + path, handler, level, job) for method, path, handler, level, job in restsettings.ROUTES),
)
