"""Commit messages: a subject, what changed for whom, and trailers that programs read. Pure."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from headgate.hydrate import Outcome
    from headgate.model import Release

_MAX_LINES = 40


def commit_message(
    verb: str,
    outcomes: Sequence[Outcome],
    releases: Mapping[tuple[str, str], Release],
    *,
    what: str = "",
    intent: str = "",
) -> str:
    """Return the message for a commit of these outcomes.

    ``verb`` begins the subject (``Hydrate``, ``Deliver``); ``what`` names what was delivered;
    ``intent`` identifies it.
    """
    apps = list(dict.fromkeys(outcome.app for outcome in outcomes))
    environments = list(dict.fromkeys(outcome.environment for outcome in outcomes))
    where = f"{_few(apps, 'apps')} {_TOWARDS.get(verb, 'in')} {_few(environments, 'environments')}" if apps else ""
    subject = f"{verb} {': '.join(filter(None, (where, what)))}"
    lines = [f"{outcome.app} in {outcome.environment}: {counts(outcome)}" for outcome in outcomes]
    if len(lines) > _MAX_LINES:
        lines = [*lines[:_MAX_LINES], f"and {len(lines) - _MAX_LINES} more"]
    trailers = [f"Headgate-App: {app}" for app in apps]
    trailers += [f"Headgate-Environment: {environment}" for environment in environments]
    trailers += _release_trailers(releases.values())
    trailers += [f"Headgate-Intent: {intent}"] if intent else []
    return "\n\n".join(["\n".join(map(_one_line, part)) for part in ([subject], lines, trailers) if part]) + "\n"


_TOWARDS = {"Deliver": "to", "Promote": "to", "Remove": "from"}


def _release_trailers(releases: Iterable[Release]) -> list[str]:
    sources, images = [], []
    for release in releases:
        parts = [*release.images.values(), *([release.config] if release.config else [])]
        sources += [f"Headgate-Source: {part.project}@{part.commit}" for part in parts]
        images += [f"Headgate-Image: {image.reference}" for image in release.images.values()]
    return [*dict.fromkeys(sources), *dict.fromkeys(images)]


def counts(outcome: Outcome) -> str:
    """Say how many objects are added, changed and removed."""
    by_action = Counter(change.action for change in outcome.objects)
    told = [f"{by_action[action]} {action}" for action in ("added", "changed", "removed") if by_action[action]]
    if told:
        return ", ".join(told)
    if outcome.state == "held":
        return f"waits: {'; '.join(outcome.reasons)}"
    return f"waits for {', '.join(outcome.waits_for)}" if outcome.waits_for else "no change"


def _few(names: list[str], many: str) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} {many}"  # noqa: PLR2004


def _one_line(text: str) -> str:
    """Keep a text on its line, so that no name or reference can add a trailer."""
    return re.sub(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+", " ", text)
