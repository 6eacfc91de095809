"""Findings -> what fails an app in an environment, and what is only shown. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from headgate.bounded import first_few
from headgate.errors import DeniedError, HeadgateError, InvalidObjectError
from headgate.records import frozen_record
from headgate.validation.rules import OWN_RULES
from headgate.validation.waivers import waiver_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from headgate.model import Validation
    from headgate.validation.finding import ObjectFinding
    from headgate.validation.rules import RuleBook

_SHOWN = 20


@frozen_record
class Scales:
    """By what findings are weighed: the rules, and the day, which ends waivers."""

    rules: RuleBook
    today: date


@frozen_record
class WeighedFinding:
    """A finding with its weight.

    ``labels`` are those that it gives a merge request; ``needs_approval`` says that it asks for one more there.
    """

    finding: ObjectFinding
    level: Literal["error", "warn"]
    waived: str = ""
    labels: tuple[str, ...] = ()
    needs_approval: bool = False

    def __str__(self) -> str:
        """Tell it on one line, with what lets it pass."""
        return f"{self.waived}: {self.finding}" if self.waived else str(self.finding)


@frozen_record
class Judgement:
    """The weighed findings of one app in one environment. ``notice`` is about the judging itself."""

    error: HeadgateError | None = None
    findings: tuple[WeighedFinding, ...] = ()
    notice: str = ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is only shown."""
        lines = [str(found) for found in self.findings if found.level == "warn"]
        return (*((self.notice,) if self.notice else ()), *first_few(lines, _SHOWN))


NOT_JUDGED = Judgement()
"""Where nothing was rendered, or validation is off."""


def weigh(findings: Sequence[ObjectFinding], app: str, environment: str, scales: Scales) -> Judgement:
    """Sort findings by their level; what a waiver lets pass is shown with its reason."""
    weighed: list[WeighedFinding] = []
    settings = scales.rules.settings
    for finding in findings:
        level = scales.rules.level(finding, environment)
        valid, over = waiver_of(finding, settings.waivers, app, environment, scales.today)
        if level == "off" or _is_known(finding, settings):
            continue
        if valid is not None:
            waived = f"waived until {valid.until} ({valid.reason})"
            weighed.append(WeighedFinding(finding=finding, level="warn", waived=waived))
        elif level == "error":
            ended = _with_ended(finding, f"; the waiver for it ended on {over.until}" if over else "")
            weighed.append(WeighedFinding(finding=ended, level="error"))
        else:
            outcome = scales.rules.outcome(finding.policy, environment) if finding.policy else "warn"
            weighed.append(
                WeighedFinding(
                    finding=finding,
                    level="warn",
                    labels=scales.rules.policies[finding.policy].labels if outcome == "label" else (),
                    needs_approval=outcome == "approve" and not finding.advice,
                )
            )
    errors = [found.finding for found in weighed if found.level == "error"]
    return Judgement(error=_error(errors, environment) if errors else None, findings=tuple(weighed))


def _is_known(finding: ObjectFinding, settings: Validation) -> bool:
    return finding.rule == "not-checked" and finding.manifest.kind_name in settings.unchecked


def _with_ended(finding: ObjectFinding, ended: str) -> ObjectFinding:
    return replace(finding, message=f"{finding.message}{ended}")


def _error(found: Sequence[ObjectFinding], environment: str) -> HeadgateError:
    places = {finding.manifest.place for finding in found}
    where = places.pop() if len(places) == 1 else None
    lines = first_few([str(finding) for finding in found], _SHOWN)
    hints = list(dict.fromkeys(finding.hint for finding in found if finding.hint))
    rules = {str(finding.place) for finding in found if finding.place}
    if rules:
        hints.append(f"{', '.join(first_few(sorted(rules), 5))} in the manifest repository forbids it")
    if all(finding.policy for finding in found):
        hints.append("where it has to stay for a time, headgate.yaml can waive the rule in brackets")
        title = f"{environment} refuses the rendered objects"
        return DeniedError("\n    ".join((f"{title}:", *lines)), where=where, hint="\n  ".join(hints))
    hints.append("if it is right as it is, headgate.yaml can give the rule in brackets another level or waive it")
    is_own = all(finding.rule in OWN_RULES or finding.policy for finding in found)
    title = (
        "headgate.yaml forbids the rendered objects" if is_own else "an API server would reject the rendered objects"
    )
    return InvalidObjectError("\n    ".join((f"{title}:", *lines)), where=where, hint="\n  ".join(hints[-6:]))
