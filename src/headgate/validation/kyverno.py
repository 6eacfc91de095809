"""Kyverno's own policies, judged by its CLI. Its reports: https://kyverno.io/docs/policy-reports/."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING

from headgate.engine.reading import documents
from headgate.errors import Location, ToolError
from headgate.objects.canonical import to_text
from headgate.paths import POLICIES
from headgate.validation.policies import ENDINGS
from headgate.validation.program import ProgramFinding, read_from, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headgate.objects.manifest import Manifest
    from headgate.repository.tree import Tree
    from headgate.validation.program import JudgedObject

_GROUPS = ("kyverno.io/", "policies.kyverno.io/")
_APPLY = ("kyverno", "apply", POLICIES, "--resource", "objects")
_AS_REPORTS = ("--policy-report", "--output-format", "json", "--audit-warn")
_FOUND = ("fail", "error", "warn")
_RULES = re.compile(r"Applying [1-9][0-9]* policy rule")
_ANY_OBJECT = b'{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "any"}}'


def judge(policies: Tree, objects: Sequence[JudgedObject]) -> Iterator[ProgramFinding]:
    """Yield Kyverno's findings. Its reports name objects, not files, so each environment is judged separately.

    Raises ToolError, also for a policy that Kyverno does not read: it would leave that out and say nothing.
    """
    files = {f"{POLICIES}/{number}.yaml": policy for number, policy in enumerate(_policies(policies))}
    for environment in dict.fromkeys(judged.environment for judged in objects):
        own = [judged for judged in objects if judged.environment == environment]
        by_name = {_reported_name(judged.manifest): judged for judged in own}
        written = {f"objects/{number}.yaml": to_text(judged.manifest).encode() for number, judged in enumerate(own)}
        with read_from("kyverno", run((*_APPLY, *_AS_REPORTS), {**files, **written})) as text:
            yield from _reported(text, by_name)


def _reported_name(manifest: Manifest) -> tuple[str, ...]:
    """Return how a report names an object: what has no namespace is in ``default`` there."""
    return manifest.group, manifest.kind, manifest.namespace or "default", manifest.name


def _reported(text: str, by_name: Mapping[tuple[str, ...], JudgedObject]) -> Iterator[ProgramFinding]:
    """Yield what is in reports: a line of JSON each, with ``---`` between them."""
    reports = [json.loads(line) for line in text.split("\n") if line.strip() not in ("", "---")]
    for result in (result for report in reports for result in report["results"] if result["result"] in _FOUND):
        message = f"{result['policy']}: {result.get('message') or result['rule']}"
        for named in result["resources"]:
            group = named["apiVersion"].rpartition("/")[0]
            name = (group, named["kind"], named["namespace"], named["name"])
            yield ProgramFinding(by_name[name], message, result["result"] == "warn")


def _policies(folder: Tree) -> Iterator[bytes]:
    """Yield Kyverno's policies in a folder, each as JSON. Raises ToolError where there is none, or one is not read."""
    found = False
    for path in folder.paths():
        for document in documents(folder.read(path), f"{POLICIES}/{path}") if path.endswith(ENDINGS) else ():
            version = document.data.get("apiVersion") if isinstance(document.data, dict) else None
            if not str(version).startswith(_GROUPS):
                continue
            policy, found = json.dumps(document.data).encode(), True
            if not _is_read(policy):
                raise ToolError(
                    "Kyverno reads no rule of this policy, and would silently skip it",
                    where=Location(f"{POLICIES}/{path}", document.line),
                    hint="correct it until 'kyverno apply FILE --resource FILE' applies a rule of it, or move it",
                )
            yield policy
    if not found:
        raise ToolError(f"no Kyverno policy in {POLICIES}/", hint="add one, or remove the program")


@cache
def _is_read(policy: bytes) -> bool:
    command = ("kyverno", "apply", f"{POLICIES}/policy.yaml", "--resource", "objects/any.yaml")
    done = run(command, {command[2]: policy, command[4]: _ANY_OBJECT})
    return _RULES.search(done.stdout.decode("utf-8", "replace")) is not None
