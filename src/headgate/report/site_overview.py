"""The first page of the site, and the same as JSON: apps by environments. Pure."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from headgate.bounded import counted
from headgate.model import ReleasedImage
from headgate.objects.images import canonical_repository
from headgate.releases.release import parts
from headgate.report.history import SHORT, version
from headgate.report.htmltext import escaped, link, option, page
from headgate.report.status import labels, states
from headgate.report.table import age, moment
from headgate.repository.gitlog import author_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headgate.model import ReleasedConfig
    from headgate.report.site_facts import SiteFacts
    from headgate.report.table import Cell
    from headgate.state.status import AppStatus

_MAX_STATE = 90
_HEALTH_STYLES = {"healthy": "green", "failed": "red", "unknown": "yellow"}


def overview(facts: SiteFacts) -> str:
    """Return the first page. Everything that others wrote is escaped."""
    every = [status for found in facts.apps.values() for status in found.values()]
    totals = Counter(label for status in every for label in labels(status))
    counts = ", ".join(f"{number} {label}" for label, number in totals.most_common()) or "all current"
    header = (
        "<header><h1>What runs where</h1>"
        f"<p>{counted(len(facts.apps), 'app')}, {counted(len(every), 'app-environment')}: {escaped(counts)}</p>"
        f"{as_of(facts)}</header>"
    )
    heads = "".join(f'<th scope="col">{escaped(name)}</th>' for name in facts.environments)
    rows = "\n".join(_row(facts, app, found) for app, found in facts.apps.items())
    table = f'<table><thead><tr><th scope="col">app</th>{heads}</tr></thead><tbody>\n{rows}\n</tbody></table>'
    body = f"{_notes(facts)}{''.join(_freezes(facts))}{table if facts.apps else '<p>No app is configured.</p>'}"
    choices = "".join(option(label, label) for label in sorted(totals))
    searched = "app, image, digest, commit, person"
    return page("site", title="What runs where", header=header, body=body, searched=searched, choices=choices)


def as_of(facts: SiteFacts) -> str:
    """Return the line that says how old a page is: it shows what was so then."""
    commit = link(facts.commit[:SHORT], facts.commit_url(facts.project, facts.commit))
    project = f" of {escaped(facts.project)}" if facts.project else ""
    return f'<p class="dim">As of {moment(facts.made)} UTC, commit <code>{commit}</code>{project}</p>'


def _notes(facts: SiteFacts) -> str:
    found = "".join(f"<li>{escaped(note)}</li>" for note in facts.notes)
    return f'<ul class="notes">{found}</ul>' if found else ""


def _freezes(facts: SiteFacts) -> Iterator[str]:
    """Yield once what holds for a whole environment."""
    for name in facts.environments:
        every = [found[name] for found in facts.apps.values() if name in found]
        freeze = next((status.freeze for status in every if status.freeze), None)
        closed = next((status.closed for status in every if status.closed), "")
        if freeze is not None:
            yield f'<p class="yellow">{escaped(f"{name} is frozen by {freeze.by}: {freeze.reason}")}</p>'
        if closed:
            yield f'<p class="yellow">{escaped(f"{name}: {closed}")}</p>'


def _row(facts: SiteFacts, app: str, found: Mapping[str, AppStatus]) -> str:
    marks = ",".join(dict.fromkeys(label for status in found.values() for label in labels(status)))
    head = f'<th scope="row"><a href="apps/{escaped(app)}/index.html">{escaped(app)}</a></th>'
    cells = "".join(f"<td>{_cell(facts, found[name]) if name in found else ''}</td>" for name in facts.environments)
    return (
        f'<tr data-find="{escaped(" ".join(_search_texts(found)))}" data-labels="{escaped(marks)}">{head}{cells}</tr>'
    )


def _search_texts(found: Mapping[str, AppStatus]) -> list[str]:
    """Return what finds an app beyond the texts in its row: images with digests, projects, commits, people."""
    texts: list[str] = []
    for status in found.values():
        for part in parts(status.release).values():
            texts += [part.project, part.commit, part.actor or ""]
        for image in status.release.images.values() if status.release else ():
            canonical = canonical_repository(image.repository)
            texts += [
                canonical if canonical != image.repository else "",
                f"{image.repository}:{image.tag}",
                image.digest,
            ]
    return list(dict.fromkeys(filter(None, texts)))


def _cell(facts: SiteFacts, status: AppStatus) -> str:
    commits = dict.fromkeys(part.commit[:8] for part in parts(status.release).values())
    facts_shown = [
        f"<u>{escaped(status.environment)}</u>",
        f"<b>{escaped(version(status.release))}</b>" if status.release else "",
        f"<i>{_age(facts, status)}</i>" if status.last_change else "",
        f"<code>{', '.join(commits)}</code>" if commits else "",
        f"<i>{escaped(people(status))}</i>",
        health_html(facts, status),
    ]
    listed = "".join(_state(facts, status, cell) for cell in states(status) if not _is_shown_elsewhere(status, cell[0]))
    return " ".join(filter(None, facts_shown)) + (f"<ul>{listed}</ul>" if listed else "")


def _is_shown_elsewhere(status: AppStatus, text: str) -> bool:
    """Whether a state is that of the whole environment, or of health that cannot be read: above the table is more."""
    is_frozen = status.freeze is not None and text.startswith("frozen by ")
    return is_frozen or text == status.closed or text.startswith("health is unknown")


def _age(facts: SiteFacts, status: AppStatus) -> str:
    return age(status.last_change.time, facts.made) if status.last_change else ""


def people(status: AppStatus) -> str:
    """Return who put into an environment what runs there: whom Headgate named, who handed it off, else the author."""
    if status.last_change is None:
        return ""
    handed_off = [part.actor for part in parts(status.release).values() if part.actor]
    named = dict.fromkeys((*status.last_change.actors, *handed_off))
    return ", ".join(named) or author_of(status.last_change.who)


def health_html(facts: SiteFacts, status: AppStatus) -> str:
    """Return an app's health and since when, in its colour; nothing where nothing says how it is."""
    if status.health is None:
        return ""
    since = f" {age(status.health.since, facts.made)}" if status.health.since else ""
    style = _HEALTH_STYLES.get(status.health.state, "cyan")
    words = "health unknown" if status.health.state == "unknown" else status.health.state
    return f'<span class="{style}">{words}{since}</span>'


def _state(facts: SiteFacts, status: AppStatus, cell: Cell) -> str:
    text, style = cell
    short = text if len(text) <= _MAX_STATE else f"{text[: _MAX_STATE - 1]}\u2026"
    return f'<li class="{style}">{escaped(short)}{request_html(facts, status, text)}</li>'


def request_html(facts: SiteFacts, status: AppStatus, text: str) -> str:
    """Return the link to the merge request of a proposal, after the text that says so."""
    if status.proposed is None or not text.startswith("proposed: "):
        return ""
    request = facts.requests.get(status.proposed.branch)
    return f" {link(request.name, request.url)}" if request else ""


def overview_to_json(facts: SiteFacts) -> str:
    """Return the same as JSON, without what is empty. Version 1; keys are only ever added."""
    apps = [
        {"app": app, "environments": {name: _facts(facts, status) for name, status in found.items()}}
        for app, found in facts.apps.items()
    ]
    data = {
        "version": 1,
        "made": facts.made.isoformat(timespec="seconds"),
        "commit": facts.commit,
        "project": facts.project or None,
        "environments": list(facts.environments),
        "notes": list(facts.notes),
        "apps": apps,
    }
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def _facts(facts: SiteFacts, status: AppStatus) -> dict[str, Any]:
    last, request = status.last_change, facts.requests.get(status.proposed.branch) if status.proposed else None
    found = {
        "state": status.state if status.state != "current" else "",
        "version": version(status.release),
        "parts": {name: _part(part) for name, part in parts(status.release).items()},
        "landed": last and {"commit": last.commit, "time": f"{last.time:%Y-%m-%dT%H:%M:%SZ}", "by": people(status)},
        "health": status.health.state if status.health else "",
        "labels": list(labels(status)),
        "states": [text for text, _ in states(status)],
        "proposed": status.proposed
        and {"branch": status.proposed.branch, **({"request": request.url} if request else {})},
    }
    return {key: value for key, value in found.items() if value}


def _part(part: ReleasedImage | ReleasedConfig) -> dict[str, str]:
    image = {"image": part.reference} if isinstance(part, ReleasedImage) else {}
    return {**image, "project": part.project, "commit": part.commit, **({"actor": part.actor} if part.actor else {})}
