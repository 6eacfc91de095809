"""Outcomes as lines for a terminal or a job log."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, TextIO

from headgate.bounded import counted
from headgate.message import counts
from headgate.report.escapes import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headgate.errors import HeadgateError
    from headgate.hydration.object_changes import ObjectChange
    from headgate.hydration.outcome import Outcome

WIDTH = 80
"""What people's terminals show at least."""
_MARKS = {"added": ("+", "green"), "changed": ("~", "yellow"), "removed": ("-", "red")}
_LABELLED = ("superseded", "held")
_MAX_FIELDS = 4
_MAX_OBJECTS = 10
_MAX_RISKY = 50
_MAX_LINES = 12


class Terminal:
    """Writes to one stream, with colours and progress only on a terminal."""

    def __init__(self, stream: TextIO, *, quiet: bool = False) -> None:
        """``quiet`` writes errors only, for `--json`."""
        self._out = _writer(stream)
        self._err = _writer(sys.stderr)
        self._quiet = quiet
        self._draws = sys.stderr.isatty() and not quiet
        self._rendered = 0

    def progress(self, app: str, environment: str) -> None:
        """Count one more rendered app."""
        self._rendered += 1
        if self._draws:
            sys.stderr.write(f"\r\x1b[K{self._rendered} rendered: {safe(app)} in {safe(environment)}")
            sys.stderr.flush()

    def end_progress(self) -> None:
        """Wipe the progress line."""
        if self._rendered and self._draws:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        self._rendered = 0

    def line(self, text: str = "", style: str = "") -> None:
        """Write one line."""
        if not self._quiet:
            self._out((safe(text), style))

    def pieces(self, *pieces: tuple[str, str]) -> None:
        """Write one line from several texts with styles."""
        if not self._quiet:
            self._out(*((safe(text), style) for text, style in pieces))

    def error(self, error: HeadgateError, *, title: str = "") -> None:
        """Write an error: what, where, what to do."""
        self._err((f"{title or 'error'}: ", "bold red"), (safe(str(error)), ""))

    def outcomes(self, outcomes: Sequence[Outcome], *, diff: bool) -> None:
        """Write the outcomes; unchanged ones appear only in the totals."""
        self.end_progress()
        for outcome in outcomes:
            if outcome.state == "changed":
                self._changed(outcome, diff=diff)
            elif outcome.state == "waiting":
                self.line(f"{outcome.app} in {outcome.environment}: waits for {', '.join(outcome.waits_for)}", "dim")
            for reason in outcome.reasons:
                text = f"{outcome.state}: {reason}" if outcome.state in _LABELLED else reason
                self.line(f"{outcome.app} in {outcome.environment}: {text}", "dim")
            for warning in outcome.warnings if outcome.state in ("changed", "unchanged") else ():
                self.line(f"  warning: {warning}", "yellow")
        for outcome in outcomes:
            if outcome.error is not None:
                self.error(outcome.error, title=f"{outcome.app} in {outcome.environment}")
        self.line(summary(outcomes))
        for upgrade, count in Counter(outcome.upgrade for outcome in outcomes if outcome.upgrade).items():
            self.line(f"{upgrade} in {count} of them")

    def _changed(self, outcome: Outcome, *, diff: bool) -> None:
        self.line(f"{outcome.app} in {outcome.environment}: {counts(outcome)}", "bold")
        shown = outcome.objects if diff else _few_objects(outcome.objects)
        for change in shown:
            mark, style = _MARKS[change.action]
            name = f"{change.namespace}/{change.name}" if change.namespace else change.name
            self.line(f"  {mark} {change.kind} {name}{_few_fields(change, diff=diff)}", style)
            for risk in change.risks:
                self.line(f"    ! {risk.text}", "bold yellow")
            if diff:
                self.fields(change)
        if len(outcome.objects) > len(shown):
            risky = sum(bool(change.risks) for change in outcome.objects) - sum(bool(change.risks) for change in shown)
            risks = f", {risky} of them with risks" if risky else ""
            self.line(f"    and {len(outcome.objects) - len(shown)} more{risks}", "dim")

    def fields(self, change: ObjectChange) -> None:
        """Write each changed field, before and after."""
        for field in change.fields:
            self.line(f"      {field.path}", "dim")
            for mark, value, style in (("-", field.old, "red"), ("+", field.new, "green")):
                for text in () if value is None else _lines(value):
                    self.line(f"      {mark} {text}", style)


def _few_objects(objects: Sequence[ObjectChange]) -> list[ObjectChange]:
    """Return the first objects, and all others with a risk."""
    risky = [place for place, change in enumerate(objects) if change.risks][:_MAX_RISKY]
    places = {*range(min(_MAX_OBJECTS, len(objects))), *risky}
    return [objects[place] for place in sorted(places)]


def _writer(stream: TextIO) -> Callable[..., None]:
    """Return a function that writes styled pieces as one line; plain text, without Rich, unless on a terminal."""
    if not stream.isatty():
        return lambda *pieces: print("".join(text for text, _ in pieces), file=stream)

    from rich.console import Console  # noqa: PLC0415  slow to import
    from rich.text import Text  # noqa: PLC0415

    console = Console(file=stream, highlight=False, soft_wrap=True, emoji=False, markup=False)
    return lambda *pieces: console.print(Text.assemble(*pieces))


def _lines(value: str) -> list[str]:
    lines = value.splitlines() or [""]
    return lines if len(lines) <= _MAX_LINES else [*lines[:_MAX_LINES], f"... {len(lines) - _MAX_LINES} more lines"]


def _few_fields(change: ObjectChange, *, diff: bool) -> str:
    if diff or change.action != "changed":
        return ""
    paths = [field.path for field in change.fields]
    more = f" and {len(paths) - _MAX_FIELDS} more" if len(paths) > _MAX_FIELDS else ""
    return f": {', '.join(paths[:_MAX_FIELDS])}{more}"


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return the totals on one line."""
    by_state: Counter[str] = Counter(outcome.state for outcome in outcomes)
    totals = [f"{by_state[state]} {label}" for state, label in _LABELS.items() if by_state[state]]
    return f"{counted(len(outcomes), 'app-environment')}: {', '.join(totals)}" if totals else "nothing to hydrate"


_LABELS = {
    "changed": "changed",
    "unchanged": "unchanged",
    "waiting": "waiting for a hand-off",
    "held": "held",
    "recorded": "on record",
    "superseded": "superseded",
    "failed": "failed",
}


def safe(text: str) -> str:
    """Replace invisible characters of untrusted text, including those that change the text direction, by escapes."""
    return visible(text, "\n\t")
