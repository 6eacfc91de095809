"""The policies of a repository: Kubernetes' ValidatingAdmissionPolicies in ``policies/``, read, placed and checked."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from headgate.bounded import first_few
from headgate.engine import pool
from headgate.engine.protocol import Request, validator_command
from headgate.engine.reading import SourceText, decoded, documents
from headgate.errors import ConfigError, Location, did_you_mean
from headgate.paths import POLICIES, SETTINGS
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headgate.model import PolicySettings
    from headgate.repository.tree import Tree

RULE = "policy/"
"""The prefix of the rule of a policy's finding, before its name."""

_GROUP = "admissionregistration.k8s.io/"
_KIND = "ValidatingAdmissionPolicy"
ENDINGS = (".yaml", ".yml", ".json")


@frozen_record
class Policy:
    """A policy: its name, the object, and where it is: the text of its document and the line before that."""

    name: str
    data: Mapping[str, Any]
    text: SourceText
    lines_before: int = 0

    @property
    def rule(self) -> str:
        """The rule of its findings."""
        return f"{RULE}{self.name}"

    def place(self, path: str, line: int = 0) -> Location:
        """Return where a field is (``spec.validations[0].expression``), or a line of its value, from 1 on."""
        return _place(self.text, self.lines_before, path, line)


@lru_cache(maxsize=512)  # one place is asked for with each finding
def _place(text: SourceText, lines_before: int, path: str, line: int) -> Location:
    keys: list[str | int] = [int(key) if key.isdecimal() else key for key in re.findall(r"[^.\[\]]+", path)]
    found = text.place(keys)
    written = text.data.decode().split("\n")[found.line - 1 : found.line]
    further = line if any(_LITERAL.search(row) for row in written) else line - 1
    return Location(found.file, found.line + lines_before + (further if line else 0), path)


_LITERAL = re.compile(r"[:-] +\|[-+0-9]*\s*$")
"""The end of a line before a literal block, whose lines are those of the value."""


def read_policies(folder: Tree) -> tuple[Policy, ...]:
    """Return the policies in a repository's folder ``policies/``, by file.

    Objects of other kinds there, bindings too, are a cluster's affair. Raises YamlError, and ConfigError for what looks
    like a policy and is none, and for a name that two have.
    """
    found: dict[str, Policy] = {}
    for path in folder.paths():
        for policy in _policies(folder.read(path), f"{POLICIES}/{path}") if path.endswith(ENDINGS) else ():
            if policy.name in found:
                raise ConfigError(
                    f"two policies are called '{policy.name}'",
                    where=policy.place("metadata.name"),
                    hint=f"rename one of them; the other is in {found[policy.name].text.file}",
                )
            found[policy.name] = policy
    return tuple(found.values())


def _policies(data: bytes, file: str) -> Iterator[Policy]:
    lines = decoded(data, file).split("\n")
    for document in documents(data, file):
        before = max(document.line - 1, 0)
        text = SourceText("\n".join(lines[before:]).encode(), file)
        version, kind = (_string(document.data, key) for key in ("apiVersion", "kind"))
        if (version and not version.startswith(_GROUP)) or kind == f"{_KIND}Binding":
            continue
        if not version or kind != _KIND:
            raise ConfigError(
                f"expected a {_KIND} of {_GROUP}v1, found {' '.join(filter(None, (kind, version))) or 'no object'}",
                where=Location(file, document.line),
                hint="correct it, or move it to another folder",
            )
        metadata = document.data.get("metadata")
        yield Policy(name=_string(metadata, "name"), data=document.data, text=text, lines_before=before)


def _string(data: Any, key: str) -> str:
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, str) else ""


def check_policies(policies: Sequence[Policy], settings: Mapping[str, PolicySettings]) -> None:
    """Ask the validator whether policies can be used, all at once.

    Raises ConfigError for the first problem, with the others, and for settings of a policy that is not there; ToolError
    where there is no validator.
    """
    names = [policy.name for policy in policies]
    for name, setting in settings.items():
        if setting.program and name in names:
            raise ConfigError(
                f"the policy '{name}' comes from a program, and one in {POLICIES}/ has the same name",
                where=Location(SETTINGS, 0, f"policies.{name}.program"),
                hint="rename one of them",
            )
        if not setting.program and name not in names:
            raise ConfigError(
                f"no policy '{name}' in {POLICIES}/",
                where=Location(SETTINGS, 0, f"policies.{name}"),
                hint=did_you_mean(name, names),
            )
    if not policies:
        return
    body = {"policies": [policy.data for policy in policies]}
    answer = pool.call(Request(kind="policies", body=body, command=validator_command))
    if answer.error is not None:
        raise answer.error
    if answer.failure is not None:
        raise answer.failure.error()
    problems = [_problem(policies[entry["object"]], entry) for entry in answer.value["findings"]]
    if problems:
        (where, what), more = problems[0], [f"{place}: {text}" for place, text in problems[1:]]
        raise ConfigError(
            "\n    ".join([what, *first_few(more)]), where=where, hint=f"{where.file} is this repository's"
        )


_IN_EXPRESSION = re.compile(r"<input>:(?P<line>\d+):\d+: (?P<text>[^\n]*?)(?: \(in container ''\))?(?:\n|$)")


def _problem(policy: Policy, entry: Mapping[str, Any]) -> tuple[Location, str]:
    """Return where a problem is and what: CEL's own place in an expression becomes one of the file."""
    message: str = entry["message"]
    found = _IN_EXPRESSION.search(message)
    if found is None:
        return policy.place(entry.get("field", "")), message.split("\n", 1)[0]
    return policy.place(entry["field"], int(found["line"])), found["text"]
