"""Policies that programs judge, such as conftest and Kyverno: final YAML in a folder, findings on standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.errors import HeadgateError, Location, ToolError
from headgate.objects.encrypted import without_values
from headgate.paths import SETTINGS
from headgate.validation import conftest, kyverno
from headgate.validation.finding import ObjectFinding
from headgate.validation.policies import RULE
from headgate.validation.program import MAX_MESSAGE, JudgedObject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from headgate.repository.tree import Tree
    from headgate.validation.judge import Subject
    from headgate.validation.program import ProgramFinding

_PROGRAMS: Mapping[str, Callable[[Tree, Sequence[JudgedObject]], Iterable[ProgramFinding]]] = {
    "conftest": conftest.judge,
    "kyverno": kyverno.judge,
}


def judge_by_program(
    name: str, program: str, policies: Tree, subjects: Sequence[Subject]
) -> list[tuple[ObjectFinding, ...]]:
    """Return what a program finds in each subject. Raises ToolError when it fails or prints no findings."""
    objects = [
        JudgedObject(number, subject.environment, subject.app, manifest)
        for number, subject in enumerate(subjects)
        for manifest in subject.manifests
    ]
    found: list[list[ObjectFinding]] = [[] for _ in subjects]
    try:
        for result in _PROGRAMS[program](policies, objects):
            found[result.judged.subject].append(_finding(name, result))
    except HeadgateError as error:
        place = error.where or Location(SETTINGS, 0, f"policies.{name}.program")
        raise ToolError(error.what, where=place, hint=error.hint) from error
    return [tuple(findings) for findings in found]


def _finding(name: str, result: ProgramFinding) -> ObjectFinding:
    return ObjectFinding(
        rule=f"{RULE}{name}",
        field="",
        message=without_values(" ".join(result.message.split()), result.judged.manifest)[:MAX_MESSAGE],
        hint="",
        manifest=result.judged.manifest.without_data,
        policy=name,
        advice=result.advice,
    )
