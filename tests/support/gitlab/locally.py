"""gitlab-ci-local decides which jobs a pipeline has, and what they are made of: extends, rules, defaults."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from support.gitlab.ciconfig import ConfigurationError, NothingToRunError

TOOL = Path(__file__).resolve().parents[3] / ".tools" / "gitlab-ci-local"
_ANSWERS = TOOL / "answers"
"""What it answered, by what it was asked, for all processes: a question takes it more than a second of a processor.

Another version of it is installed anew, without them.
"""


def jobs(config: dict[str, Any], variables: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the jobs that are added to a pipeline, in order, with their keys. Raises ConfigurationError."""
    # Commits and numbers differ from pipeline to pipeline; rules look at none of them.
    used = {key: value for key, value in variables.items() if not key.endswith(_UNUSED)}
    rules = (config.get("workflow") or {}).get("rules")
    probe = {_WORKFLOW: {"stage": ".pre", "script": ["true"], "rules": rules}} if rules else {}
    # Servers have another port in each test, commits another id: that makes no difference here.
    names = _placeholders([config, used])
    asked = _renamed([{**config, **probe}, used], names)
    answer = _known(yaml.safe_dump(asked[0], sort_keys=False), asked[1])
    found: dict[str, dict[str, Any]] = _renamed(answer, {name: host for host, name in names.items()})
    if probe and found.pop(_WORKFLOW, None) is None:
        raise NothingToRunError("Pipeline filtered out by workflow rules.")
    return found


_WORKFLOW = "workflow-rules"  # a job that is there where the workflow's rules let a pipeline be
_UNUSED = ("_ID", "_SHA", "_MESSAGE", "_TITLE", "_IID", "TOKEN")


def _placeholders(value: Any) -> dict[str, str]:
    """Return names to put in the place of a configuration's servers, commits and numbers, in their order there."""
    found = dict.fromkeys(_VARYING.findall(json.dumps(value, default=str)))
    names = {text: f"text{index:04}.invalid" for index, text in enumerate(found)}
    return dict(sorted(names.items(), key=lambda one: -len(one[0])))  # a commit before its first digits


_VARYING = re.compile(
    r"127\.0\.0\.1:\d+|eyJ[\w-]+\.[\w-]+\.[\w-]+|\b[0-9a-f]{40}\b|\b[0-9a-f]{8}\b|\bproject=\d+|\btoken=[\w.-]{20,}"
)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Return a configuration with other texts in it."""
    if isinstance(value, dict):
        return {_renamed(key, names): _renamed(one, names) for key, one in value.items()}
    if isinstance(value, list):
        return [_renamed(one, names) for one in value]
    if isinstance(value, str):
        for old, new in names.items():
            value = value.replace(old, new)
    return value


def _known(text: str, variables: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = answered(
        [text, sorted(variables.items()), Path(__file__).read_text()], lambda: _ask(text, variables)
    )
    return found


def answered(question: list[Any], ask: Callable[[], Any]) -> Any:
    """Return what gitlab-ci-local answers, or answered before when it was asked the same in the same way.

    ``question`` has all that the answer depends on, how it is asked among it.
    """
    file = _ANSWERS / f"{hashlib.sha256(json.dumps(question).encode()).hexdigest()}.json"
    if not file.is_file():
        answer = json.dumps(ask())
        _ANSWERS.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=_ANSWERS, delete=False) as kept:
            kept.write(answer)
        Path(kept.name).replace(file)  # other processes read whole answers
    return json.loads(file.read_text())


def _ask(text: str, variables: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / ".gitlab-ci.yml").write_text(text)
        for args in (
            ["init", "--quiet", "--initial-branch=main"],
            ["remote", "add", "origin", "http://127.0.0.1/group/project.git"],
        ):
            subprocess.run(["git", *args], cwd=folder, check=True)
        who = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
        subprocess.run(["git", *who, "commit", "--quiet", "--allow-empty", "--message=x"], cwd=folder, check=True)
        told = [f"--variable={name}={value}" for name, value in variables.items()]
        ignored = f"--ignore-predefined-vars={','.join(variables)}"
        told += [f"--unset-variable={name}" for name in _OF_REFS if name not in variables]
        listed = json.loads(_from(_run(folder, "--list-json", ignored, *told), "["))
        merged = yaml.safe_load(_run(folder, "--preview", ignored, *told).partition("---\n")[2])
    return {one["name"]: {**merged[one["name"]], "when": one["when"]} for one in listed if one["when"] != "never"}


_OF_REFS = ("CI_COMMIT_BRANCH", "CI_COMMIT_TAG")
"""What gitlab-ci-local always sets, and GitLab not for each kind of pipeline: doc/ci/variables/predefined_variables."""


def _from(text: str, beginning: str) -> str:
    """Return what is printed after warnings: from the first line that begins so."""
    lines = text.splitlines(keepends=True)
    start = next(index for index, line in enumerate(lines) if line.startswith(beginning) and not line.startswith("[0"))
    return "".join(lines[start:])


def _run(folder: str, *args: str) -> str:
    env = {"PATH": os.environ["PATH"], "HOME": folder}
    done = subprocess.run([*command(), *args], cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigurationError(done.stderr + done.stdout)
    return done.stdout


def command() -> list[str]:
    """Return how gitlab-ci-local is called."""
    return [str(TOOL / "bin" / "gitlab-ci-local"), "--json-schema-validation=false"]
