"""What reading commands print as JSON: each has a version, and docs/reading.md names all keys."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from support.cli import headgate
from support.manifests import APP, DEPLOYMENT, IMAGES, ManifestRepository

PAGE = (Path(__file__).parents[1] / "docs/reading.md").read_text().split("## As JSON")[1]


def documented(command: str) -> set[str]:
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| {command} |"))
    return {name.removesuffix("[]") for name in re.findall(r"`([a-z_0-9\[\]]+)`", row.split("|")[2])}


def keys(data: Any) -> set[str]:
    """Return the keys of a document down to those that the page leaves to other pages."""
    if isinstance(data, list):
        return {key for item in data for key in keys(item)}
    if not isinstance(data, dict):
        return set()
    elsewhere = ("release", "error", "pin", "frozen", "waiting", "health", "object")
    return {*data, *(key for name, value in data.items() if name not in elsewhere for key in keys(value))}


@pytest.fixture
def fleet(manifests: ManifestRepository) -> ManifestRepository:
    manifests.write({"templates/web/web.yaml": DEPLOYMENT}).app("web", APP)
    manifests.release("web", "dev", images=IMAGES)
    assert manifests.hydrate().code == 0
    manifests.commit("Begin").write({"deploy/dev/web/deployment.apps-web.yaml": "kind: Edited\n"})
    return manifests.commit("By hand")


def test_each_key_is_documented(fleet: ManifestRepository) -> None:
    step = documented("a step of both")
    for arguments, expected in (
        (("status",), documented("`status`")),
        (("where", "acme/web"), documented("`where`")),
        (("history", "web"), documented("`history APP`") | step),
        (("history",), documented("`history`") | step),
        (("verify",), documented("`verify`")),
    ):
        ran = headgate(*arguments, "--manifests", str(fleet.path), "--json")
        data = json.loads(ran.out)
        assert data["version"] == 1
        assert keys(data) - {"version"} <= expected, arguments
    version = json.loads(headgate("version", "--json").out)
    assert version.pop("version") == 1
    assert set(version) == documented("`version`")
