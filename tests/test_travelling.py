"""Templates that travel: one that changes alone is promoted, proposed, held and fails as a version does."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.manifests import ManifestRepository
from support.stage import BRANCH, TEMPLATE, Stage, make_promoted

CONFIG_MAP = "deploy/production/web/configmap-web.yaml"
IN_PRODUCTION = ("--environment", "production")
AUTO = "{promotion: dev, auto: true}"


def turn_green(stage: Stage, code: int = 0) -> None:
    """Let the template change, and the push's run come."""
    stage.change({"templates/web/web.yaml": TEMPLATE.replace("COLOR", "green")})
    stage.command("rehydrate", code=code)


def test_what_is_proposed_stays_until_it_is_merged(tmp_path: Path, manifests: ManifestRepository) -> None:
    stage = make_promoted(tmp_path, manifests, templates="promote", delivery="review")
    stage.new_version(1)
    stage.promote()
    stage.merge()
    turn_green(stage)
    stage.promote()
    head = stage.commit(BRANCH)
    for run in ("refresh", "rehydrate"):
        stage.command(run)
        assert stage.commit(BRANCH) == head
    stage.merge()
    assert "green" in stage.show("main", CONFIG_MAP)


def test_what_is_held_stays_and_is_written_once(tmp_path: Path, manifests: ManifestRepository) -> None:
    stage = make_promoted(tmp_path, manifests, templates="promote", takes=AUTO)
    stage.new_version(1)
    stage.command("pin", "web", *IN_PRODUCTION, "--reason", "audit")
    turn_green(stage)
    commits = stage.log()
    stage.command("rehydrate")
    assert stage.log() == commits
    stage.command("unpin", "web", *IN_PRODUCTION)
    assert "green" in stage.show("main", CONFIG_MAP)


@pytest.mark.long
def test_what_fails_is_on_record_and_is_written_once(tmp_path: Path, manifests: ManifestRepository) -> None:
    stage = make_promoted(tmp_path, manifests, templates="promote", takes=AUTO)
    stage.new_version(1)
    double = "deploy/production/web/mine.yaml"
    stage.change({double: stage.show("main", CONFIG_MAP)})
    turn_green(stage, code=20)
    commits = stage.log()
    stage.command("rehydrate", code=20)
    assert stage.log() == commits
    assert double in stage.command("status").out
    stage.change({double: None})
    stage.command("rehydrate")
    assert "green" in stage.show("main", CONFIG_MAP)
