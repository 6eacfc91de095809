"""The proof of an adoption: on a terminal, as Markdown for the merge request, and as JSON. Pure."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

from headgate.objects.encrypted import HIDDEN
from headgate.report.changereport import object_name
from headgate.report.json import error_to_json, object_to_json
from headgate.report.markdown import block, cell, details, in_html, prose
from headgate.report.table import write_table
from headgate.report.terminal import WIDTH, safe
from headgate.report.valuelines import value_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.adoption.comparing import AppProof, ObjectDifference
    from headgate.adoption.proposal import Adoption
    from headgate.adoption.sources import LeftOut
    from headgate.report.terminal import Terminal

_MAX_FIELDS = 12
_MAX_LINE_LENGTH = 500
_MAX_VALUE_LINES = 12
_MAX_DIFFERENCES = 60
_MAX_ROWS = 400


def verdict(adoption: Adoption) -> str:
    """Return in a sentence whether the final YAML stays as it is."""
    objects = sum(found.objects for found in adoption.comparisons)
    size = sum(found.bytes for found in adoption.comparisons)
    what = f"{_count(objects, 'object')} of {_count(len(adoption.comparisons), 'app-environment')}, {size:,} bytes"
    if adoption.failed:
        return f"{_count(len(adoption.failed), 'app-environment')} cannot be hydrated; the others have {what}"
    if adoption.differences:
        return f"{_count(adoption.differences, 'object')} would differ from what runs today, of {what}"
    return f"Nothing differs: {what}, as today, byte by byte"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def write_adoption(terminal: Terminal, adoption: Adoption) -> None:
    """Write the proof on a terminal, in 80 columns."""
    terminal.end_progress()
    styles = {True: "bold green", False: "bold yellow"}
    _wrapped(terminal, verdict(adoption), style=styles[not adoption.differences and not adoption.failed])
    titles = ("app", "environment", "namespace", "objects", "differ", "from")
    rows = [[(text, "") for text in _row(found)] for found in adoption.comparisons]
    write_table(terminal, titles, rows)
    for found in adoption.comparisons:
        for difference in found.differences:
            _write_difference(terminal, difference)
    for outcome in adoption.failed:
        if outcome.error is not None:
            terminal.error(outcome.error, title=f"{outcome.app} in {outcome.environment}")
    for title, lines in _sections(adoption):
        if lines:
            terminal.line(f"\n{title}", "bold")
            for line in lines:
                _wrapped(terminal, line, indent="  ")


def _row(found: AppProof) -> tuple[str, ...]:
    differ = str(len(found.differences)) if found.differences else "-"
    return found.app, found.environment, found.namespace, str(found.objects), differ, found.source or "."


def _write_difference(terminal: Terminal, difference: ObjectDifference) -> None:
    change = difference.change
    where = f"{difference.app} in {difference.environment}"
    _wrapped(terminal, f"{where}: {_name(difference)} {_becomes(difference)}: {difference.reason}", style="yellow")
    if difference.change.secret:
        terminal.line("    its values are not shown", "dim")
        return
    for field in change.fields[:_MAX_FIELDS]:
        terminal.line(_cut(f"    {field.path}"), "dim")
        for sign, line in value_lines(field, WIDTH - 6)[:_MAX_VALUE_LINES]:
            terminal.line(_cut(f"    {sign} {line}"), {"-": "red", "+": "green"}.get(sign, "dim"))
    if len(change.fields) > _MAX_FIELDS:
        terminal.line(f"    and {len(change.fields) - _MAX_FIELDS} more fields", "dim")


def _name(difference: ObjectDifference) -> str:
    return f"{difference.change.kind} {object_name(difference.change)}".strip()


def _becomes(difference: ObjectDifference) -> str:
    return {"added": "would be new", "removed": "would be missing", "changed": "would differ"}[difference.change.action]


def _sections(adoption: Adoption) -> Iterator[tuple[str, list[str]]]:
    """Yield what a person should read next to the proof, by title."""
    left = adoption.found.left_out
    yield "Not adopted:", _where(left)
    images = [f"{app}: {', '.join(names)}" for app, names in adoption.candidates.items()]
    hint = (
        "Not recorded as releases: that needs --app-project APP=PROJECT, and tag and digest in the files. Or let the "
        "first hand-off bring them, with the lines in app.yaml."
    )
    yield "Images for hand-offs:", [*images, hint] if images else []
    yield "Look at this:", _notes(adoption)
    environments = ", ".join(f"{name} ({delivery})" for name, delivery in adoption.environments.items())
    stays = dict.fromkeys(f"{item.what} ({item.reason})" for item in left if item.stays)
    yield "Environments, in the order of promotion:", [environments]
    yield "Left in place, for you to delete:", list(stays)
    yield "What you do:", [f"{number}. {step}" for number, step in enumerate(adoption.steps, start=1)]


def _where(left: Sequence[LeftOut]) -> list[str]:
    where: dict[tuple[str, str], list[str]] = {}
    for item in left:
        if not item.stays:
            where.setdefault((item.what, item.reason), []).append(item.environment)
    return [
        f"{what} in {', '.join(names)}: {reason}" if any(names) else f"{what}: {reason}"
        for (what, reason), names in where.items()
    ]


def _notes(adoption: Adoption) -> list[str]:
    """Return what a person should look at, the same in several environments once."""
    notes = [(note.app, note.text, note.environment) for note in adoption.found.notes]
    notes += [
        (outcome.app, str(text), outcome.environment) for outcome in adoption.outcomes for text in outcome.warnings
    ]
    where: dict[tuple[str, str], dict[str, None]] = {}
    for app, text, environment in notes:
        where.setdefault((app, text), {})[environment] = None
    return [f"{app} in {', '.join(names)}: {text}" for (app, text), names in where.items()]


def _wrapped(terminal: Terminal, text: str, *, style: str = "", indent: str = "") -> None:
    for line in textwrap.wrap(
        safe(" ".join(text.split())),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_on_hyphens=False,
    ):
        terminal.line(line, style)


def _cut(text: str) -> str:
    shown = safe(text.expandtabs().replace("\n", " "))
    return shown if len(shown) <= WIDTH else f"{shown[: WIDTH - 3]}..."


def describe_adoption(adoption: Adoption) -> str:
    """Return the proof as Markdown."""
    mark = ":white_check_mark:" if not adoption.differences and not adoption.failed else ":mag:"
    parts = [f"{mark} **{prose(verdict(adoption))}**", _table(adoption)]
    differences = [difference for found in adoption.comparisons for difference in found.differences]
    parts += [_difference(difference) for difference in differences[:_MAX_DIFFERENCES]]
    if len(differences) > _MAX_DIFFERENCES:
        parts.append(f"_and {len(differences) - _MAX_DIFFERENCES} more objects_")
    for title, lines in _sections(adoption):
        if lines:
            numbered = title.startswith("What you do")
            parts.append(
                f"**{title}**\n\n" + "\n".join(prose(line) if numbered else f"- {prose(line)}" for line in lines)
            )
    return "\n\n".join(parts) + "\n"


def _table(adoption: Adoption) -> str:
    lines = ["| app | environment | namespace | objects | differ | from |", "|---|---|---|---|---|---|"]
    for found in adoption.comparisons[:_MAX_ROWS]:
        app, environment, namespace, objects, differ, source = _row(found)
        lines.append(
            f"| {cell(app)} | {cell(environment)} | {cell(namespace)} | {objects} | {differ} | {cell(source)} |"
        )
    if len(adoption.comparisons) > _MAX_ROWS:
        lines.append(f"| and {len(adoption.comparisons) - _MAX_ROWS} more | | | | | |")
    return "\n".join(lines)


def _difference(difference: ObjectDifference) -> str:
    where = f"{in_html(difference.app)} in {in_html(difference.environment)}"
    title = f"{where}: {in_html(_name(difference))} {_becomes(difference)}"
    body = [prose(difference.reason)]
    if difference.change.secret:
        body.append("Its values are not shown.")
    elif difference.change.fields:
        body.append(block(_diff_lines(difference), "diff"))
    return details(title, "\n\n".join(body)) if len(body) > 1 else f"{title}: {body[0]}"


def _diff_lines(difference: ObjectDifference) -> Iterator[str]:
    for field in difference.change.fields[:_MAX_FIELDS]:
        yield f"  {field.path}"
        yield from (f"{sign} {line}" for sign, line in value_lines(field, _MAX_LINE_LENGTH)[:_MAX_VALUE_LINES])


def adoption_to_json(adoption: Adoption, **extra: Any) -> str:
    """Return the proof as a JSON document. Version 1; keys are only ever added."""
    data = {
        "version": 1,
        "verdict": verdict(adoption),
        "is_equal": not adoption.differences and not adoption.failed,
        "environments": dict(adoption.environments),
        "apps": [
            {
                "app": found.app,
                "environment": found.environment,
                "namespace": found.namespace,
                "source": found.source,
                "objects": found.objects,
                "bytes": found.bytes,
                "differences": [
                    {**_object(difference), "reason": difference.reason} for difference in found.differences
                ],
            }
            for found in adoption.comparisons
        ],
        "errors": [
            {"app": outcome.app, "environment": outcome.environment, **error_to_json(outcome.error)}
            for outcome in adoption.failed
            if outcome.error is not None
        ],
        "left_out": [
            {"what": item.what, "environment": item.environment or None, "reason": item.reason, "stays": item.stays}
            for item in adoption.found.left_out
        ],
        "images": {app: list(names) for app, names in adoption.candidates.items()},
        "notes": _notes(adoption),
        "steps": list(adoption.steps),
        "files": sorted(adoption.changes),
    }
    return json.dumps(data | extra, indent=2)


def _object(difference: ObjectDifference) -> dict[str, Any]:
    found = object_to_json(difference.change)
    if difference.change.secret:
        found["fields"] = [{"path": None, "old": HIDDEN, "new": HIDDEN, "runs_alike": False}]
    return found
