"""Newer, older, the same, neither: what a hand-off does to what was released before, on real histories."""

from __future__ import annotations

from itertools import pairwise

import pytest

from headgate.errors import RefusedError
from headgate.model import Newest
from headgate.releases.handoff import HandOff
from headgate.releases.version_order import compare
from support.manifests import DIGEST, git, head
from support.stage import BRANCH, IMAGE, OTHER_DIGEST, Stage


def test_an_older_build_that_finishes_last_changes_nothing(stage: Stage) -> None:
    first, second = stage.build(1), stage.build(2)
    assert stage.hand_off(second, 2).code == 0
    late = stage.hand_off(first, 1)
    assert late.code == 0
    assert f"web in dev: superseded: web: commit {first[:12]} is older than {second[:12]}" in late.out
    assert stage.running() == "2"
    assert len(stage.log()) == 2


def test_history_decides_and_no_clock(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2030-01-01T00:00:00Z")
    first = stage.build(1)
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2020-01-01T00:00:00Z")
    second = stage.build(2)
    assert stage.hand_off(first, 1).code == 0
    assert stage.hand_off(second, 2).code == 0
    assert stage.running() == "2"


def test_a_history_that_cannot_be_read_is_refused(stage: Stage) -> None:
    assert stage.hand_off(stage.build(1), 1).code == 0
    git(stage.app, "checkout", "--quiet", "--orphan", "anew")
    git(stage.app, "commit", "--quiet", "--message", "Anew")
    git(stage.app, "branch", "--quiet", "-D", "main")
    git(stage.app, "reflog", "expire", "--expire=now", "--all")
    git(stage.app, "gc", "--quiet", "--prune=now")
    ran = stage.hand_off(head(stage.app), 2)
    assert ran.code == RefusedError.code
    assert "cannot read the history" in ran.err


def test_the_same_commit_with_another_digest_needs_a_newer_pipeline(stage: Stage) -> None:
    commit = stage.build(1)
    assert stage.hand_off(commit, 1, "--pipeline", "10").code == 0
    for pipeline in (["--pipeline", "9"], ["--pipeline", "10"]):
        ran = stage.hand_off(commit, 2, *pipeline)
        assert (ran.code, "was released with another digest by pipeline 10" in ran.out) == (0, True)
        assert stage.running() == "1"
    assert stage.hand_off(commit, 2, "--pipeline", "11").code == 0
    assert stage.running() == "2"


@pytest.mark.long
def test_history_is_read_from_an_address_too(stage: Stage) -> None:
    first, second = stage.build(1), stage.build(2)
    git(stage.app, "config", "uploadpack.allowFilter", "true")
    assert stage.hand_off(second, 2, "--source", f"file://{stage.app}").code == 0
    late = stage.hand_off(first, 1, "--source", f"file://{stage.app}")
    assert (late.code, "superseded" in late.out) == (0, True)


@pytest.mark.long
def test_tags_are_ordered_by_their_version(stage: Stage) -> None:
    first, second, third = (stage.build(number) for number in (1, 2, 3))
    assert stage.hand_off(second, 2, ref="refs/tags/v1.10.0").code == 0
    late = stage.hand_off(first, 1, ref="refs/tags/v1.9.0")
    assert "superseded: web: refs/tags/v1.9.0 is older than refs/tags/v1.10.0" in late.out
    assert stage.running("production", BRANCH) == "2"
    assert stage.hand_off(third, 3, ref="refs/tags/v2.0.0-rc.1").code == 0
    assert stage.running("production", BRANCH) == "3"


@pytest.mark.long
def test_a_version_follows_a_tag_without_one(stage: Stage) -> None:
    """Else the first tag, which nothing is compared with, would keep each later one away, whatever people do."""
    early, first, second = stage.build(0), stage.build(1), stage.build(2)
    for tag, commit in {"v0.9.0": early, "v1": first, "v1.1.0": second}.items():
        git(stage.app, "tag", tag, commit)
    assert stage.hand_off(first, 1, ref="refs/tags/v1").code == 0
    late = stage.hand_off(early, 0, ref="refs/tags/v0.9.0")
    assert (late.code, "superseded" in late.out) == (0, True)
    assert stage.hand_off(second, 2, ref="refs/tags/v1.1.0").code == 0
    assert stage.running("production", BRANCH) == "2"
    refused = stage.hand_off(stage.build(3), 3, ref="refs/tags/v2")
    assert (refused.code, "refs/tags/v2 has no version such as 1.2.3" in refused.err) == (RefusedError.code, True)


def test_parts_are_ordered_each_on_its_own(stage: Stage) -> None:
    images = f"images: {{web: {{repository: {IMAGE}, tag: 'web-*'}}, api: {{repository: {IMAGE}, tag: 'api-*'}}}}"
    stage.change(
        {
            "apps/web/app.yaml": f"project: acme/web\n{images}\ntemplate: web\n",
            "templates/web/web.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"
            f"spec: {{containers: [{{name: a, image: '{IMAGE}:web-x'}}, {{name: b, image: '{IMAGE}:api-x'}}]}}\n",
        }
    )
    first, second = stage.build(1), stage.build(2)
    assert stage.deliver("--commit", second, image=f"{IMAGE}:api-2@{DIGEST}").code == 0
    assert stage.deliver("--commit", first, image=f"{IMAGE}:web-1@{OTHER_DIGEST}").code == 0
    text = stage.show("main", "deploy/dev/web/pod-web.yaml")
    assert f"{IMAGE}:api-2@{DIGEST}" in text
    assert f"{IMAGE}:web-1@{OTHER_DIGEST}" in text


class Unread:
    """A history that cannot be read."""

    def is_ancestor(self, old: str, new: str) -> bool | None:
        """Nobody knows."""
        return None

    def problem(self) -> None:
        """Nobody knows."""

    def tags_of(self, commit: str) -> list[str]:
        """Nobody knows."""
        return []

    def replaces(self, gone: str, new: str, ref: str) -> bool:
        """Nobody knows."""
        return False


VERSIONS = ["v1.0.0-alpha", "v1.0.0-alpha.1", "v1.0.0-alpha.beta", "v1.0.0-beta.2", "v1.0.0-beta.11", "v1.0.0-rc.1"]
VERSIONS += ["v1.0.0-rc.1.1", "v1.0.0-rc1", "v1.0.0-rc1a", "v1.0.0-rc2", "v1.0.0-rc10", "v1.0.0-rca", "v1.0.0"]
VERSIONS += [
    "v1.0.0+1",
    "v1.0.0+9",
    "v1.0.0+10",
    "v1.0.0.1",
    "v1.0.0.2",
    "v1.0.0.10",
    "v1.0.1",
    "v1.2.0",
    "v1.10.0",
    "v2.0.0",
]


@pytest.mark.parametrize(("older", "newer"), list(pairwise(VERSIONS)))
def test_versions_are_ordered_as_semver_says(older: str, newer: str) -> None:
    for new, newest, expected in ((newer, older, "newer"), (older, newer, "older"), (newer, newer, "diverged")):
        made = HandOff(project="acme/web", commit="a" * 40, ref=f"refs/tags/{new}")
        known = Newest(commit="b" * 40, ref=f"refs/tags/{newest}")
        assert compare(made, None, known, "semver", Unread()).order == expected


@pytest.mark.parametrize("tag", ["latest", "v1", "v1.2", "2026-01-01"])
def test_a_tag_without_a_version_is_not_guessed(tag: str) -> None:
    made = HandOff(project="acme/web", commit="a" * 40, ref=f"refs/tags/{tag}")
    verdict = compare(made, None, Newest(commit="b" * 40, ref="refs/tags/v1.0.0"), "semver", Unread())
    assert verdict.order == "unknown"


class Tagged(Unread):
    """A history in which commits have tags, and neither of two commits comes after the other."""

    def __init__(self, **tags: str) -> None:
        """Take the tags of commits, which are named by a letter."""
        self.tags = tags

    def is_ancestor(self, old: str, new: str) -> bool | None:
        """They diverged."""
        return False

    def tags_of(self, commit: str) -> list[str]:
        """Return those on it or before it."""
        return [f"refs/tags/{tag}" for tag in self.tags.get(commit[0], "").split()]


@pytest.mark.parametrize("pipelines", [(None, None), (None, 2), (1, None)])
def test_a_rebuild_without_both_pipelines_cannot_be_ordered(pipelines: tuple[int | None, int | None]) -> None:
    new, old = pipelines
    made = HandOff(project="acme/web", commit="a" * 40, ref="refs/heads/main", pipeline=new)
    newest = Newest(commit="a" * 40, ref="refs/heads/main", pipeline=old, digest=DIGEST)
    assert compare(made, OTHER_DIGEST, newest, "ancestry", Unread()).order == "diverged"
    assert compare(made, DIGEST, newest, "ancestry", Unread()).order == "same"


def test_a_tag_without_a_version_has_the_newest_version_before_it() -> None:
    made = HandOff(project="acme/web", commit="a" * 40, ref="refs/heads/main")
    newest = Newest(commit="b" * 40, ref="refs/tags/nightly")
    assert compare(made, None, newest, "semver", Tagged(a="v1.3.0", b="v1.2.0")).order == "newer"
    assert compare(made, None, newest, "semver", Tagged(a="v1.1.0", b="v1.2.0")).order == "older"


@pytest.mark.parametrize(
    ("tags", "ref", "expected"),
    [
        ({"a": "v1.1.0 v1.3.0"}, "refs/tags/v1.2.0", "newer"),
        ({"a": "v1.1.0 v1.0.0"}, "refs/tags/v1.2.0", "older"),
        ({"a": "v1.2.0"}, "refs/tags/v1.2.0", "diverged"),  # which of two commits after v1.2.0 is newer, no tag tells
        ({}, "refs/tags/v1.2.0", "diverged"),
        ({"a": "v1.3.0", "b": "v1.2.0"}, "refs/heads/main", "newer"),
        ({"a": "v1.3.0"}, "refs/heads/main", "diverged"),
    ],
)
def test_a_branch_beside_tags_is_compared_by_the_tags_before_it(tags: dict[str, str], ref: str, expected: str) -> None:
    made = HandOff(project="acme/web", commit="a" * 40, ref="refs/heads/main")
    newest = Newest(commit="b" * 40, ref=ref)
    assert compare(made, None, newest, "semver", Tagged(**tags)).order == expected
    assert compare(made, None, newest, "ancestry", Tagged(**tags)).order == "diverged"
