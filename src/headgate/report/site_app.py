"""An app's page of the site, and the same as JSON. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from headgate.releases.release import CONFIG, parts
from headgate.report.changejson import report_to_json
from headgate.report.changereport import ChangeReport, action_counts
from headgate.report.history import SHORT, step_to_json, version
from headgate.report.html import to_html
from headgate.report.htmltext import escaped, link, page
from headgate.report.site_overview import as_of, health_html, people, request_html
from headgate.report.status import app_to_json, states
from headgate.report.table import moment
from headgate.repository.gitlog import author_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headgate.model import Release
    from headgate.report.history import HistoryEntry
    from headgate.report.site_facts import AppFacts, EnvironmentDifference, SiteFacts
    from headgate.state.status import AppStatus


def app_page(facts: SiteFacts, own: AppFacts) -> str:
    """Return an app's page. Everything that others wrote is escaped."""
    found = facts.apps.get(own.app, {})
    back = '<p><a href="../../index.html">What runs where</a></p>'
    header = f"<header>{back}<h1>{escaped(own.app)}</h1>{as_of(facts)}</header>"
    sections = [_environment(facts, status) for status in found.values()]
    compared = "".join(f"<li>{_comparison(comparison)}</li>" for comparison in own.comparisons)
    sections += [f"<h2>Between environments</h2><ul>{compared}</ul>"] if compared else []
    sections += [_history(facts, own, name, steps) for name, steps in own.history.items()]
    return page("site", title=escaped(own.app), header=header, body="\n".join(sections), searched="")


def _environment(facts: SiteFacts, status: AppStatus) -> str:
    rows = [
        ("version", escaped(version(status.release)) or "none yet"),
        *_parts(facts, status.release),
        ("landed", _landed(facts, status)),
        ("health", _health(facts, status)),
    ]
    listed = "".join(
        f'<li class="{style}">{escaped(text)}{request_html(facts, status, text)}</li>' for text, style in states(status)
    )
    rows += [("state", f"<ul>{listed}</ul>")] if listed else []
    cells = "".join(f'<tr><th scope="row">{escaped(name)}</th><td>{html}</td></tr>' for name, html in rows if html)
    return f"<h2>{escaped(status.environment)}</h2><table><tbody>{cells}</tbody></table>"


def _parts(facts: SiteFacts, release: Release | None) -> Iterator[tuple[str, str]]:
    for name, part in parts(release).items():
        image = release.images.get(name) if release and name != CONFIG else None
        commit = link(part.commit[:SHORT], facts.commit_url(part.project, part.commit))
        ref = part.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
        by = f", by {escaped(part.actor)}" if part.actor else ""
        shown = f"<code>{escaped(image.reference)}</code><br>" if image else ""
        yield name, f"{shown}{escaped(part.project)} <code>{commit}</code> ({escaped(ref)}){by}"


def _landed(facts: SiteFacts, status: AppStatus) -> str:
    last = status.last_change
    if last is None:
        return ""
    commit = link(last.commit[:SHORT], facts.commit_url(facts.project, last.commit))
    author = author_of(last.who)
    behind = people(status)
    who = author if behind == author else f"{author} for {behind}"
    return f"{moment(last.time)} UTC, <code>{commit}</code> by {escaped(who)}"


def _health(facts: SiteFacts, status: AppStatus) -> str:
    reason = f": {escaped(' '.join(status.health.reason.split()))}" if status.health and status.health.reason else ""
    return f"{health_html(facts, status)}{reason}"


def _comparison(comparison: EnvironmentDifference) -> str:
    names = f"{escaped(comparison.right)} and {escaped(comparison.left)}"
    if comparison.change is None:
        return f"{names} are equal"
    found = action_counts(comparison.change.objects) or "other versions, equal objects"
    return f'<a href="{escaped(comparison.file)}">{names} differ</a>: {escaped(found)}'


def comparison_page(app: str, comparison: EnvironmentDifference, url: str) -> str:
    """Return the page with the objects that differ, side by side."""
    return to_html(_report(app, comparison), url)


def _report(app: str, comparison: EnvironmentDifference) -> ChangeReport:
    title = f"{app}: {comparison.right} differs from {comparison.left}"
    return ChangeReport(changes=[comparison.change] if comparison.change else [], title=title)


def _history(facts: SiteFacts, own: AppFacts, environment: str, steps: Sequence[HistoryEntry]) -> str:
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("when (UTC)", "version", "commit", "who", ""))
    rows = "".join(_step(facts, entry) for entry in steps)
    end = f'<p class="dim">History before {escaped(own.cut[:SHORT])} was not read.</p>' if own.cut else ""
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
    return f"<h2>History in {escaped(environment)}</h2>{table}{end}"


def _step(facts: SiteFacts, entry: HistoryEntry) -> str:
    step = entry.step
    commit = link(step.commit[:SHORT], facts.commit_url(facts.project, step.commit))
    sources = [
        link(part.commit[:SHORT], facts.commit_url(part.project, part.commit))
        for part in {part.commit: part for part in parts(step.release).values()}.values()
    ]
    author = author_of(step.who)
    others = [actor for actor in entry.actors if actor != author]
    who = f"{author} for {', '.join(others)}" if others else author
    cells = (
        moment(step.time),
        f"<b>{escaped(version(step.release))}</b> <code>{', '.join(sources)}</code>",
        f"<code>{commit}</code>",
        escaped(who),
        escaped("; ".join(entry.notes)),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def app_json(facts: SiteFacts, own: AppFacts) -> str:
    """Return an app's page as JSON. Version 1; keys are only ever added."""
    found: Mapping[str, AppStatus] = facts.apps.get(own.app, {})
    data = {
        "version": 1,
        "app": own.app,
        "made": facts.made.isoformat(timespec="seconds"),
        "environments": [{**app_to_json(status), "request": _request_url(facts, status)} for status in found.values()],
        "cut": own.cut or None,
        "history": {name: [step_to_json(entry) for entry in steps] for name, steps in own.history.items()},
        "differences": [
            {
                "left": comparison.left,
                "right": comparison.right,
                "apps": report_to_json(_report(own.app, comparison))["apps"],
            }
            for comparison in own.comparisons
        ],
    }
    return json.dumps(data, indent=1, ensure_ascii=False)


def _request_url(facts: SiteFacts, status: AppStatus) -> str | None:
    request = facts.requests.get(status.proposed.branch) if status.proposed else None
    return request.url if request else None
