"""Policies that are programs, such as conftest: final YAML in a folder, findings on standard output."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headgate import process
from headgate.errors import HeadgateError, Location, ToolError
from headgate.objects.canonical import file_name, to_text
from headgate.paths import POLICIES, SETTINGS
from headgate.validation.finding import ObjectFinding
from headgate.validation.policies import RULE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headgate.objects.manifest import Manifest
    from headgate.repository.tree import Tree
    from headgate.validation.judge import Subject

_OBJECTS = "objects"
_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "conftest": ("conftest", "test", "--output", "json", "--no-color", "--policy", POLICIES, _OBJECTS),
}
_LIMITS = process.Limits(seconds=300, output=64 * process.MEBI)
_MAX_MESSAGE = 500


def judge_by_program(
    name: str, program: str, policies: Tree, subjects: Sequence[Subject]
) -> list[tuple[ObjectFinding, ...]]:
    """Return what a program finds in each subject.

    It runs once, in a folder of its own with ``policies/`` and ``objects/ENVIRONMENT/APP/FILE``, without the
    environment of this process, in which tokens are. Raises ToolError when it fails or prints no findings.
    """
    by_file = {
        f"{_OBJECTS}/{subject.environment}/{subject.app}/{file_name(manifest, '')}": (number, manifest)
        for number, subject in enumerate(subjects)
        for manifest in subject.manifests
    }
    files = {path: to_text(manifest).encode() for path, (_, manifest) in by_file.items()}
    files |= {f"{POLICIES}/{path}": policies.read(path) for path in policies.paths()}
    place = Location(SETTINGS, 0, f"policies.{name}.program")
    try:
        entries = list(_findings(_run(_COMMANDS[program], files), by_file))
    except HeadgateError as error:
        raise ToolError(error.what, where=place, hint=error.hint) from error
    found: list[list[ObjectFinding]] = [[] for _ in subjects]
    for number, manifest, message, advice in entries:
        found[number].append(
            ObjectFinding(
                rule=f"{RULE}{name}",
                field="",
                message=" ".join(message.split())[:_MAX_MESSAGE],
                hint="",
                manifest=manifest.without_data,
                policy=name,
                advice=advice,
            )
        )
    return [tuple(findings) for findings in found]


def _run(command: Sequence[str], files: Mapping[str, bytes]) -> Any:
    """Run a program in a folder with files, and return the JSON that it prints, whatever its exit code."""
    with tempfile.TemporaryDirectory(prefix="headgate-") as folder:
        for path, data in files.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        env = {**process.inherited(["PATH"]), "HOME": folder}
        completed = process.run(command, env=env, cwd=folder, limits=_LIMITS, check=False)
    try:
        return json.loads(completed.stdout)
    except ValueError:
        said = " ".join((completed.stderr or completed.stdout.decode("utf-8", "replace")).split())[:_MAX_MESSAGE]
        raise ToolError(
            f"{command[0]} printed no findings (exit code {completed.code}): {said}",
            hint="run it by hand in a folder with policies/ and objects/, as docs/policies.md says",
        ) from None


def _findings(entries: Any, by_file: Mapping[str, tuple[int, Manifest]]) -> Iterator[tuple[int, Manifest, str, bool]]:
    """Yield whose, about what object, what, and whether the policy itself only warns.

    The JSON is conftest's: https://www.conftest.dev/options/#json.
    """
    try:
        for entry in entries:
            for kind, advice in (("failures", False), ("warnings", True)):
                for result in entry.get(kind) or ():
                    yield (*by_file[entry["filename"]], result["msg"], advice)
    except (KeyError, TypeError, AttributeError) as error:
        raise ToolError("what it printed is not conftest's JSON, or about other files") from error
