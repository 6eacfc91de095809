"""Promotions that follow by themselves: when they are due, and what holds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.line import BRANCH, DIRECT, TEMPLATE, make_line
from support.manifests import ManifestRepository, git


def test_an_environment_follows_by_itself(tmp_path: Path, manifests: ManifestRepository) -> None:
    line = make_line(tmp_path, manifests, takes="{promotion: dev, auto: true}")
    line.deliver(1)
    assert (line.running("dev"), line.running("production")) == ("1", "1")
    assert line.stage.log()[:2][0] == "Promote web to production: follows dev"
    line.deliver(2)
    assert line.running("production") == "2"
    commits = line.stage.log()
    line.run("rehydrate")
    assert line.stage.log() == commits


@pytest.mark.long
def test_a_time_must_have_passed(
    tmp_path: Path, manifests: ManifestRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = make_line(tmp_path, manifests, takes="{promotion: dev, auto: 30m}")
    line.deliver(1)
    assert not line.has("deploy/production")
    line.run("rehydrate")
    assert not line.has("deploy/production")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")
    line.deliver(2)  # committed longer ago than half an hour, it seems
    assert line.running("production") == "2"


@pytest.mark.long
def test_a_later_run_completes_a_promotion(tmp_path: Path, manifests: ManifestRepository) -> None:
    line = make_line(tmp_path, manifests)
    line.deliver(1)
    line.change(
        {
            "headgate.yaml": DIRECT.replace("DELIVERY", "commit")
            .replace("TEMPLATES", "follow")
            .replace("[{promotion: dev}, {branch: main}]", "{promotion: dev, auto: true}")
        }
    )
    line.run("rehydrate")
    assert line.running("production") == "1"


@pytest.mark.long
def test_what_was_rolled_back_does_not_follow_again(tmp_path: Path, manifests: ManifestRepository) -> None:
    line = make_line(tmp_path, manifests, takes="{promotion: dev, auto: true}")
    line.deliver(1)
    line.deliver(2)
    line.run("roll-back", "web", "--environment", "production", "--reason", "slow")
    line.run("rehydrate")
    assert line.running("production") == "1"
    line.run("unpin", "web", "--environment", "production")
    assert line.running("production") == "1"
    line.deliver(3)
    assert line.running("production") == "3"


@pytest.mark.long
def test_what_follows_waits_while_it_is_frozen(tmp_path: Path, manifests: ManifestRepository) -> None:
    line = make_line(tmp_path, manifests, takes="{promotion: dev, auto: true}")
    line.deliver(1)
    line.run("freeze", "production", "--reason", "Christmas")
    line.deliver(2)
    assert line.running("production") == "1"
    commits = line.stage.log()
    line.run("rehydrate")
    assert line.stage.log() == commits
    line.run("thaw", "production")
    assert line.running("production") == "2"


@pytest.mark.long
def test_a_reviewed_environment_follows_with_one_proposal(tmp_path: Path, manifests: ManifestRepository) -> None:
    line = make_line(tmp_path, manifests, delivery="review", takes="{promotion: dev, auto: true}")
    line.deliver(1)
    assert line.running("production", BRANCH) == "1"
    before = git(line.stage.remote, "rev-parse", BRANCH)
    line.change({"README.md": "hello\n"})
    line.run("rehydrate")
    assert git(line.stage.remote, "rev-parse", BRANCH) == before


@pytest.mark.long
def test_a_template_change_follows_where_templates_travel(tmp_path: Path, manifests: ManifestRepository) -> None:
    line = make_line(tmp_path, manifests, templates="promote", takes="{promotion: dev, auto: true}")
    line.deliver(1)
    line.change({"templates/web/web.yaml": TEMPLATE.replace("COLOR", "green")})
    line.run("rehydrate")
    assert "green" in line.stage.show("main", "deploy/production/web/configmap-web.yaml")
