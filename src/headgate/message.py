"""Commit messages: a subject, changes by app and environment, and trailers for programs. Pure."""

from __future__ import annotations

import re
import string
from collections import Counter
from typing import TYPE_CHECKING, assert_never

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from headgate.hydration.outcome import Outcome
    from headgate.model import Release

_MAX_LINES = 40
_MAX_SUBJECT = 200


def commit_message(
    verb: str,
    outcomes: Sequence[Outcome],
    releases: Mapping[tuple[str, str], Release],
    *,
    what: str = "",
    intent: str = "",
    template: str | None = None,
    actor: str = "",
) -> str:
    """Return the message for a commit of these outcomes.

    ``verb`` begins the subject (``Hydrate``, ``Deliver``); ``what`` names the delivery, by default new versions of
    engines. ``template`` is the subject's, from headgate.yaml; ``intent`` the intent's id, ``actor`` its person. None
    of them can add a trailer or a command for GitLab.
    """
    apps = list(dict.fromkeys(outcome.app for outcome in outcomes))
    environments = list(dict.fromkeys(outcome.environment for outcome in outcomes))
    lines = [f"{outcome.app} in {outcome.environment}: {counts(outcome)}" for outcome in outcomes]
    if len(lines) > _MAX_LINES:
        lines = [*lines[:_MAX_LINES], f"and {len(lines) - _MAX_LINES} more"]
    trailers = [f"Headgate-App: {app}" for app in apps]
    trailers += [f"Headgate-Environment: {environment}" for environment in environments]
    trailers += _release_trailers(releases.values())
    trailers += [f"Headgate-Actor: {actor}"] if actor else []
    trailers += [f"Headgate-Intent: {intent}"] if intent else []
    upgrades = ", ".join(dict.fromkeys(outcome.upgrade for outcome in outcomes if outcome.upgrade))
    title = subject(verb, apps, environments, what=what or upgrades, template=template)
    return compose(title, ["\n".join(map(one_line, lines))], trailers)


def compose(title: str, paragraphs: Iterable[str], trailers: Iterable[str]) -> str:
    """Compose a message; the trailers are the last paragraph, one per line."""
    return "\n\n".join(filter(None, [title, *paragraphs, "\n".join(map(one_line, trailers))])) + "\n"


def subject(verb: str, apps: list[str], environments: list[str], *, what: str = "", template: str | None = None) -> str:
    """Return the first line of a message: bounded, and without a special beginning.

    Special are ``#`` (a comment), ``---`` (the end of a message) and ``/`` (a quick action, since GitLab copies
    commit messages to descriptions of merge requests).
    """
    values = {
        "action": verb,
        "apps": _few(apps, "apps"),
        "environments": _few(environments, "environments"),
        "what": what,
    }
    text = " ".join(one_line(_filled(template or _usual(values), values)).split())
    text = text if what else text.rstrip(" :;,-")
    safe = f"{verb} {text}".rstrip() if re.match(r"[#/>-]|$", text) else text
    return safe if len(safe) <= _MAX_SUBJECT else safe[: _MAX_SUBJECT - 3] + "..."


def _usual(values: Mapping[str, str]) -> str:
    preposition = _TOWARDS.get(values["action"], "in")
    place = f" {preposition} {{environments}}" if values["environments"] else ""
    return f"{{action}} {{apps}}{place}: {{what}}" if values["apps"] else f"{{action}}{place}: {{what}}"


def _filled(template: str, values: Mapping[str, str]) -> str:
    parts = string.Formatter().parse(template)
    return "".join(literal + _harmless(values[name]) if name else literal for literal, name, _, _ in parts)


_TOWARDS = {"Deliver": "to", "Promote": "to", "Remove": "from"}


def _release_trailers(releases: Iterable[Release]) -> list[str]:
    sources, images = [], []
    for release in releases:
        parts = [*release.images.values(), *([release.config] if release.config else [])]
        sources += [f"Headgate-Source: {part.project}@{part.commit}" for part in parts]
        images += [f"Headgate-Image: {image.reference}" for image in release.images.values()]
    return [*dict.fromkeys(sources), *dict.fromkeys(images)]


def counts(outcome: Outcome) -> str:
    """Return how many objects are added, changed and removed, or why none are."""
    by_action = Counter(change.action for change in outcome.objects)
    parts = [f"{by_action[action]} {action}" for action in ("added", "changed", "removed") if by_action[action]]
    if parts:
        return ", ".join(parts)
    match outcome.state:
        case "held":
            return f"held: {'; '.join(outcome.reasons)}"
        case "waiting":
            return f"waits for {', '.join(outcome.waits_for)}"
        case "recorded":
            return "only records change"
        case "changed" | "unchanged" | "superseded" | "failed":
            return "no change"
        case _:
            assert_never(outcome.state)


def _few(names: list[str], many: str) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} {many}"  # noqa: PLR2004


def one_line(text: str) -> str:
    """Remove line breaks, so that no name or reference can add a trailer, and characters that change the direction of
    writing.
    """
    printable = text.encode("utf-8", "replace").decode()
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+", " ", printable)


def _harmless(text: str) -> str:
    """Remove line breaks and GitLab's commands to skip the pipeline."""
    return re.sub(r"\[(ci[ _-]skip|skip[ _-]ci)\]", r"(\1)", one_line(text), flags=re.IGNORECASE)
