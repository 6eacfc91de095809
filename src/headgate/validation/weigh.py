"""Findings -> what fails an app in an environment, and what is only shown. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headgate.bounded import first_few
from headgate.errors import HeadgateError, InvalidObjectError
from headgate.validation.rules import OWN_RULES, level_of
from headgate.validation.waivers import waiver_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from headgate.model import Validation
    from headgate.validation.finding import ObjectFinding

_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Scales:
    """By what findings are weighed: the configuration, the generation of rules that the repository knows, the day."""

    settings: Validation
    generation: int
    today: date


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What became of the findings of one app in one environment."""

    error: HeadgateError | None = None
    warnings: tuple[str, ...] = ()


def weigh(findings: Sequence[ObjectFinding], app: str, environment: str, scales: Scales) -> Judgement:
    """Sort findings by their level; what a waiver lets pass is shown with its reason."""
    errors: list[ObjectFinding] = []
    warnings: list[str] = []
    for finding in findings:
        level = level_of(finding.rule, environment, scales.settings, scales.generation)
        valid, over = waiver_of(finding, scales.settings.waivers, app, environment, scales.today)
        if level == "off" or _is_known(finding, scales.settings):
            continue
        if valid is not None:
            warnings.append(f"waived until {valid.until} ({valid.reason}): {finding}")
        elif level == "error":
            errors.append(_with_ended(finding, f"; the waiver for it ended on {over.until}" if over else ""))
        else:
            warnings.append(str(finding))
    return Judgement(error=_error(errors) if errors else None, warnings=tuple(first_few(warnings, _SHOWN)))


def _is_known(finding: ObjectFinding, settings: Validation) -> bool:
    return finding.rule == "not-checked" and finding.manifest.kind_name in settings.unchecked


def _with_ended(finding: ObjectFinding, ended: str) -> ObjectFinding:
    return replace(finding, message=f"{finding.message}{ended}")


def _error(found: Sequence[ObjectFinding]) -> InvalidObjectError:
    places = {finding.manifest.place for finding in found}
    hints = list(dict.fromkeys(finding.hint for finding in found if finding.hint))
    hints.append("if it is right as it is, headgate.yaml can give the rule in brackets another level or waive it")
    is_own = all(finding.rule in OWN_RULES for finding in found)
    title = "headgate.yaml forbids what is rendered" if is_own else "an API server would reject what is rendered"
    lines = first_few([str(finding) for finding in found], _SHOWN)
    return InvalidObjectError(
        "\n    ".join((f"{title}:", *lines)),
        where=places.pop() if len(places) == 1 else None,
        hint="\n  ".join(hints[:5]),
    )
