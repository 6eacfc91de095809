"""What a reviewer is to know of a change, before it is written as Markdown, text, JSON or HTML. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING

from headgate.impact.effects import EFFECT_KINDS
from headgate.impact.risk import unsaid
from headgate.records import frozen_record
from headgate.releases.release import parts
from headgate.report.appchange import app_changes
from headgate.report.grouping import own_name, shown_once
from headgate.report.verdict import findings_of, verdict_of
from headgate.report.versions import version_steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from headgate.configuration import Owner
    from headgate.hydration.object_changes import ObjectChange
    from headgate.impact.effects import EffectKind
    from headgate.landing.rehearse import Rehearsal
    from headgate.report.appchange import AppChange, ObjectEffect
    from headgate.report.verdict import Finding, Verdict
    from headgate.report.versions import SourceStep
    from headgate.repository.tree import Tree


@frozen_record
class ChangeReport:
    """Changes with what is known of them.

    ``requested_by`` names the person, ``consequence`` says in a sentence what merging or landing does. ``titles`` are
    those of the commits between two versions, newest first, as far as they can be read. ``page`` is the address of the
    same as a page. ``title`` replaces the verdict where nothing is to be decided.
    """

    changes: Sequence[AppChange]
    findings: Sequence[Finding] = ()
    requested_by: str = ""
    consequence: str = ""
    title: str = ""
    page: str = ""
    titles: Mapping[SourceStep, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, landed: Tree, found: Rehearsal, *, requested_by: str = "", consequence: str = "") -> ChangeReport:
        """Return the report on what would be landed, and on what is not hydrated."""
        return cls(
            changes=app_changes(landed, found.tree, found.configuration),
            findings=findings_of(found.outcomes),
            requested_by=requested_by,
            consequence=consequence,
        )

    @property
    def verdict(self) -> Verdict:
        """The verdict."""
        return verdict_of(self.changes, self.findings)

    @cached_property
    def several(self) -> bool:
        """Whether it is about more than one app in one environment, so that these must be named."""
        return len({(change.app, change.environment) for change in self.changes}) > 1


@frozen_record
class Fact:
    """One thing that holds for objects of one kind: an effect with its causes, or a risk."""

    kind: str
    names: tuple[str, ...]
    text: str
    causes: str = ""
    effect: EffectKind | None = None

    @property
    def is_serious(self) -> bool:
        """Whether a reviewer must not overlook it."""
        return self.effect in _SERIOUS or (self.effect == "scales" and self.text.endswith(" to 0"))


_SERIOUS = (None, "rejected", "data", "recreated", "exposes", "removed")


def source_steps(changes: Iterable[AppChange]) -> list[SourceStep]:
    """Return the steps from one commit to another of the same project that changes take."""
    steps = (step for change in changes for step in version_steps(change))
    return list(dict.fromkeys(step.source_step for step in steps if step.is_comparable))


def actors_of(changes: Iterable[AppChange]) -> str:
    """Return the persons whose versions changes deliver, as a list in words."""
    found: dict[str, None] = {}
    for change in changes:
        before = parts(change.before)
        for name, part in parts(change.after).items():
            if part != before.get(name) and part.actor:
                found[part.actor] = None
    return ", ".join(found)


_SHOWN_IN_SECTIONS = ("added", "changed")


def effect_facts(changes: Iterable[AppChange]) -> list[Fact]:
    """Return the effects, worst first, those that objects share in one. What only comes or changes is left out."""
    found: dict[tuple[EffectKind | None, str, str, str], list[_Said]] = {}
    for change in changes:
        for effect in change.objects:
            for consequence in effect.change.effects:
                if consequence.kind not in _SHOWN_IN_SECTIONS:
                    said = _said(change, effect, consequence.text, str(effect.causes))
                    found.setdefault((consequence.kind, *said.key), []).append(said)
    return sorted(map(_fact, found, found.values()), key=lambda fact: EFFECT_KINDS.index(fact.effect or "rejected"))


def risk_facts(changes: Iterable[AppChange]) -> list[Fact]:
    """Return the risks that no effect says, those that objects share in one."""
    found: dict[tuple[EffectKind | None, str, str, str], list[_Said]] = {}
    for change in changes:
        for effect in change.objects:
            for risk in unsaid(effect.change.risks, effect.change.effects):
                said = _said(change, effect, risk.text, "")
                found.setdefault((None, *said.key), []).append(said)
    return list(map(_fact, found, found.values()))


@frozen_record(kw_only=False)
class _Said:
    """A text about one object; ``key`` is equal for other apps' objects with the same text but for the app's name."""

    app: str
    name: str
    text: str
    causes: str
    key: tuple[str, str, str]


def _said(change: AppChange, effect: ObjectEffect, text: str, causes: str) -> _Said:
    app = change.app
    key = effect.change.kind, own_name(app, text), own_name(app, causes)
    return _Said(app, object_name(effect.change), text, causes, key)


def _fact(key: tuple[EffectKind | None, str, str, str], said: Sequence[_Said]) -> Fact:
    return Fact(
        kind=key[1],
        names=tuple(found.name for found in said),
        text=shown_once([(found.app, found.text) for found in said]),
        causes=shown_once([(found.app, found.causes) for found in said]),
        effect=key[0],
    )


@frozen_record
class FindingGroup:
    """An equal finding of several app-environments."""

    owners: tuple[Owner, ...]
    text: str
    is_error: bool


def finding_groups(findings: Iterable[Finding]) -> list[FindingGroup]:
    """Return the findings, grouped if they differ only by the app's own name."""
    found: dict[tuple[bool, str], list[Finding]] = {}
    for finding in findings:
        found.setdefault((finding.is_error, own_name(finding.app, finding.text)), []).append(finding)
    return [
        FindingGroup(
            owners=tuple((finding.app, finding.environment) for finding in alike),
            text=shown_once([(finding.app, finding.text) for finding in alike]),
            is_error=is_error,
        )
        for (is_error, _), alike in found.items()
    ]


def consequences(effect: ObjectEffect) -> list[str]:
    """Return the risks and effects of one object in words, each once."""
    risks = [risk.text for risk in unsaid(effect.change.risks, effect.change.effects)]
    return list(dict.fromkeys([*risks, *(found.text for found in effect.change.effects)]))


def counts(changes: Sequence[AppChange]) -> str:
    """Return how many objects are added, changed and removed, in how many apps."""
    shown = action_counts(effect for change in changes for effect in change.objects)
    objects = f"Objects: {shown}" if shown else "No object changes"
    apps = len({change.app for change in changes})
    return f"{objects}, in {apps} apps" if apps > 1 else objects


def action_counts(objects: Iterable[ObjectEffect]) -> str:
    """Return how many objects are added, changed and removed: ``1 added, 2 changed``."""
    by_action = Counter(effect.change.action for effect in objects)
    return ", ".join(f"{by_action[action]} {action}" for action in ("added", "changed", "removed") if by_action[action])


def object_name(change: ObjectChange) -> str:
    """Return an object's name as kubectl shows it, without its kind."""
    return f"{change.namespace}/{change.name}" if change.namespace else change.name


def object_title(effect: ObjectEffect) -> str:
    """Return what becomes of an object, in words that follow its name: ``is changed``."""
    change = effect.change
    return f"is {change.action}, was {change.old_name}" if change.old_name else f"is {change.action}"
