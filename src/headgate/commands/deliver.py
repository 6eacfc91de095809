"""``headgate deliver``: a hand-off by hand, from the app's commit to the manifest repository's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.commands.run_intent import RunOptions, run_intent
from headgate.errors import ConfigError
from headgate.intents.deliver import Deliver
from headgate.objects.images import parse_reference
from headgate.releases import handoff
from headgate.releases.source import app_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.objects.images import Reference


@dataclass(frozen=True)
class DeliverOptions:
    """The command's arguments."""

    project: str
    commit: str
    ref: str
    source: str
    images: tuple[str, ...] = ()
    pipeline: int | None = None
    allow_diverged: bool = False
    now: bool = False
    actor: str = ""


def run(request: DeliverOptions, asked: RunOptions) -> int:
    """Hand off, hydrate, commit, push; return the exit code: 0, or the error's."""
    hand_off = handoff.HandOff(
        project=request.project,
        commit=request.commit,
        ref=handoff.full_ref(request.ref),
        images=references(request.images),
        pipeline=request.pipeline,
        actor=request.actor,
    )
    handoff.check(hand_off)
    with app_source(request.source, request.commit) as source:
        return run_intent(
            asked, lambda _: Deliver(hand_off, source, allow_diverged=request.allow_diverged, now=request.now)
        )


def references(images: Sequence[str]) -> tuple[Reference, ...]:
    """Read images as given: ``REPOSITORY:TAG@DIGEST``. Raises ConfigError."""
    parsed = tuple(parse_reference(image) for image in images)
    for image, reference in zip(images, parsed, strict=True):
        if not reference.tag or not reference.digest:
            raise ConfigError(
                f"'{image}' has no {'tag' if not reference.tag else 'digest'}, expected REPOSITORY:TAG@sha256:...",
                hint="the digest is what 'docker push' or 'docker buildx imagetools inspect' prints",
            )
    return parsed
