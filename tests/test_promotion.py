"""What a promotion is compared with: by tags, by history, and again after a lost race."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.intents.promote import PartOrder
from headgate.model import Newest, ReleasedConfig
from headgate.releases.version_order import compare_versions
from support.manifests import ManifestRepository, git
from support.stage import Stage, make_promoted, write_app
from test_laws import losing
from test_order import Unread


@pytest.fixture
def tagged(tmp_path: Path, manifests: ManifestRepository) -> Stage:
    """Production takes tags, and promotions from dev, which takes main."""
    return make_promoted(tmp_path, manifests, takes='[{tag: "v*"}, {promotion: dev}]')


def release_branch(stage: Stage, tag: str, number: int) -> None:
    """Hand a tagged commit off that is on no way to main, as a hotfix is."""
    app = stage.app
    git(app, "switch", "--quiet", "--create", f"release-{number}")
    write_app(stage, {"version": f"{number} for {tag}"})
    git(app, "tag", tag)
    ran = stage.hand_off(git(app, "rev-parse", "HEAD"), number, "--ref", f"refs/tags/{tag}")
    assert ran.code == 0, ran.err
    git(app, "switch", "--quiet", "main")


@pytest.mark.long
def test_a_commit_that_cannot_be_compared_is_refused_and_the_app_s_repository_tells(tagged: Stage) -> None:
    tagged.new_version(1)
    release_branch(tagged, "v1.0.0", 2)
    tagged.new_version(3)
    assert "cannot be compared" in tagged.promote(27).err
    assert "diverged from" in tagged.promote(27, "--source", str(tagged.app)).err
    git(tagged.app, "merge", "--quiet", "--no-ff", "-s", "ours", "release-2")
    tagged.new_version(4)
    assert "cannot be compared" in tagged.promote(27).err
    tagged.promote(0, "--source", str(tagged.app))
    assert tagged.running("production") == "4"


@pytest.mark.long
def test_the_tags_on_the_promoted_commit_tell(tagged: Stage) -> None:
    tagged.new_version(1)
    release_branch(tagged, "v1.0.1", 2)
    tagged.new_version(3)
    git(tagged.app, "tag", "v1.1.0")
    tagged.promote(0, "--source", str(tagged.app))
    assert tagged.running("production") == "3"


@pytest.mark.long
def test_a_tag_that_is_newer_than_those_of_the_promoted_commit_stays(tagged: Stage) -> None:
    tagged.new_version(1)
    git(tagged.app, "tag", "v1.0.0")
    release_branch(tagged, "v1.0.1", 2)
    tagged.new_version(3)
    assert "is older than" in tagged.promote(27, "--source", str(tagged.app)).err


@pytest.mark.long
def test_a_promotion_of_what_changed_meanwhile_is_not_done(tmp_path: Path, manifests: ManifestRepository) -> None:
    """Who allows an older one has seen what ran then, and not what came since."""
    stage = make_promoted(tmp_path, manifests, takes="[{branch: main}, {promotion: dev}]")
    stage.new_version(1)
    stage.command("pin", "web", "--environment", "dev", "--reason", "audit")
    stage.new_version(2)

    def promote() -> None:
        assert "web in production changed in the meantime" in stage.promote(27, "--allow-older").err

    losing(promote, lambda: stage.new_version(3))
    assert stage.running("production") == "3"


def test_a_promotion_in_a_race_is_compared_anew(tmp_path: Path, manifests: ManifestRepository) -> None:
    stage = make_promoted(tmp_path, manifests, takes="[{tag: v*}, {promotion: dev}]")
    stage.new_version(1)
    first = stage.new_version(2)
    git(stage.app, "tag", "v2.0.0", first)
    later = stage.new_version(3)
    git(stage.app, "tag", "v3.0.0", later)
    stage.command("roll-back", "web", "--environment", "dev", "--reason", "slow")

    def newer() -> None:
        assert stage.hand_off(later, 3, "--ref", "refs/tags/v3.0.0").code == 0

    losing(lambda: stage.promote(27), newer)
    assert stage.running("production") == "3"


@pytest.mark.long
def test_what_is_proposed_while_a_promotion_is_on_its_way_is_newer(
    tmp_path: Path, manifests: ManifestRepository
) -> None:
    stage = make_promoted(tmp_path, manifests, takes='[{tag: "v*"}, {promotion: dev}]', delivery="review")
    first = stage.new_version(1)
    later = stage.new_version(2)
    for number, commit in enumerate((first, later), start=1):
        git(stage.app, "tag", f"v{number}.0.0", commit)
    stage.command("roll-back", "web", "--environment", "dev", "--reason", "slow")

    def newer() -> None:
        assert stage.hand_off(later, 2, "--ref", "refs/tags/v2.0.0").code == 0

    losing(lambda: stage.promote(27), newer)
    assert stage.running("production", "headgate/production/web") == "2"


def test_no_history_is_asked_between_commits_that_the_source_ran() -> None:
    def part(letter: str) -> ReleasedConfig:
        return ReleasedConfig(path="deploy", project="acme/web", commit=letter * 40, ref="refs/heads/main")

    past = PartOrder({"config": ["a" * 40, "b" * 40]}, lambda _: Unread())
    assert past.compare("config", part("b"), part("a")) == "newer"
    assert past.compare("config", part("a"), part("b")) == "older"
    assert past.compare("config", part("c"), part("b")) == "unknown"


def test_without_a_history_only_two_tags_tell() -> None:
    def version(letter: str, ref: str) -> Newest:
        return Newest(commit=letter * 40, ref=ref)

    assert compare_versions(version("b", "refs/tags/v2.0.0"), version("a", "refs/tags/v1.0.0"), None) == "newer"
    assert compare_versions(version("b", "refs/heads/main"), version("a", "refs/tags/v1.0.0"), None) == "unknown"
    assert compare_versions(version("b", "refs/heads/main"), version("a", "refs/heads/main"), None) == "unknown"
