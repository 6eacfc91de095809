"""What a check says, and the projects that it looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from headgate.doctor.examine import Examined, Project

State = Literal["ok", "wrong", "cannot tell"]


@dataclass(frozen=True)
class Finding:
    """What a check found in one project: its state, what is so, and the way out where it is wrong."""

    check: str
    state: State
    project: str
    told: str
    hint: str = ""


def everything(examined: Examined) -> tuple[Project, ...]:
    """Return all projects."""
    return (*ours(examined), *examined.apps)


def ours(examined: Examined) -> tuple[Project, ...]:
    """Return the manifest project and its intake."""
    return (examined.manifests, *([examined.intake] if examined.intake else []))


def seen(examined: Examined) -> list[Project]:
    """Return those of our projects that the token sees."""
    return [project for project in ours(examined) if project.facts is not None]


def is_reviewed(examined: Examined) -> bool:
    """Whether an environment is reviewed."""
    environments = examined.settings.environments if examined.settings else {}
    return any(one.delivery == "review" for one in environments.values())
