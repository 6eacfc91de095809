"""Policies in Rego, judged by conftest. Its JSON: https://www.conftest.dev/options/#json."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from headgate.objects.canonical import file_name, to_text
from headgate.paths import POLICIES
from headgate.validation.program import ProgramFinding, read_from, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.repository.tree import Tree
    from headgate.validation.program import JudgedObject

_OBJECTS = "objects"
_COMMAND = ("conftest", "test", "--output", "json", "--no-color", "--policy", POLICIES, _OBJECTS)


def judge(policies: Tree, objects: Sequence[JudgedObject]) -> Iterator[ProgramFinding]:
    """Yield what conftest finds, all at once, in ``objects/ENVIRONMENT/APP/FILE``. Raises ToolError."""
    by_file = {
        f"{_OBJECTS}/{judged.environment}/{judged.app}/{file_name(judged.manifest, '')}": judged for judged in objects
    }
    files = {path: to_text(judged.manifest).encode() for path, judged in by_file.items()}
    files |= {f"{POLICIES}/{path}": policies.read(path) for path in policies.paths()}
    with read_from("conftest", run(_COMMAND, files)) as text:
        for entry in json.loads(text):
            for kind, advice in (("failures", False), ("warnings", True)):
                for result in entry.get(kind) or ():
                    yield ProgramFinding(by_file[entry["filename"]], result["msg"], advice)
