"""Plain web pages of the double: projects, pipelines with their logs, merge requests that can be read and merged.

Whoever opens them acts as ``reader``. Nothing of a page needs a script.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from markdown_it import MarkdownIt

from support.gitlab import mergeside, pipelines
from support.gitlab.gitside import git
from support.gitlab.web import Answer, Request

if TYPE_CHECKING:
    from support.gitlab.double import Double
    from support.gitlab.state import MergeRequest, Pipeline, Project, User

_STYLE = """
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:72rem;margin:1.5rem auto;padding:0 1rem}
pre{overflow:auto;padding:.75rem;border:1px solid #8886;border-radius:.4rem;font-size:.85rem;line-height:1.35}
table{border-collapse:collapse}td,th{border:1px solid #8886;padding:.25rem .6rem;text-align:left;vertical-align:top}
nav,footer{opacity:.75}.success,.merged{color:#2a9d4a}.failed,.closed{color:#d33c3c}
.added{color:#2a9d4a}.removed{color:#d33c3c}
button,input,select{font:inherit;padding:.3rem .8rem}form p{margin:.4rem 0}label{display:inline-block;min-width:9rem}
"""
_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
_FORM = ("action", "app", "environment", "from", "to", "reason")


def answer_page(double: Double, request: Request, reader: User) -> Answer | None:
    """Answer a request for a page; None where it is none."""
    if request.path.startswith(("/api/", "/oauth/", "/jwt/")):
        return None
    for pattern, method, page in _PAGES:
        match = re.fullmatch(pattern, request.path)
        if match is None or request.method != method:
            continue
        if not match.groups():
            return _shown(double, "Projects", _projects(double))
        project = double.find_project(match[1])
        return page(double, project, match, request, reader) if project is not None else _not_found(double)
    return None


def _shown(double: Double, title: str, parts: Iterable[str], status: int = 200) -> Answer:
    text = (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{_text(title)}</title><style>{_STYLE}</style>"
        f"<nav><a href='{double.url}/'>all projects</a></nav><h1>{_text(title)}</h1>{''.join(parts)}"
        "<footer><p>A double of GitLab, for trying Headgate. It forgets everything when it ends.</p></footer>"
    )
    return Answer(status, headers={"Content-Type": "text/html; charset=utf-8"}, raw=text.encode())


def _not_found(double: Double) -> Answer:
    return _shown(double, "There is no such page", (), 404)


def _to(address: str) -> Answer:
    return Answer(303, headers={"Location": address, "Content-Type": "text/plain"}, raw=b"")


def _text(text: object) -> str:
    return html.escape(str(text))


def _link(address: str, text: object) -> str:
    return f"<a href='{_text(address)}'>{_text(text)}</a>"


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{_text(one)}" for one in titles)
    return f"<table><tr>{head}" + "".join("<tr>" + "".join(f"<td>{one}" for one in row) for row in rows) + "</table>"


def _state(state: str) -> str:
    return f"<span class='{_text(state)}'>{_text(state)}</span>"


def _projects(double: Double) -> Iterable[str]:
    rows = (
        (
            _link(f"{double.url}/{one.path}", one.path),
            str(len(double.open_requests(one))),
            _state(one.pipelines[-1].status) if one.pipelines else "",
        )
        for one in double.projects
    )
    yield _table(("project", "open merge requests", "last pipeline"), rows)


def _project(double: Double, found: Project, _match: re.Match[str], _request: Request, _reader: User) -> Answer:
    at = f"{double.url}/{found.path}"
    requests = (
        (_link(f"{at}/-/merge_requests/{one.iid}", f"!{one.iid}"), _text(one.title), _state(one.state))
        for one in reversed(found.merge_requests)
    )
    runs = (
        (_link(f"{at}/-/pipelines/{one.id}", f"#{one.id}"), _text(one.source), _text(one.ref), _state(one.status))
        for one in reversed(found.pipelines[-50:])
    )
    log = git(found, "log", "--max-count=30", "--format=%h%x09%an%x09%s", "main", check=False).split("\n")
    commits = (map(_text, line.split("\t", 2)) for line in log if line)
    parts = [
        f"<p><code>git clone {_text(at)}.git</code>",
        f"<p>{_link(f'{at}/-/pipelines/new', 'New pipeline')}",
        "<h2>Merge requests</h2>",
        _table(("", "title", "state"), requests),
        "<h2>Pipelines</h2>",
        _table(("", "source", "ref", "status"), runs),
        "<h2>Commits on main</h2>",
        _table(("commit", "author", "subject"), commits),
    ]
    return _shown(double, found.path, parts)


def _merge_request(double: Double, found: Project, match: re.Match[str], _request: Request, reader: User) -> Answer:
    one = _find_request(found, match[2])
    if one is None:
        return _not_found(double)
    base = git(found, "merge-base", f"refs/heads/{one.target}", one.sha, check=False) if one.sha else ""
    diff = git(found, "diff", base, one.sha) if base else ""
    notes = "".join(f"<hr><p><b>{_text(note.author.name)}</b>{_MARKDOWN.render(note.body)}" for note in one.notes)
    at = f"{double.url}/{found.path}/-/merge_requests/{one.iid}"
    buttons = (
        f"<form method=post action='{at}/merge'><button>Merge as {_text(reader.name)}</button></form>"
        f"<form method=post action='{at}/close'><button>Close</button></form>"
        if one.state == "opened"
        else ""
    )
    parts = [
        f"<p>{_state(one.state)}: {_text(one.source)} into {_text(one.target)}, by {_text(one.author.name)}",
        _MARKDOWN.render(one.description),
        buttons,
        notes,
        f"<h2>Changes</h2><pre>{_coloured(diff)}</pre>",
    ]
    return _shown(double, f"{one.title} (!{one.iid})", parts)


def _coloured(diff: str) -> str:
    names = {"+": "added", "-": "removed"}
    lines = (
        f"<span class={names[line[0]]}>{_text(line)}</span>" if line[:1] in names else _text(line)
        for line in diff.split("\n")
    )
    return "\n".join(lines)


def _find_request(found: Project, number: str) -> MergeRequest | None:
    return next((one for one in found.merge_requests if str(one.iid) == number), None)


def _merge(double: Double, found: Project, match: re.Match[str], _request: Request, reader: User) -> Answer:
    one = _find_request(found, match[2])
    if one is not None and one.state == "opened":
        with double.lock:
            mergeside.merge(double, one, reader)
    return _to(f"{double.url}/{found.path}/-/merge_requests/{match[2]}")


def _close(double: Double, found: Project, match: re.Match[str], _request: Request, reader: User) -> Answer:
    one = _find_request(found, match[2])
    if one is not None and one.state == "opened":
        one.state, one.closed_by = "closed", reader
    return _to(f"{double.url}/{found.path}/-/merge_requests/{match[2]}")


def _pipeline(double: Double, found: Project, match: re.Match[str], _request: Request, _reader: User) -> Answer:
    one: Pipeline | None = next((pipeline for pipeline in found.pipelines if str(pipeline.id) == match[2]), None)
    if one is None:
        return _not_found(double)
    parts = [f"<p>{_state(one.status)}: {_text(one.source)} on {_text(one.ref)}, by {_text(one.user.name)}"]
    parts += [f"<pre>{_text(error)}</pre>" for error in one.errors]
    for job in one.jobs:
        below = job.downstream
        more = (
            _link(f"{double.url}/{below.project.path}/-/pipelines/{below.id}", "downstream pipeline") if below else ""
        )
        parts.append(f"<h2>{_text(job.name)}</h2><p>{_state(job.status)} {more}<pre>{_text(job.log)}</pre>")
    return _shown(double, f"Pipeline #{one.id} of {found.path}", parts)


def _form(double: Double, found: Project, _match: re.Match[str], _request: Request, reader: User) -> Answer:
    fields = "".join(f"<p><label>{_text(name)}</label><input name='{name}'>" for name in _FORM)
    told = f"<p>Runs as {_text(reader.name)}. Actions: promote, roll-back, pin, unpin, freeze, thaw, remove, rehydrate."
    return _shown(
        double, f"New pipeline of {found.path}", [told, f"<form method=post>{fields}<p><button>Run</button></form>"]
    )


def _run(double: Double, found: Project, _match: re.Match[str], request: Request, reader: User) -> Answer:
    inputs = {name: value for name, value in parse_qsl(request.body.decode()) if name in _FORM and value}
    with double.lock:
        made = pipelines.make(double, found, found.default_branch, "web", reader, inputs=inputs, variables={})
    return _to(f"{double.url}/{found.path}/-/pipelines/{made.id}")


_Page = Callable[["Double", "Project", "re.Match[str]", Request, "User"], Answer]
_AT = r"/([A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+)"
_PAGES: tuple[tuple[str, str, _Page], ...] = (
    (r"/", "GET", _project),
    (_AT + r"/-/merge_requests/([0-9]+)", "GET", _merge_request),
    (_AT + r"/-/merge_requests/([0-9]+)/merge", "POST", _merge),
    (_AT + r"/-/merge_requests/([0-9]+)/close", "POST", _close),
    (_AT + r"/-/pipelines/new", "GET", _form),
    (_AT + r"/-/pipelines/new", "POST", _run),
    (_AT + r"/-/pipelines/([0-9]+)", "GET", _pipeline),
    (_AT, "GET", _project),
)
