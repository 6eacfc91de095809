"""CI files with a header: taken apart, checked against GitLab's schema, and filled in as GitLab does."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from support.gitlab.ciconfig import Scope, check_inputs, fill

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
NAMES = ("deliver", "preview", "hydrate", "warm")


class _Strict(yaml.SafeLoader):
    """Refuses a key that is there twice, which YAML forbids and PyYAML takes."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key is there twice: {keys}"
        return super().construct_mapping(node, deep)


@dataclass(frozen=True)
class CiFile:
    """The header's ``spec`` and the body of a CI file."""

    spec: dict[str, Any]
    body: dict[str, Any]

    @property
    def inputs(self) -> dict[str, dict[str, Any]]:
        """What the header declares."""
        return dict(self.spec.get("inputs", {}))


def read_ci(text: str) -> CiFile:
    """Take a CI file with a header apart."""
    header, body = yaml.load_all(text, _Strict)
    return CiFile(header["spec"], body)


@cache
def component(name: str) -> CiFile:
    """Read a component of this project."""
    return read_ci((TEMPLATES / f"{name}.yml").read_text())


@cache
def _schema() -> jsonschema.Draft7Validator:
    # GitLab's app/assets/javascripts/editor/schema/ci.json
    text = files("check_jsonschema").joinpath("builtin_schemas/vendor/gitlab-ci.json").read_text()
    return jsonschema.Draft7Validator(json.loads(text))


_INPUT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["description"],
    "properties": {
        "description": {"type": "string", "minLength": 1},
        "type": {"enum": ["string", "number", "boolean", "array"]},
        "default": {},
        "regex": {"type": "string"},
        "options": {"type": "array", "minItems": 1, "maxItems": 50, "items": {"type": "string"}},
    },
}
# https://docs.gitlab.com/ci/yaml/#specinputs, which GitLab's own schema leaves open
HEADER = {
    "type": "object",
    "additionalProperties": False,
    "required": ["inputs"],
    "properties": {
        "description": {"type": "string", "maxLength": 256},
        "component": {"type": "array", "items": {"enum": ["name", "sha", "version", "reference"]}},
        "inputs": {"type": "object", "additionalProperties": _INPUT, "propertyNames": {"pattern": "^[a-z][a-z-]+$"}},
    },
}


def header_complaints(spec: dict[str, Any]) -> list[str]:
    """Return what is wrong with a header, by GitLab's schema and by its documentation."""
    found = jsonschema.Draft7Validator(HEADER).iter_errors(spec)
    return complaints({"spec": spec}) + [one.message for one in found]


def complaints(document: dict[str, Any]) -> list[str]:
    """Return what GitLab's schema says against a document."""
    return [f"{'/'.join(map(str, one.absolute_path))}: {one.message}" for one in _schema().iter_errors(document)]


def fill_in(file: CiFile, given: dict[str, Any], context: dict[str, str], variables: dict[str, str]) -> dict[str, Any]:
    """Return the body as GitLab makes it of inputs, by the double's rules: https://docs.gitlab.com/ci/inputs/.

    ``context`` is what ``component.NAME`` stands for, ``variables`` what ``expand_vars`` knows. Raises
    ConfigurationError as GitLab refuses.
    """
    known = {name: context[name] for name in file.spec.get("component", [])}
    return dict(fill(file.body, Scope(check_inputs(file.inputs, given), variables, known)))


def matches(regex: str, value: str) -> bool:
    """Whether a value passes, as in RE2 and JavaScript, where ``$`` is the end and not before a last line break."""
    assert re.fullmatch(r"\^.*[^\\]\$", regex), regex
    return re.search(f"{regex[:-1]}\\Z", value) is not None


def resolved(body: dict[str, Any]) -> dict[str, Any]:
    """Return the jobs with what they extend put in, as GitLab merges them; hidden ones left out."""

    def merged(job: dict[str, Any]) -> dict[str, Any]:
        parent = merged(body[job["extends"]]) if "extends" in job else {}
        own = {key: value for key, value in job.items() if key != "extends"}
        return {**parent, **own}

    return {name: merged(job) for name, job in body.items() if not name.startswith(".")}


def yamlfmt(*paths: Path) -> subprocess.CompletedProcess[str]:
    """Run yamlfmt as it is without any configuration."""
    program = ROOT / ".venv" / "bin" / "yamlfmt"
    return subprocess.run(
        [str(program), "-no_global_conf", "-lint", *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
