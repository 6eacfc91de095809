"""The verdict on a change, for the first line that a reviewer reads. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

from headgate.impact.risk import unsaid
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from headgate.configuration import Owner
    from headgate.hydration.outcome import Outcome
    from headgate.impact.effects import Effect, EffectKind
    from headgate.report.appchange import AppChange, ObjectEffect
    from headgate.validation.weigh import Judgement

VerdictWord = Literal["nothing", "routine", "look at this", "will fail"]


@frozen_record
class Finding:
    """What hydrating an app found: an error, or a warning."""

    app: str
    environment: str
    text: str
    is_error: bool = False


@frozen_record(kw_only=False)
class Verdict:
    """The verdict, and the reasons for it, worst first."""

    word: VerdictWord
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        """Return it in a sentence without a full stop: ``Look at this: 1 object is removed with its data``."""
        return f"{self.word.capitalize()}: {', '.join(self.reasons)}"


def findings_of(outcomes: Sequence[Outcome]) -> tuple[Finding, ...]:
    """Return the errors and warnings of outcomes, errors first, each once."""
    errors = [
        Finding(app=outcome.app, environment=outcome.environment, text=str(outcome.error), is_error=True)
        for outcome in outcomes
        if outcome.error is not None
    ]
    warnings = [
        Finding(app=outcome.app, environment=outcome.environment, text=str(warning))
        for outcome in outcomes
        if outcome.state in ("changed", "unchanged")
        for warning in outcome.warnings
    ]
    return tuple(dict.fromkeys([*errors, *warnings]))


def judged_findings(judgements: Mapping[Owner, Judgement]) -> tuple[Finding, ...]:
    """Return what validation found in app-environments, errors first."""
    errors = [
        Finding(app=app, environment=environment, text=str(judgement.error), is_error=True)
        for (app, environment), judgement in judgements.items()
        if judgement.error is not None
    ]
    warnings = [
        Finding(app=app, environment=environment, text=str(entry))
        for (app, environment), judgement in judgements.items()
        for entry in judgement.findings
        if entry.level == "warn"
    ]
    return (*errors, *warnings)


def verdict_of(changes: Sequence[AppChange], findings: Sequence[Finding] = ()) -> Verdict:
    """Return the verdict on changes and on what was found when they were hydrated.

    *routine* is a change of images and versions alone, without a finding or a risk.
    """
    objects = [effect for change in changes for effect in change.objects]
    failures = [*_errors(findings), *_effects(objects, _FAILING)]
    if failures:
        return Verdict("will fail", tuple(failures))
    cautions = [*_effects(objects, _SERIOUS), *_risks(objects), *_warnings(findings), *_others(objects)]
    if cautions:
        return Verdict("look at this", tuple(cautions))
    if not changes:
        return Verdict("nothing", ("no final YAML changes",))
    return Verdict("routine", (_routine_reason(objects),))


def _routine_reason(objects: Sequence[ObjectEffect]) -> str:
    if not objects:
        return "no object changes"
    is_spelling = all(found.kind == "nothing" for effect in objects for found in effect.change.effects)
    return "nothing runs differently" if is_spelling else "only images and versions change"


_FAILING: dict[EffectKind, str] = {"rejected": "will be rejected by the cluster"}
_SERIOUS: dict[EffectKind, str] = {
    "data": "removed that may hold data",
    "recreated": "deleted and created again",
    "exposes": "newly reachable from outside",
    "removed": "removed",
    "stays": "left in the cluster, no longer managed",
    "added": "added",
}


def _effects(objects: Sequence[ObjectEffect], words: dict[EffectKind, str]) -> Iterator[str]:
    counts = Counter(kind for effect in objects for kind in {found.kind for found in effect.change.effects})
    yield from (f"{_number(counts[kind], 'object')} {text}" for kind, text in words.items() if counts[kind])


def _risks(objects: Sequence[ObjectEffect]) -> Iterator[str]:
    count = sum(len(unsaid(effect.change.risks, _reasons(effect.change.effects))) for effect in objects)
    if count:
        yield _number(count, "risk")


def _reasons(effects: Iterable[Effect]) -> list[Effect]:
    """Return the effects that are reasons of their own."""
    return [effect for effect in effects if effect.kind in _SERIOUS]


def _errors(findings: Sequence[Finding]) -> Iterator[str]:
    count = sum(finding.is_error for finding in findings)
    if count:
        yield _number(count, "error")


def _warnings(findings: Sequence[Finding]) -> Iterator[str]:
    count = sum(not finding.is_error for finding in findings)
    if count:
        yield _number(count, "warning")


def _others(objects: Sequence[ObjectEffect]) -> Iterator[str]:
    count = sum(effect.change.action == "changed" and not effect.is_routine for effect in objects)
    if count:
        verb = "changes" if count == 1 else "change"
        yield f"{_number(count, 'object')} {verb} in more than images and versions"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
