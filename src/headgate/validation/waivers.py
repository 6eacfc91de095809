"""Waivers: findings that headgate.yaml lets pass for a time, with a reason. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from headgate.model import Waiver
    from headgate.validation.finding import ObjectFinding


def waiver_of(
    finding: ObjectFinding, waivers: Sequence[Waiver], app: str, environment: str, today: date
) -> tuple[Waiver | None, Waiver | None]:
    """Return the waiver that lets a finding pass, and one that did until a day that is over."""
    fitting = [waiver for waiver in waivers if _fits(waiver, finding, app, environment)]
    valid = next((waiver for waiver in fitting if waiver.until >= today), None)
    return valid, next((waiver for waiver in fitting if waiver.until < today), None)


def _fits(waiver: Waiver, finding: ObjectFinding, app: str, environment: str) -> bool:
    manifest = finding.manifest
    names = {f"{manifest.kind}/{manifest.name}", f"{manifest.kind_name}/{manifest.name}"}
    return (
        waiver.rule == finding.rule
        and waiver.app in (None, app)
        and (not waiver.environments or environment in waiver.environments)
        and (waiver.object is None or waiver.object in names)
        and (waiver.field is None or _is_below(finding.field, waiver.field))
    )


def _is_below(field: str, above: str) -> bool:
    return field == above or field.startswith((f"{above}.", f"{above}["))
