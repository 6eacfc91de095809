"""The how-to pages: their commands do what they are for, run one after another as they stand there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.model import App, Settings
from support.cli import headgate
from support.manifests import DEPLOYMENT, ManifestRepository, git
from test_docs import ROOT, commands

PAGES = sorted((ROOT / "docs/how-to").glob("*.md"))
WITH_SNIPPETS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
ELSEWHERE = {"doctor"}
"""What asks a GitLab: the tutorial on GitLab is walked by test_tutorial_on_gitlab, all findings are in test_doctor."""

SETTINGS = """
version: 1
environments:
  dev: {takes: {branch: main}, delivery: commit}
  production: {takes: {promotion: dev}, delivery: commit}
"""
# The versions that the pages name, and one after them.
VERSIONS = (
    ("9f04c1d2ab77", "2.0.7", "7d0c1f6e2b90"),
    ("a1b2c3d4e5f6", "2.1.0", "8e1d2a7f3c01"),
)


@pytest.fixture
def manifests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a checkout with the app of the pages, whose two versions went to production, in the folder above it."""
    made = ManifestRepository(tmp_path / "manifests")
    made.path.mkdir()
    git(made.path, "init", "--quiet", "--initial-branch=main")
    made.write({"headgate.yaml": SETTINGS, "templates/web/web.yaml": DEPLOYMENT.replace("acme/web", "acme/shop")})
    made.app("shop", "project: acme/shop\nimages: {web: registry.example.com/acme/shop}\ntemplate: web\n")
    made.commit("Begin")
    git(tmp_path, "clone", "--quiet", "--bare", str(made.path), "manifests.git")
    git(made.path, "remote", "add", "origin", str(tmp_path / "manifests.git"))
    git(made.path, "fetch", "--quiet", "origin")
    git(made.path, "branch", "--quiet", "--set-upstream-to=origin/main")
    monkeypatch.chdir(made.path)
    for commit, tag, digest in VERSIONS:
        image = f"registry.example.com/acme/shop:{tag}@sha256:{digest:0<64}"
        named = ["--project", "acme/shop", "--commit", f"{commit:0<40}", "--by", "mia", "--allow-diverged"]
        assert headgate("deliver", *named, "--image", image).code == 0
        assert headgate("promote", "shop", "--from", "dev", "--to", "production", "--by", "mia").code == 0
    return made.path


def lines(page: Path) -> list[list[str]]:
    """Return the command lines of a page."""
    return [words for words in commands(page) if words[0] not in ELSEWHERE]


@pytest.mark.parametrize("page", [page for page in PAGES if lines(page)], ids=lambda page: page.stem)
def test_each_command_does_what_it_is_for(page: Path, manifests: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if any("manifests" in words for words in lines(page)):  # the page names the checkout from the folder above it
        monkeypatch.chdir(manifests.parent)
    if any(words[0] == "init" for words in lines(page)):  # it begins with nothing
        (manifests.parent / "empty").mkdir()
        monkeypatch.chdir(manifests.parent / "empty")
    for words in lines(page):
        ran = headgate(*words)
        assert ran.code == 0, (words, ran.out, ran.err)
        assert ran.out, words
        if "--json" in words:
            assert json.loads(ran.out), words
        if words[0] == "init":  # the first step that it prints
            git(Path("manifests"), "init", "--quiet", "--initial-branch=main")
            ManifestRepository(Path("manifests")).commit()


def snippets() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the snippets of the pages that show configuration: page and number, and what they hold."""
    for page in WITH_SNIPPETS:
        for number, text in enumerate(re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)):
            for found in yaml.safe_load_all(text):
                is_record = "dependencies" in (found.get("config") or {})  # which Headgate writes
                if found.keys() <= Settings.model_fields.keys() | App.model_fields.keys() and not is_record:
                    yield f"{page.stem}-{number}", found


SNIPPETS = dict(snippets())


@pytest.mark.parametrize("name", SNIPPETS)
def test_each_snippet_of_configuration_is_valid(name: str, tmp_path: Path) -> None:
    made, found = ManifestRepository.make(tmp_path / "manifests"), SNIPPETS[name]
    environments: dict[str, dict[str, Any]] = {"dev": {"delivery": "commit"}, "production": {"delivery": "review"}}
    whole: dict[str, Any] = {"version": 1, "gitlab": {"url": "https://gitlab.example.com", "project": "acme/manifests"}}
    app: dict[str, Any] = {
        "project": "acme/shop",
        "images": {"shop": "registry.example.com/acme/shop"},
        "template": "web",
    }
    if found.keys() <= Settings.model_fields.keys():
        for environment, settings in found.pop("environments", {}).items():
            environments[environment] = {"delivery": "commit", **settings}
        clusters = found.get("clusters", {})
        if not any("cluster" in one for one in environments.values()) and "environments" not in str(clusters):
            environments = {name: {"delivery": "commit"} for name in clusters} | environments
        whole |= found
    else:
        app |= found
    others = [other for other in app.get("depends_on", []) if other != "shop"]
    whole["environments"] = environments
    made.write({"headgate.yaml": yaml.safe_dump(whole, sort_keys=False), "templates/web/web.yaml": DEPLOYMENT})
    for one in ("shop", *others):
        own = {key: value for key, value in app.items() if key != "depends_on" or one == "shop"}
        made.app(one, yaml.safe_dump(own | {"images": {one: f"registry.example.com/acme/{one}"}}))
    ran = made.commit().hydrate("--all", "--check")
    assert "error: headgate.yaml" not in ran.err, ran.err
    assert "app.yaml" not in ran.err, ran.err
    assert ran.code == 0, (ran.out, ran.err)
