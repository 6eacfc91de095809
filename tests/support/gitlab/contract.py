"""GitLab's own OpenAPI document as a judge: of each request that reaches the double, and of each answer it gives."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.templating.paths.exceptions import PathNotFound
from werkzeug.datastructures import Headers, ImmutableMultiDict

from support.gitlab.web import Answer, Request

DOCUMENT = Path(__file__).resolve().parents[4] / "shared" / "contracts" / "gitlab-api.openapi.json"
CONTRACT = DOCUMENT.is_file()
"""Whether the document is here. Without it, requests and answers are not compared with anything."""

# What the document lacks, with GitLab's page for each; requests to these are not compared.
UNDOCUMENTED = {
    "/api/v4/projects/{id}/repository/tags": "doc/api/tags.md#list-project-repository-tags",
    "/api/v4/projects/{id}/repository/tags/{tag_name}": "doc/api/tags.md#get-a-single-repository-tag",
    "/api/v4/projects/{id}/merge_requests/{merge_request_iid}/cancel_merge_when_pipeline_succeeds": (
        "doc/api/merge_requests.md#cancel-merge-when-pipeline-succeeds"
    ),
    "/api/v4/projects/{id}/jobs/{job_id}/cancel": "doc/api/jobs.md#cancel-a-job",
    "/api/v4/projects/{id}/pipelines/{pipeline_id}/trigger_jobs": "doc/api/jobs.md (19.2)",
    "/api/v4/projects/{id}/protected_tags": "doc/api/protected_tags.md#list-protected-tags",
    "/api/v4/projects/{id}/approvals": "doc/api/merge_request_approvals.md",
    "/api/v4/projects/{id}/merge_requests/{merge_request_iid}/approve": "doc/api/merge_request_approvals.md",
    "/api/v4/projects/{id}/merge_requests/{merge_request_iid}/unapprove": "doc/api/merge_request_approvals.md",
    "/api/v4/projects/{id}/merge_requests/{merge_request_iid}/versions": (
        "doc/api/merge_requests.md#get-merge-request-diff-versions"
    ),
    "/api/v4/projects/{id}/events": "doc/api/events.md#list-a-projects-visible-events",
    "/api/v4/users": "doc/api/users.md#list-users",
    "/api/v4/user": "doc/api/users.md#list-current-user",
    "/api/v4/users/{id}": "doc/api/users.md#delete-a-user",
    "/api/v4/users/{id}/personal_access_tokens": "doc/api/user_tokens.md#create-a-personal-access-token-for-a-user",
    "/api/v4/groups": "doc/api/groups.md#create-a-group",
    "/api/v4/groups/{id}": "doc/api/groups.md#delete-a-group",
    "/api/v4/projects": "doc/api/projects.md#create-a-project",
    "/api/v4/projects/{id}/members": "doc/api/project_members.md#add-a-member-to-a-project",
}
# Fields and parameters that are newer than the document (GitLab 18.3), or that its converter lost.
_NEWER = {
    "API_Entities_Project": {"cross_project_push_for_job_token_allowed": {"type": "boolean"}},
    "API_Entities_ProjectWithAccess": {
        "cross_project_push_for_job_token_allowed": {"type": "boolean"},
        "ci_skip_branch_pipelines_for_mrs": {"type": "boolean"},  # 19.2, doc/api/projects.md
        "reviewer_assignment_strategy": {"type": "string"},  # 19.1, doc/api/projects.md
    },
    "API_Entities_Approvals": {"approved_at": {"type": "string", "format": "date-time"}},  # gitlab!204605, 2025
    "putApiV4ProjectsId": {"cross_project_push_for_job_token_allowed": {"type": "boolean"}},
    "postApiV4ProjectsId_refRef_triggerPipeline": {"ref": {"type": "string"}},
}
# doc/api/projects.md#delete-a-project has these, the document has not
_MORE_QUERY = {"deleteApiV4ProjectsId": {"permanently_remove", "full_path"}}
_EVERYWHERE = {"page", "per_page", "private_token", "job_token"}  # doc/api/rest/_index.md
_TYPES = ("string", "integer", "number", "boolean", "array", "object")
_SUCCESS = ("200", "201", "202", "204")


@dataclass(frozen=True)
class Violation:
    """Where a request or an answer is not as GitLab's document says."""

    where: str
    what: str


def check_exchange(asked: Request, answer: Answer) -> list[str]:
    """Return how an exchange breaks GitLab's contract; nothing where the document is not here."""
    if not CONTRACT or not asked.path.startswith("/api/v4/"):
        return []
    return [f"{one.where}: {one.what}" for one in _violations(asked, answer)]


def _violations(asked: Request, answer: Answer) -> list[Violation]:
    request = _request(asked)
    judge = _judge()
    where = f"{asked.method} {asked.path}"
    found = [*judge.iter_request_errors(request)] if answer.status < 300 else []
    if any(isinstance(error, PathNotFound) for error in found):
        return [] if _is_undocumented(asked.path) else [Violation(where, "GitLab's document has no such path")]
    if answer.raw is None:
        told = SimpleNamespace(
            data=answer.body, status_code=answer.status, content_type="application/json", headers=Headers()
        )
        found += [error for error in judge.iter_response_errors(request, told) if not isinstance(error, PathNotFound)]
    return [Violation(where, _words(error)) for error in found] + _unknown_query(asked, where)


def _words(error: BaseException) -> str:
    causes = getattr(error.__cause__, "schema_errors", None) or []
    told = [f"{'.'.join(map(str, cause.path))}: {_deepest(cause)}" for cause in causes]
    return "; ".join(told) or f"{error!r} {error}"


def _deepest(error: Any) -> str:
    """Return what is wrong, not that none of several shapes fits."""
    inner = [one for one in error.context or [] if "None" not in one.message[:5]]
    return _deepest(inner[0]) if inner else str(error.message)[:500]


def _is_undocumented(path: str) -> bool:
    parts = path.split("/")
    return any(
        len(parts) == len(wanted := template.split("/"))
        and all(part == want or want.startswith("{") for part, want in zip(parts, wanted, strict=True))
        for template in UNDOCUMENTED
    )


def _request(asked: Request) -> Any:
    query = parse_qsl(asked.query_text, keep_blank_values=True)
    parameters = RequestParameters(query=ImmutableMultiDict(query), header=Headers(list(asked.headers.items())))
    is_json = "json" in asked.headers.get("content-type", "")
    return SimpleNamespace(
        host_url="",
        path=asked.path,
        method=asked.method.lower(),
        parameters=parameters,
        content_type="application/json",
        body=asked.body if is_json else b"{}",
    )


def _unknown_query(asked: Request, where: str) -> list[Violation]:
    """GitLab passes over parameters that it does not know; who sends one has misspelt it."""
    operation = _operation(asked)
    if operation is None:
        return []
    known = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"} | _EVERYWHERE
    known |= _MORE_QUERY.get(operation.get("operationId"), set())
    for content in operation.get("requestBody", {}).get("content", {}).values():
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        known |= set(_document()["components"]["schemas"].get(name, {}).get("properties", {}))
    given = {name for name, _ in parse_qsl(asked.query_text, keep_blank_values=True)}
    return [Violation(where, f"no parameter {name}") for name in sorted(given - known)]


def _operation(asked: Request) -> Any:
    found = None
    parts = asked.path.split("/")
    for template, item in _document()["paths"].items():
        wanted = template.split("/")
        if len(parts) == len(wanted) and all(
            part == want or want.startswith("{") for part, want in zip(parts, wanted, strict=True)
        ):
            found = item if found is None or "{" not in template.rsplit("/", 1)[1] else found
    return found.get(asked.method.lower()) if found else None


@cache
def _document() -> dict[str, Any]:
    return mended(json.loads(DOCUMENT.read_text(encoding="utf-8")))


@cache
def _judge() -> OpenAPI:
    # The document itself does not pass OpenAPI's own schema (`type: text`), so that is not asked for.
    return OpenAPI.from_dict(_document(), config=Config(spec_validator_cls=None))  # type: ignore[arg-type]


def mended(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document as it can be used: unknown fields are errors, nulls are fine, statuses are put right."""
    schemas = document["components"]["schemas"]
    requests = {name for name in schemas if name.startswith(("post", "put", "patch"))}
    for name, more in _NEWER.items():
        schemas[name]["properties"].update(more)
    document["components"]["schemas"] = {
        name: _schema(one, is_request=name in requests) for name, one in schemas.items()
    }
    for item in document["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict):
                for parameter in operation.get("parameters", []):
                    if parameter["in"] == "path":  # a branch's name is `integer` in the document
                        parameter["schema"] = {"type": "string"}
                operation["responses"] = _responses(operation["responses"])
    return document


def _responses(responses: dict[str, Any]) -> dict[str, Any]:
    """The document says 200 where GitLab answers 201 or 202, and shows a list as one entity."""
    first = next((one for code, one in responses.items() if code in _SUCCESS), {"description": "success"})
    success: dict[str, Any] = deepcopy(first)
    for content in success.get("content", {}).values():
        one = content.get("schema", {})
        if "$ref" in one:
            content["schema"] = {"anyOf": [one, {"type": "array", "items": one}]}
    return {**dict.fromkeys(_SUCCESS, success), "default": {"description": "refused"}}


def _schema(schema: dict[str, Any], *, is_request: bool) -> dict[str, Any]:
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "array", "items": schema}, {"enum": [None], "nullable": True}]}
    made = {key: value for key, value in schema.items() if key not in ("example", "default")}
    if made.get("properties"):
        made["properties"] = {name: _schema(one, is_request=is_request) for name, one in made["properties"].items()}
        made["additionalProperties"] = False
    if "items" in made:
        made["items"] = _schema(made["items"], is_request=is_request)
    # Where GitLab declares no type, its generator writes string; nothing says which fields can be null.
    is_untyped = made.get("type") == "string" and not is_request and not {"enum", "format"} & set(made)
    if made.get("type") not in _TYPES or is_untyped:
        made.pop("type", None)
        return made
    made["nullable"] = True
    if "enum" in made:
        made["enum"] = [*made["enum"], None]
    if is_request and made["type"] == "array":
        return {"anyOf": [made, {"type": "string"}]}  # doc/api/rest: a list of names may be text with commas
    return made
