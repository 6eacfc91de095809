"""Changes as Markdown for reviewers: in merge requests, notes and the job's report. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from headgate.report.changereport import counts, effect_facts, finding_groups, risk_facts
from headgate.report.history import SHORT
from headgate.report.markdown import code, link, prose
from headgate.report.sections import sections
from headgate.report.versions import part_name, version_steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.report.appchange import AppChange
    from headgate.report.changereport import ChangeReport, Fact
    from headgate.report.verdict import Finding
    from headgate.report.versions import VersionStep

MAX_LENGTH = 100_000
"""Characters of a description. GitLab allows 1,048,576: https://docs.gitlab.com/administration/instance_limits/."""
_MAX_APPS = 100
_MAX_FACTS = 40
_MAX_NAMES = 400
_MAX_TITLES = 10
_MAX_FINDING = 2000
_ROOM = 300
"""Characters reserved for the note on what is left out."""

_MARKS = {"nothing": ":zzz:", "routine": ":white_check_mark:", "look at this": ":mag:", "will fail": ":no_entry:"}


def describe(report: ChangeReport, url: str, *, limit: int = MAX_LENGTH) -> str:
    """Return Markdown of at most ``limit`` characters. ``url`` is GitLab's address, for links to the apps' commits.

    The verdict comes first, then versions, findings, risks and effects; then, as far as there is room, objects with
    their fields, and a note on the rest.
    """
    changes = report.changes
    if not changes and not report.findings:
        return "No final YAML changes."
    head = [
        *_introduction(report),
        _versions(report, url, limit // 5),
        _findings(report.findings, limit // 6),
        _list("Look at this", risk_facts(changes), limit // 8),
        _list("What it does", effect_facts(changes), limit // 6),
        f"**{counts(changes)}**",
    ]
    text = "\n\n".join(filter(None, head))
    return "\n\n".join([text, *sections(changes, limit - len(text))])


def _introduction(report: ChangeReport) -> Iterator[str]:
    verdict = report.verdict
    yield f"{_MARKS[verdict.word]} **{verdict.word.capitalize()}**: {prose(', '.join(verdict.reasons), _MAX_NAMES)}"
    requested = f"Requested by {prose(report.requested_by, _MAX_NAMES)}." if report.requested_by else ""
    page = link("Side by side", report.page) if report.page else ""
    yield " ".join(filter(None, [requested, prose(report.consequence, _MAX_NAMES), page]))


def _versions(report: ChangeReport, url: str, limit: int) -> str:
    changes, lines = report.changes, list[str]()
    for change in changes[:_MAX_APPS]:
        lines += [f"- {line}" for line in _parts(change, report, url)]
    lines += [f"- {len(changes) - _MAX_APPS} more apps"] if len(changes) > _MAX_APPS and lines else []
    upgrades = Counter(change.upgrade for change in changes if change.upgrade)
    for upgrade, number in upgrades.items():
        lines.append(f"- rendered with {code(upgrade)}" + (f" in {number} app-environments" if report.several else ""))
    return _fitted(lines, limit, "versions")


def _parts(change: AppChange, report: ChangeReport, url: str) -> Iterator[str]:
    """Yield a line for each changed part, with a link to the comparison of its source."""
    where = f"{code(change.app)} in {code(change.environment)}"
    of = f"{where}, " if report.several else ""
    for step in version_steps(change):
        kind, name = part_name(step.part)
        title = f"{kind} {code(name)}" if name else kind
        if not step.new:
            yield f"{of}{title}: {code(step.old)} is removed"
        else:
            yield f"{of}{title}: {_step(step)}{_source(step, url)}{_titles(step, report)}"
    if change.after and change.after.pin and (change.before is None or change.before.pin != change.after.pin):
        yield f"{of}pinned by {code(change.after.pin.by)}: {code(change.after.pin.reason)}"
    if change.before and change.after is None:
        yield f"{where} is removed"


def _step(step: VersionStep) -> str:
    if step.note:
        return f"{code(step.new)} (new)" if step.note == "new" else f"{code(step.new)}, {step.note}"
    return f"{code(step.old)} \u2192 {code(step.new)}"


def _source(step: VersionStep, url: str) -> str:
    project = f"{url}/{step.project}/-"
    commit = link(code(f"{step.project}@{step.commit[:SHORT]}"), f"{project}/commit/{step.commit}")
    if not step.is_comparable:
        return f" from {commit}"
    return f" from {commit} ({link('compare', f'{project}/compare/{step.old_commit}...{step.commit}')})"


def _titles(step: VersionStep, report: ChangeReport) -> str:
    titles = report.titles.get(step.source_step, ())
    lines = [f"\n  - {code(title)}" for title in titles[:_MAX_TITLES]]
    more = f"\n  - {len(titles) - _MAX_TITLES} more commits" if len(titles) > _MAX_TITLES else ""
    return "".join(lines) + more


def _findings(findings: Sequence[Finding], limit: int) -> str:
    lines = []
    for group in finding_groups(findings):
        mark, word = (":no_entry:", "error") if group.is_error else (":warning:", "warning")
        where = [f"{app} in {environment}" for app, environment in group.owners]
        if len(where) == 1:
            shown = " in ".join(map(code, group.owners[0]))
        else:
            shown = f"{len(where)} app-environments ({code(', '.join(where), _MAX_NAMES)})"
        found = [line for line in group.text[:_MAX_FINDING].split("\n") if line.strip()]
        lines.append(f"- {mark} {word} in {shown}: " + "\n  - ".join(map(prose, found)))
    return f"**Findings:**\n\n{_fitted(lines, limit, 'findings')}" if lines else ""


def _list(title: str, facts: Sequence[Fact], limit: int) -> str:
    lines = [_fact(fact) for fact in facts[:_MAX_FACTS]]
    lines += [f"- {len(facts) - _MAX_FACTS} more"] if len(facts) > _MAX_FACTS else []
    return f"**{title}:**\n\n{_fitted(lines, limit, 'lines')}" if lines else ""


def _fact(fact: Fact) -> str:
    mark = ":no_entry: " if fact.effect == "rejected" else ":warning: " if fact.is_serious else ""
    causes = f" ({prose(fact.causes, _MAX_NAMES)})" if fact.causes else ""
    return f"- {mark}{_who(fact.kind, fact.names)} {prose(fact.text, _MAX_NAMES)}{causes}"


def _who(kind: str, names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"{code(f'{kind} {names[0]}')}:"
    return f"{len(names)} of {code(kind)} ({code(', '.join(names), _MAX_NAMES)}):"


def _fitted(lines: list[str], limit: int, noun: str) -> str:
    """Return the lines that fit, and how many do not."""
    shown: list[str] = []
    room = limit - _ROOM
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return "\n".join([*shown, f"- {len(lines) - len(shown)} more {noun} do not fit here"])
        shown.append(line)
    return "\n".join(shown)
