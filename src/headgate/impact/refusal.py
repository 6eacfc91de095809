"""Risks that an environment refuses. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.bounded import first_few
from headgate.errors import DeniedError, Location
from headgate.paths import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from headgate.impact.risk import Risk
    from headgate.model import RiskFlag


def check_refused(found: Sequence[tuple[str, Risk]], refused: Collection[RiskFlag], environment: str) -> None:
    """Refuse a change whose risks the environment does not take. ``found`` are objects by name, each with a risk.

    Raises DeniedError with all of them, and the setting that refuses them.
    """
    problems = [f"{name} {risk.text} [{risk.flag}]" for name, risk in found if risk.flag in refused]
    if problems:
        flags = list(dict.fromkeys(risk.flag for _, risk in found if risk.flag in refused))
        raise DeniedError(
            f"{environment} refuses this change:\n    " + "\n    ".join(first_few(problems)),
            where=Location(SETTINGS, 0, f"environments.{environment}.refuse"),
            hint=f"change the app, or take {', '.join(flags)} out of that list",
        )
