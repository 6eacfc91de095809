"""A change on a terminal, or in a log, in 80 columns."""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import TYPE_CHECKING

from headgate.report.changereport import (
    action_counts,
    counts,
    effect_facts,
    finding_groups,
    object_name,
    risk_facts,
)
from headgate.report.grouping import group_alike
from headgate.report.history import SHORT
from headgate.report.terminal import WIDTH, safe
from headgate.report.valuelines import value_lines
from headgate.report.versions import part_name, version_steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.report.appchange import AppChange, ObjectEffect
    from headgate.report.changereport import ChangeReport, Fact
    from headgate.report.grouping import ChangeGroup
    from headgate.report.terminal import Terminal
    from headgate.report.verdict import Verdict

_MAX_VERSIONS = 15
_MAX_FACTS = 12
_MAX_GROUPS = 20
_MAX_OBJECTS = 10
_MAX_FIELDS = 12
_MAX_VALUE_LINES = 12
_MAX_TITLES = 5
_MAX_NAMES = 4

Line = tuple[str, str]
"""A text and its style."""

_STYLES = {"nothing": "dim", "routine": "bold green", "look at this": "bold yellow", "will fail": "bold red"}
_SIGNS = {"-": "red", "+": "green", " ": "dim"}
_MARKS = {"added": ("+", "green"), "changed": ("~", "yellow"), "removed": ("-", "red")}


def write_change(terminal: Terminal, report: ChangeReport) -> None:
    """Write a change: the verdict, then versions, findings, risks, effects and objects with their fields."""
    for text, style in change_lines(report):
        terminal.line(text, style)


def change_lines(report: ChangeReport) -> Iterator[Line]:
    """Yield the lines of a change, each at most `WIDTH` wide, the same of many apps once."""
    yield from _wrapped(report.title, "bold") if report.title else _verdict(report.verdict)
    if report.requested_by:
        yield from _wrapped(f"requested by {report.requested_by}", "dim")
    if report.consequence:
        yield from _wrapped(report.consequence, "dim")
    yield from _few(list(_versions(report)), _MAX_VERSIONS, "lines about versions")
    for group in finding_groups(report.findings):
        word, style = ("error", "red") if group.is_error else ("warning", "yellow")
        where = [f"{app} in {environment}" for app, environment in group.owners]
        shown = where[0] if len(where) == 1 else f"{len(where)} app-environments ({_few_names(where)})"
        first, *rest = group.text.split("\n")
        yield from _wrapped(f"{word}: {shown}: {first}", style)
        for line in rest:
            yield from _wrapped(line, style, "    ")
    yield from _facts("Look at this:", risk_facts(report.changes))
    yield from _facts("What it does:", effect_facts(report.changes))
    groups = group_alike(report.changes)
    for alike in groups[:_MAX_GROUPS]:
        yield from _group(alike)
    if len(groups) > _MAX_GROUPS:
        yield f"and {len(groups) - _MAX_GROUPS} more groups of apps", "dim"
    yield counts(report.changes), "bold"


def _verdict(verdict: Verdict) -> Iterator[Line]:
    yield from _wrapped(str(verdict), _STYLES[verdict.word])


def _versions(report: ChangeReport) -> Iterator[Line]:
    for change in report.changes:
        yield from _app_versions(change, report)
    for upgrade, count in Counter(change.upgrade for change in report.changes if change.upgrade).items():
        yield from _wrapped(f"rendered with {upgrade}" + (f" in {count} app-environments" if report.several else ""))


def _app_versions(change: AppChange, report: ChangeReport) -> Iterator[Line]:
    of = f"{change.app} in {change.environment}: " if report.several else ""
    for step in version_steps(change):
        title = " ".join(filter(None, part_name(step.part)))
        came = f"{step.old} -> {step.new}" if step.old and step.new else f"{step.new or step.old}"
        note = f" ({step.note})" if step.note else "" if step.new else " is removed"
        source = f" from {step.project}@{step.commit[:SHORT]}" if step.project and not report.several else ""
        yield from _wrapped(f"{of}{title}: {came}{note}{source}")
        titles = report.titles.get(step.source_step, ())
        yield from _few([(_cut(f"  * {title}"), "dim") for title in titles], _MAX_TITLES, "commits")


def _facts(title: str, facts: Sequence[Fact]) -> Iterator[Line]:
    if facts:
        yield title, "bold"
        lines = [list(_fact(fact)) for fact in facts]
        for found in lines[:_MAX_FACTS]:
            yield from found
        if len(lines) > _MAX_FACTS:
            yield f"  and {len(lines) - _MAX_FACTS} more", "dim"


def _fact(fact: Fact) -> Iterator[Line]:
    several = f"{len(fact.names)} of {fact.kind} ({_few_names(fact.names)})"
    who = f"{fact.kind} {fact.names[0]}" if len(fact.names) == 1 else several
    causes = f" ({fact.causes})" if fact.causes else ""
    yield from _wrapped(f"{who}: {fact.text}{causes}", "yellow" if fact.is_serious else "", "  ")


def _few_names(names: Sequence[str]) -> str:
    more = f", and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return f"{', '.join(names[:_MAX_NAMES])}{more}"


def _group(group: ChangeGroup) -> Iterator[Line]:
    first = group.changes[0]
    found = action_counts(first.objects) or "no object changes"
    if len(group.apps) == 1:
        yield from _wrapped(f"{first.app} in {first.environment}: {found}", "bold")
    else:
        names = _few_names(group.apps)
        title = f"{len(group.apps)} apps in {first.environment} change alike ({names}), each: {found}"
        yield from _wrapped(title, "bold")
    for effect in group.objects[:_MAX_OBJECTS]:
        yield from _object(effect)
    if len(first.objects) > _MAX_OBJECTS:
        yield f"    and {len(first.objects) - _MAX_OBJECTS} more objects", "dim"


def _object(effect: ObjectEffect) -> Iterator[Line]:
    change = effect.change
    mark, style = _MARKS[change.action]
    was = f", was {change.old_name}" if change.old_name else ""
    yield from _wrapped(f"{mark} {change.kind} {object_name(change)}{was} ({effect.causes})", style, "  ")
    yield from ((_cut(f"      {line}"), "") for line in effect.highlights)
    if change.secret:
        if change.fields:
            yield "      its values are not shown", "dim"
        return
    for field in change.fields[:_MAX_FIELDS]:
        yield _cut(f"      {field.path}{' (equivalent)' if field.runs_alike else ''}"), "dim"
        lines = [(_cut(f"      {sign} {line}"), _SIGNS[sign]) for sign, line in value_lines(field, WIDTH - 8)]
        yield from _few(lines, _MAX_VALUE_LINES, "lines")
    if len(change.fields) > _MAX_FIELDS:
        yield f"      and {len(change.fields) - _MAX_FIELDS} more fields", "dim"


def _few(lines: Sequence[Line], limit: int, noun: str) -> Iterator[Line]:
    yield from lines[:limit]
    if len(lines) > limit:
        yield f"      ... {len(lines) - limit} more {noun}", "dim"


def _cut(text: str) -> str:
    shown = safe(text.expandtabs().replace("\n", " "))
    return shown if len(shown) <= WIDTH else f"{shown[: WIDTH - 3]}..."


def _wrapped(text: str, style: str = "", indent: str = "") -> Iterator[Line]:
    """Yield a text in lines, those after the first one indented."""
    lines = textwrap.wrap(safe(" ".join(text.split())), WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ")
    yield from ((line, style) for line in lines)
