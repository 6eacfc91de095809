"""``hydrator.metadata`` on mirrors, with the configuration of docs/gitops-promoter.md."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.manifests import git
from support.stage import Stage, replicas, write_app

PAGE = Path(__file__).resolve().parents[1] / "docs/gitops-promoter.md"
SNIPPETS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)]
NEXT = {name: f"environment/{name}-next" for name in ("dev", "production")}
FILE = "hydrator.metadata"


@pytest.fixture
def promoted(stage: Stage) -> Stage:
    """Return an app and a manifest repository with the page's headgate.yaml."""
    (settings,) = [snippet for snippet in SNIPPETS if "environments" in snippet]
    stage.change({"headgate.yaml": yaml.safe_dump(settings, sort_keys=False)})
    return stage


def metadata(stage: Stage, environment: str) -> Any:
    return json.loads(stage.show(NEXT[environment], FILE))


def noted(stage: Stage, environment: str) -> str:
    text = git(stage.remote, "notes", "--ref=hydrator.metadata", "show", NEXT[environment])
    return str(json.loads(text)["drySha"])


def test_the_page_is_about_these_branches() -> None:
    (strategy,) = [snippet for snippet in SNIPPETS if snippet.get("kind") == "PromotionStrategy"]
    assert [f"{one['branch']}-next" for one in strategy["spec"]["environments"]] == list(NEXT.values())
    (application,) = [snippet for snippet in SNIPPETS if snippet.get("kind") == "Application"]
    assert f"{application['spec']['source']['targetRevision']}-next" in NEXT.values()


def test_each_branch_says_what_it_repeats(promoted: Stage) -> None:
    assert promoted.deliver("--by", "anna").code == 0
    for name, branch in NEXT.items():
        found = metadata(promoted, name)
        assert found["drySha"] == promoted.commit() == noted(promoted, name)
        assert found["repoURL"] == "https://gitlab.example.com/platform/manifests"
        assert found["author"] == git(promoted.remote, "log", "-1", "--format=%an <%ae>", "main")
        assert found["subject"] == promoted.log()[0]
        assert "Headgate-App: web" in found["body"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", found["date"])
        source = {"sha": git(promoted.app, "rev-parse", "HEAD"), "repoURL": "https://gitlab.example.com/acme/web"}
        assert found["references"] == [{"commit": source}]
        folder = git(promoted.remote, "rev-parse", f"main:deploy/{name}/web")
        assert git(promoted.remote, "rev-parse", f"{branch}:web") == folder
        assert git(promoted.remote, "ls-tree", "--name-only", branch).split() == [FILE, "web"]


@pytest.mark.long
def test_what_changes_no_yaml_moves_the_note_alone(promoted: Stage) -> None:
    promoted.deliver()
    before, first = {name: promoted.commit(branch) for name, branch in NEXT.items()}, promoted.commit()
    promoted.change({"README.md": "new"})
    assert promoted.run("refresh").code == 0
    assert promoted.commit() != first
    assert {name: promoted.commit(branch) for name, branch in NEXT.items()} == before
    assert {noted(promoted, name) for name in NEXT} == {promoted.commit()}
    assert {metadata(promoted, name)["drySha"] for name in NEXT} == {first}
    notes = promoted.commit("refs/notes/hydrator.metadata")
    assert promoted.run("refresh").code == 0
    assert promoted.commit("refs/notes/hydrator.metadata") == notes


@pytest.mark.long
def test_new_yaml_comes_with_its_commit(promoted: Stage) -> None:
    promoted.deliver()
    write_app(promoted, {"deploy/web.yaml": replicas(7)})
    promoted.deliver()
    for name, branch in NEXT.items():
        assert metadata(promoted, name)["drySha"] == promoted.commit() == noted(promoted, name)
        assert len(promoted.log(branch)) == 2


@pytest.mark.long
def test_notes_of_others_stay(promoted: Stage) -> None:
    promoted.deliver()
    git(promoted.remote, "notes", "--ref=hydrator.metadata", "add", "-m", "theirs", "main")
    other = promoted.commit()
    write_app(promoted, {"deploy/web.yaml": replicas(7)})
    assert promoted.deliver().code == 0
    assert git(promoted.remote, "notes", "--ref=hydrator.metadata", "show", other) == "theirs"
    assert noted(promoted, "dev") == promoted.commit()


@pytest.mark.long
def test_a_mirror_that_had_none_gets_it(promoted: Stage) -> None:
    text = promoted.show("main", "headgate.yaml")
    promoted.change({"headgate.yaml": text.replace("metadata: true", "metadata: false")})
    promoted.deliver()
    assert git(promoted.remote, "ls-tree", "--name-only", NEXT["dev"]) == "web"
    promoted.change({"headgate.yaml": text})
    assert promoted.run("rehydrate").code == 0
    assert metadata(promoted, "dev")["drySha"] == promoted.commit()
