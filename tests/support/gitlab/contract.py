"""GitLab's own OpenAPI document as a judge: of each request that reaches the double, and of each answer it gives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from jsonschema import Draft202012Validator, FormatChecker, ValidationError

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
    "/api/v4/projects/{id}/members/{user_id}": "doc/api/project_members.md#update-a-member-of-a-project",
    "/api/v4/projects/{id}/access_tokens": "doc/api/project_access_tokens.md#create-a-project-access-token",
    "/api/v4/projects/{id}/pipeline_schedules": "doc/api/pipeline_schedules.md",
    "/api/v4/namespaces/{id}": "doc/api/namespaces.md#get-a-namespace",
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


def check_exchange(asked: Request, answer: Answer) -> list[str]:
    """Return how an exchange breaks GitLab's contract; nothing where the document is not here."""
    if not CONTRACT or not asked.path.startswith("/api/v4/"):
        return []
    return [f"{asked.method} {asked.path}: {what}" for what in _violations(asked, answer)]


def _violations(asked: Request, answer: Answer) -> Iterator[str]:
    template = _template(asked.path)
    if template is None:
        if answer.status < 300 and not any(_fits(asked.path, one) for one in UNDOCUMENTED):
            yield "GitLab's document has no such path"
        return
    operation = _document()["paths"][template].get(asked.method.lower())
    if operation is None:
        yield "GitLab's document has no such method"
        return
    if answer.status < 300:
        yield from _query_errors(asked, operation)
        if "requestBody" in operation:
            body = asked.body if "json" in asked.headers.get("content-type", "") else b"{}"
            yield from _errors(json.loads(body or b"{}"), template, asked.method, "requestBody")
        if answer.raw is None:
            yield from _errors(json.loads(answer.body), template, asked.method, "responses")


def _query_errors(asked: Request, operation: dict[str, Any]) -> Iterator[str]:
    """GitLab passes over parameters that it does not know; who sends one has misspelt it."""
    given = dict(parse_qsl(asked.query_text, keep_blank_values=True))
    declared = {one["name"]: one for one in operation.get("parameters", []) if one["in"] == "query"}
    known = {*declared, *_EVERYWHERE, *_MORE_QUERY.get(operation.get("operationId", ""), ())}
    for schema in _schemas(operation.get("requestBody", {})):
        named = _document()["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], {})
        known |= set(named.get("properties", {}))
    yield from (f"no parameter {name}" for name in sorted(given.keys() - known))
    yield from (f"{name} is missing" for name, one in declared.items() if one.get("required") and name not in given)
    for name in declared.keys() & given.keys():
        schema = declared[name]["schema"]
        errors = Draft202012Validator(schema, format_checker=_FORMATS).iter_errors(_cast(given[name], schema))
        yield from (f"{name}{_words(error)}" for error in errors)


def _cast(text: str, schema: dict[str, Any]) -> Any:
    """Return what the text of a parameter stands for; itself where it is nothing of its type."""
    if schema.get("type") == "integer":
        return int(text) if re.fullmatch(r"-?\d+", text) else text
    if schema.get("type") == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return text.split(",") if schema.get("type") == "array" else text


def _errors(value: Any, *place: str) -> Iterator[str]:
    return (_words(error) for judge in _judges(*place) for error in judge.iter_errors(value))


@cache
def _judges(template: str, method: str, part: str) -> list[Draft202012Validator]:
    """Return what judges a part of an operation: its requestBody, or its responses, where success has one shape."""
    components = {"components": _document()["components"]}
    found = _document()["paths"][template][method.lower()][part]
    return [
        Draft202012Validator({**schema, **components}, format_checker=_FORMATS)
        for schema in _schemas(found if part == "requestBody" else found["200"])
    ]


def _schemas(holder: dict[str, Any]) -> list[dict[str, Any]]:
    return [content["schema"] for content in holder.get("content", {}).values() if "schema" in content]


_FORMATS = FormatChecker(())


@_FORMATS.checks("date-time", raises=ValueError)
def _is_time(text: object) -> bool:
    return not isinstance(text, str) or ("T" in text and bool(datetime.fromisoformat(text)))


def _words(error: ValidationError) -> str:
    """Say what is wrong where, not that none of several shapes fits."""
    while error.context:
        error = max(error.context, key=lambda one: len(one.absolute_path))
    return f"{'.'.join(map(str, error.absolute_path))}: {error.message[:500]}"


@cache
def _template(path: str) -> str | None:
    """Return the document's path that a request's path fits; one whose last part is spelled out wins."""
    fitting = [template for template in _document()["paths"] if _fits(path, template)]
    return min(fitting, key=lambda template: "{" in template.rsplit("/", 1)[1], default=None)


def _fits(path: str, template: str) -> bool:
    parts, wanted = path.split("/"), template.split("/")
    return len(parts) == len(wanted) and all(
        part == want or want.startswith("{") for part, want in zip(parts, wanted, strict=True)
    )


@cache
def _document() -> dict[str, Any]:
    return mended(json.loads(DOCUMENT.read_text(encoding="utf-8")))


def mended(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document as it can be used: unknown fields are errors, nulls are fine."""
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
                operation["responses"] = _responses(operation["responses"])
    return document


def _responses(responses: dict[str, Any]) -> dict[str, Any]:
    """The document says 200 where GitLab answers 201 or 202, and shows a list as one entity."""
    success: dict[str, Any] = next((one for code, one in responses.items() if code in _SUCCESS), {})
    for schema in _schemas(success):
        if "$ref" in schema:
            one = {"$ref": schema.pop("$ref")}
            schema["anyOf"] = [one, {"type": "array", "items": one}]
    return {"200": success}


def _schema(schema: dict[str, Any], *, is_request: bool) -> dict[str, Any]:
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "array", "items": schema}, {"type": "null"}]}
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
    kind = made["type"]
    made["type"] = [kind, "null"]
    if "enum" in made:
        made["enum"] = [*made["enum"], None]
    if is_request and kind == "array":
        return {"anyOf": [made, {"type": "string"}]}  # doc/api/rest: a list of names may be text with commas
    return made
