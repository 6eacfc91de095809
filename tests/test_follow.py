"""Promotions that follow by themselves: when they are due, and what holds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.manifests import ManifestRepository
from support.stage import BRANCH, TEMPLATE, make_promoted, promoted


def test_an_environment_follows_by_itself(tmp_path: Path, manifests: ManifestRepository) -> None:
    stage = make_promoted(tmp_path, manifests, takes="{promotion: dev, auto: true}")
    stage.new_version(1)
    assert (stage.running("dev"), stage.running("production")) == ("1", "1")
    assert stage.log()[:2][0] == "Promote web to production: follows dev"
    stage.new_version(2)
    assert stage.running("production") == "2"
    commits = stage.log()
    stage.command("rehydrate")
    assert stage.log() == commits


@pytest.mark.long
def test_a_time_must_have_passed(
    tmp_path: Path, manifests: ManifestRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = make_promoted(tmp_path, manifests, takes="{promotion: dev, auto: 30m}")
    stage.new_version(1)
    assert not stage.paths("deploy/production")
    stage.command("rehydrate")
    assert not stage.paths("deploy/production")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")
    stage.new_version(2)  # committed longer ago than half an hour, it seems
    assert stage.running("production") == "2"


@pytest.mark.long
def test_a_later_run_completes_a_promotion(tmp_path: Path, manifests: ManifestRepository) -> None:
    stage = make_promoted(tmp_path, manifests)
    stage.new_version(1)
    stage.change({"headgate.yaml": promoted(takes="{promotion: dev, auto: true}")})
    stage.command("rehydrate")
    assert stage.running("production") == "1"


@pytest.mark.long
def test_what_was_rolled_back_does_not_follow_again(tmp_path: Path, manifests: ManifestRepository) -> None:
    stage = make_promoted(tmp_path, manifests, takes="{promotion: dev, auto: true}")
    stage.new_version(1)
    stage.new_version(2)
    stage.command("roll-back", "web", "--environment", "production", "--reason", "slow")
    stage.command("rehydrate")
    assert stage.running("production") == "1"
    stage.command("unpin", "web", "--environment", "production")
    assert stage.running("production") == "1"
    stage.new_version(3)
    assert stage.running("production") == "3"


@pytest.mark.long
def test_what_follows_waits_while_it_is_frozen(tmp_path: Path, manifests: ManifestRepository) -> None:
    stage = make_promoted(tmp_path, manifests, takes="{promotion: dev, auto: true}")
    stage.new_version(1)
    stage.command("freeze", "production", "--reason", "Christmas")
    stage.new_version(2)
    assert stage.running("production") == "1"
    commits = stage.log()
    stage.command("rehydrate")
    assert stage.log() == commits
    stage.command("thaw", "production")
    assert stage.running("production") == "2"


@pytest.mark.long
def test_a_reviewed_environment_follows_with_one_proposal(tmp_path: Path, manifests: ManifestRepository) -> None:
    stage = make_promoted(tmp_path, manifests, delivery="review", takes="{promotion: dev, auto: true}")
    stage.new_version(1)
    assert stage.running("production", BRANCH) == "1"
    before = stage.commit(BRANCH)
    stage.change({"README.md": "hello\n"})
    stage.command("rehydrate")
    assert stage.commit(BRANCH) == before


@pytest.mark.long
def test_a_template_change_follows_where_templates_travel(tmp_path: Path, manifests: ManifestRepository) -> None:
    stage = make_promoted(tmp_path, manifests, templates="promote", takes="{promotion: dev, auto: true}")
    stage.new_version(1)
    stage.change({"templates/web/web.yaml": TEMPLATE.replace("COLOR", "green")})
    stage.command("rehydrate")
    assert "green" in stage.show("main", "deploy/production/web/configmap-web.yaml")
