"""The result of a check, and the projects that checks read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.doctor.examine import Examined, Project
    from headgate.model import Environment

State = Literal["ok", "wrong", "cannot tell"]


@frozen_record(kw_only=False)
class Diagnosis:
    """The result of a check in one project: its state, the fact, and the remedy if it is wrong.

    ``stops``: as long as it is wrong, hand-offs fail.
    """

    check: str
    state: State
    project: str
    message: str
    hint: str = ""
    stops: bool = False


def not_shown(check: str, project: Project, what: str, *, stops: bool = False) -> Diagnosis:
    """Return the diagnosis of a check that needs facts that GitLab does not show to this token."""
    return Diagnosis(check, "cannot tell", project.path, f"GitLab does not show this token {what}", stops=stops)


def hand_offs(findings: Sequence[Diagnosis]) -> State:
    """Whether hand-offs go through, according to all findings."""
    states = {finding.state for finding in findings if finding.stops}
    return "wrong" if "wrong" in states else "cannot tell" if "cannot tell" in states else "ok"


def everything(examined: Examined) -> tuple[Project, ...]:
    """Return all projects."""
    return (*ours(examined), *examined.apps)


def ours(examined: Examined) -> tuple[Project, ...]:
    """Return the manifest project and its intake."""
    return (examined.manifests, *([examined.intake] if examined.intake else []))


def seen(examined: Examined) -> list[Project]:
    """Return those of our projects that the token sees."""
    return [project for project in ours(examined) if project.facts is not None]


def reviewed(examined: Examined) -> list[tuple[str, Environment]]:
    """Return the environments that are reviewed, by their names."""
    environments = examined.settings.environments if examined.settings else {}
    return [(name, environment) for name, environment in environments.items() if environment.delivery == "review"]


def is_given(project: Project, key: str) -> bool:
    """Whether GitLab passes a variable of a project to the jobs that take hand-offs, on its default branch."""
    found = (project.variables or {}).get(key)
    return found is not None and (bool(project.protected) or not found.get("protected"))
