"""A change as one HTML page that needs nothing else: side by side, readable without its script. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from headgate.objects.canonical import to_text
from headgate.report.changereport import (
    action_counts,
    consequences,
    counts,
    effect_facts,
    finding_groups,
    object_name,
    object_title,
    risk_facts,
)
from headgate.report.grouping import group_alike
from headgate.report.history import SHORT
from headgate.report.htmltext import escaped as _text
from headgate.report.htmltext import link as _link
from headgate.report.htmltext import option, page
from headgate.report.sidebyside import side_by_side
from headgate.report.versions import part_name, version_steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.report.appchange import AppChange, ObjectEffect
    from headgate.report.changereport import ChangeReport, Fact
    from headgate.report.grouping import ChangeGroup
    from headgate.report.sidebyside import Row
    from headgate.report.versions import VersionStep

MAX_BYTES = 8_000_000
"""Of the sections with YAML; what does not fit is named. Browsers show that much without trouble."""
_MAX_NAMES = 12
_MAX_OPEN = 10
_CHOICES = {"serious": "what needs a look"} | {word: word for word in ("added", "changed", "removed", "restarts")}
_BUTTONS = '<button type="button" id="open">open all</button><button type="button" id="close">close all</button>'
_CLASSES = {"nothing": "calm", "routine": "good", "look at this": "look", "will fail": "bad"}


def to_html(report: ChangeReport, url: str) -> str:
    """Return the page. ``url`` is GitLab's address, for links to the apps' commits.

    Everything that others wrote is escaped, and the page's policy lets nothing but its own style and script run. What
    Secrets and encrypted objects hold is not in it.
    """
    body = [
        _header(report),
        _part("Versions", _versions(report, url)),
        _part("Findings", _findings(report)),
        _part("Look at this", map(_fact, risk_facts(report.changes))),
        _part("What it does", map(_fact, effect_facts(report.changes))),
        f'<h2>Objects</h2><p class="counts">{_text(counts(report.changes))}</p>',
        *_sections(report.changes),
    ]
    return page(
        "page",
        title="What changes in the final YAML",
        body="\n".join(filter(None, body)),
        searched="app, object, text",
        choices="".join(option(value, text) for value, text in _CHOICES.items()),
        buttons=_BUTTONS,
    )


def _header(report: ChangeReport) -> str:
    if report.title:
        return f"<header><h1>{_text(report.title)}</h1></header>"
    verdict = report.verdict
    title = f'<header class="{_CLASSES[verdict.word]}"><h1>{_text(verdict.word.capitalize())}</h1>'
    return f"{title}<p>{_text(', '.join(verdict.reasons))}</p>{_request(report)}</header>"


def _request(report: ChangeReport) -> str:
    requested = f"Requested by {report.requested_by}." if report.requested_by else ""
    text = " ".join(filter(None, [requested, report.consequence]))
    return f"<p>{_text(text)}</p>" if text else ""


def _part(title: str, items: Iterator[str] | Sequence[str]) -> str:
    found = "".join(f"<li>{item}</li>" for item in items)
    return f"<h2>{_text(title)}</h2><ul>{found}</ul>" if found else ""


def _versions(report: ChangeReport, url: str) -> Iterator[str]:
    for change in report.changes:
        for step in version_steps(change):
            yield f"{_where(change)}{_version(step, url)}{_titles(step, report)}"
        if change.upgrade:
            yield f"{_where(change)}rendered with <code>{_text(change.upgrade)}</code>"


def _where(change: AppChange) -> str:
    return f"<b>{_text(change.app)}</b> in {_text(change.environment)}: "


def _version(step: VersionStep, url: str) -> str:
    kind, name = part_name(step.part)
    came = " \u2192 ".join(f"<code>{_text(version)}</code>" for version in (step.old, step.new) if version)
    note = f" ({_text(step.note)})" if step.note else "" if step.new else " is removed"
    if not step.project:
        return f"{_text(kind)} {_text(name)} {came}{note}"
    project = f"{url}/{step.project}/-"
    source = _link(f"{step.project}@{step.commit[:SHORT]}", f"{project}/commit/{step.commit}")
    compare = f"{project}/compare/{step.old_commit}...{step.commit}"
    compared = f" ({_link('compare', compare)})" if step.is_comparable else ""
    return f"{_text(kind)} {_text(name)} {came}{note} from {source}{compared}"


def _titles(step: VersionStep, report: ChangeReport) -> str:
    titles = report.titles.get(step.source_step, ())
    return f"<ul>{''.join(f'<li>{_text(title)}</li>' for title in titles)}</ul>" if titles else ""


def _findings(report: ChangeReport) -> Iterator[str]:
    for group in finding_groups(report.findings):
        kind = "error" if group.is_error else "warning"
        count = f"{len(group.owners)} app-environments: " if len(group.owners) > 1 else ""
        where = f"{count}{_few([f'{app} in {environment}' for app, environment in group.owners])}"
        text = f'<span class="lines">{_text(group.text)}</span>'
        yield f'<span class="tag {kind}">{kind}</span> {_text(where)}: {text}'


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return f"{', '.join(names[:_MAX_NAMES])}{more}"


def _fact(fact: Fact) -> str:
    count = f"{len(fact.names)} of " if len(fact.names) > 1 else ""
    tag = (
        f'<span class="tag {"error" if fact.effect == "rejected" else "warning"}">!</span> ' if fact.is_serious else ""
    )
    causes = f' <span class="why">{_text(fact.causes)}</span>' if fact.causes else ""
    return f"{tag}{count}<b>{_text(fact.kind)}</b> {_text(_few(fact.names))}: {_text(fact.text)}{causes}"


def _sections(changes: Sequence[AppChange]) -> Iterator[str]:
    groups, room = group_alike(changes), MAX_BYTES
    for number, group in enumerate(groups):
        if room < 0:
            left = sum(len(rest.apps) for rest in groups[number:])
            yield f"<p>Too long for a page: the changes of {left} more apps are in the changed files.</p>"
            return
        section = _section(group, room, is_open=len(groups) <= _MAX_OPEN)
        room -= len(section)
        yield section


def _section(group: ChangeGroup, room: int, *, is_open: bool) -> str:
    first = group.changes[0]
    names = ", ".join(group.apps)
    title = f"<b>{_text(first.app)}</b> in {_text(first.environment)}"
    if len(group.apps) > 1:
        title = f"<b>{len(group.apps)} apps</b> in {_text(first.environment)} change alike"
    listed = f'<p class="names">{_text(names)}; shown is {_text(first.app)}</p>' if len(group.apps) > 1 else ""
    objects = "".join(_objects(group.objects, room))
    found = action_counts(first.objects) or "no object changes"
    summary = f"<summary>{title}: {_text(found)}</summary>"
    return f'<details class="group" data-apps="{_text(names)}"{_open(is_open)}>{summary}{listed}{objects}</details>'


def _objects(effects: Sequence[ObjectEffect], room: int) -> Iterator[str]:
    for number, effect in enumerate(effects):
        if room < 0:
            left = len(effects) - number
            yield f"<p>Too long for a page: the changes of {left} more objects are in the changed files.</p>"
            return
        shown = _object(effect)
        room -= len(shown)
        yield shown


def _open(is_open: bool) -> str:  # noqa: FBT001  one attribute
    return " open" if is_open else ""


def _object(effect: ObjectEffect) -> str:
    change = effect.change
    words = json.dumps(
        [change.action, *(found.kind for found in change.effects), *(risk.flag for risk in change.risks)]
    )
    title = f"<b>{_text(change.kind)}</b> {_text(object_name(change))} {_text(object_title(effect))}"
    does = "; ".join(consequences(effect))
    summary = f'<summary>{title} <span class="why">{_text(str(effect.causes))}</span></summary>'
    shown = f"{_highlights(effect)}{_yaml(effect)}"
    is_calm = effect.is_routine and not change.risks
    kind = f"object {change.action}{' routine' if is_calm else ''}"
    return f'<details class="{kind}" data-words="{_text(words)}" open>{summary}<p>{_text(does)}</p>{shown}</details>'


def _highlights(effect: ObjectEffect) -> str:
    found = "".join(f"<li><code>{_text(line)}</code></li>" for line in effect.highlights)
    return f"<ul>{found}</ul>" if found else ""


def _yaml(effect: ObjectEffect) -> str:
    if effect.change.secret:
        return '<p class="hidden-values">Its values are not shown.</p>'
    old, new = (to_text(side) if side is not None else "" for side in (effect.old, effect.new))
    rows = "".join(_row(row) for row in side_by_side(old, new))
    return f'<div class="scroll"><table>{_COLUMNS}{rows}</table></div>' if rows else ""


_COLUMNS = '<colgroup><col class="n"><col><col class="n"><col></colgroup>'


def _row(row: Row) -> str:
    if row.kind == "skipped":
        return f'<tr class="skipped"><td colspan="4">{row.left_number} equal lines</td></tr>'
    cells = ((row.left_number, row.left, "old"), (row.right_number, row.right, "new"))
    found = "".join(_cells(number, text, side if row.kind == "changed" else "") for number, text, side in cells)
    return f"<tr>{found}</tr>"


def _cells(number: int, text: str | None, side: str) -> str:
    if text is None:
        return '<td class="n"></td><td class="none"></td>'
    return f'<td class="n">{number}</td><td class="{side or "same"}">{_text(text)}</td>'
