"""``headgate deliver``: a hand-off by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.commands.run import run_intent
from headgate.errors import ArgumentError, ConfigError
from headgate.intents.deliver import Deliver
from headgate.objects.images import SHA256, digest_error, parse_reference
from headgate.releases import handoff
from headgate.releases.source import app_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.commands.options import RunOptions
    from headgate.objects.images import Reference


def run(
    hand_off: handoff.HandOff, source: str, options: RunOptions, *, allow_diverged: bool = False, now: bool = False
) -> int:
    """Hand off, hydrate, commit, push; ``source`` is the app's repository. Returns the exit code.

    Raises ArgumentError for an invalid hand-off.
    """
    try:
        handoff.check(hand_off)
    except ConfigError as error:
        raise _of_argument(error) from None
    with app_source(source, hand_off.commit) as opened:
        return run_intent(
            options, lambda _workspace, _stack: Deliver(hand_off, opened, allow_diverged=allow_diverged, now=now)
        )


def references(images: Sequence[str]) -> tuple[Reference, ...]:
    """Read images as given: ``REPOSITORY:TAG@DIGEST``. Raises ArgumentError."""
    parsed = tuple(_reference(image) for image in images)
    for image, reference in zip(images, parsed, strict=True):
        if not reference.tag or not reference.digest:
            raise ArgumentError(
                f"'{image}' has no {'tag' if not reference.tag else 'digest'}, expected REPOSITORY:TAG@sha256:...",
                hint="the digest is what 'docker push' or 'docker buildx imagetools inspect' prints",
            )
        if not SHA256.fullmatch(reference.digest):
            raise _of_argument(digest_error(reference.digest, image))
    return parsed


def _reference(image: str) -> Reference:
    try:
        return parse_reference(image)
    except ConfigError as error:
        raise _of_argument(error) from None


def _of_argument(error: ConfigError) -> ArgumentError:
    return ArgumentError(error.what, hint=error.hint)
