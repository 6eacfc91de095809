"""The past of a release, as real git tells it: squashed, merged, cut off, moved, rolled back."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from headgate.releases.deepen import open_history
from headgate.releases.history import ReleaseHistory, landed_at, read_history
from headgate.repository import git as hgit
from headgate.repository.gitlog import cut
from support.manifests import ManifestRepository, git

ONE, TWO, THREE = "1" * 40, "2" * 40, "3" * 40
IMAGES = {"web": "registry.example.com/acme/web"}


def history(path: Path, app: str = "web", environment: str = "dev") -> ReleaseHistory:
    repository = hgit.open_repository(path)
    return read_history(repository, hgit.head(repository), app, environment)


def commits(found: ReleaseHistory) -> list[str | None]:
    """Return the source commits of all versions, newest first, by their first digit."""
    return [step.release.images["web"].commit[0] if step.release else None for step in found.versions]


def release(manifests: ManifestRepository, commit: str, app: str = "web", environment: str = "dev") -> None:
    manifests.release(app, environment, images=IMAGES, commit=commit).commit(f"Release {commit[:3]}")


def test_versions_are_told_newest_first_with_who_and_when(manifests: ManifestRepository) -> None:
    release(manifests, ONE)
    release(manifests, TWO)
    manifests.write({"README.md": "nothing of the app's"}).commit()

    found = history(manifests.path)

    assert commits(found) == ["2", "1"]
    newest = found.versions[0]
    assert newest.commit == git(manifests.path, "rev-parse", "HEAD~")
    assert newest.who == "Test <test@example.com>"
    assert newest.subject == "Release 222"
    assert newest.folder == "apps/web/releases/dev"
    assert int(newest.time.timestamp()) == int(git(manifests.path, "log", "-1", "--format=%ct", "HEAD~"))
    assert newest.time.tzinfo is not None
    assert landed_at(found) == newest.time
    assert found.cut == ""


def test_what_never_was_has_no_history(manifests: ManifestRepository) -> None:
    release(manifests, ONE)
    found = history(manifests.path, "other")
    assert found.steps == ()
    assert landed_at(found) is None


def test_a_pin_is_a_step_but_no_version(manifests: ManifestRepository) -> None:
    release(manifests, ONE)
    file = manifests.path / "apps/web/releases/dev/release.yaml"
    file.write_text(file.read_text() + f"pin: {{by: ada, reason: broken, since: '{ONE}'}}\n")
    manifests.commit("Pin")
    manifests.write({"apps/web/releases/dev/waiting/release.yaml": "version: 1\n"}).commit("Wait")

    found = history(manifests.path)

    assert [step.subject for step in found.steps] == ["Wait", "Pin", "Release 111"]
    assert [step.is_version for step in found.steps] == [False, False, True]
    pinned = found.steps[1].release
    assert pinned is not None
    assert pinned.pin is not None


def test_a_change_of_config_alone_is_a_version(manifests: ManifestRepository) -> None:
    manifests.release("web", "dev", images=IMAGES, config={"a.yaml": "a: 1\n"}).commit("One")
    manifests.write({"apps/web/releases/dev/config/a.yaml": "a: 2\n"}).commit("Two")
    manifests.write({"apps/web/releases/dev/config/a.yaml": "a: 1\n"}).commit("Three")

    found = history(manifests.path)

    assert [step.subject for step in found.versions] == ["Three", "Two", "One"]
    same = found.same_as(found.versions[0])
    assert same is not None
    assert same.subject == "One"


def test_a_rolled_back_release_is_the_same_as_the_one_it_went_back_to(manifests: ManifestRepository) -> None:
    for commit in (ONE, TWO, ONE):
        release(manifests, commit)
    found = history(manifests.path)
    assert commits(found) == ["1", "2", "1"]
    assert found.same_as(found.versions[0]) == found.versions[2]
    assert found.same_as(found.versions[1]) is None


def test_squashed_commits_are_one_version(manifests: ManifestRepository) -> None:
    release(manifests, ONE)
    git(manifests.path, "switch", "--quiet", "--create", "work")
    release(manifests, TWO)
    release(manifests, THREE)
    git(manifests.path, "switch", "--quiet", "main")
    git(manifests.path, "merge", "--quiet", "--squash", "work")
    manifests.commit("Whatever was said in the merge request")

    found = history(manifests.path)

    assert commits(found) == ["3", "1"]
    assert found.versions[0].subject == "Whatever was said in the merge request"


def test_a_merge_commit_is_when_it_landed(manifests: ManifestRepository) -> None:
    release(manifests, ONE)
    git(manifests.path, "switch", "--quiet", "--create", "headgate/dev/web")
    release(manifests, TWO)
    git(manifests.path, "switch", "--quiet", "main")
    manifests.write({"other.txt": "meanwhile"}).commit("Meanwhile")
    git(manifests.path, "merge", "--quiet", "--no-ff", "--message", "Merge proposal", "headgate/dev/web")

    found = history(manifests.path)

    assert commits(found) == ["2", "1"]
    assert found.versions[0].subject == "Merge proposal"
    assert found.versions[0].parent == git(manifests.path, "rev-parse", "HEAD~")


def test_a_moved_folder_is_followed_and_is_no_version(manifests: ManifestRepository) -> None:
    manifests.release("web", "dev", images=IMAGES, config={"a.yaml": "a: 1\n"}, commit=ONE).commit("One")
    (manifests.path / "apps/team").mkdir()
    git(manifests.path, "mv", "apps/web", "apps/team/web")
    manifests.commit("Move")
    release(manifests, TWO, app="team/web")

    found = history(manifests.path)

    assert [step.folder for step in found.steps] == [
        "apps/team/web/releases/dev",
        "apps/team/web/releases/dev",
        "apps/web/releases/dev",
    ]
    assert [step.subject for step in found.versions] == ["Release 222", "One"]


def test_removed_and_added_again(manifests: ManifestRepository) -> None:
    release(manifests, ONE)
    git(manifests.path, "rm", "-r", "--quiet", "apps/web")
    manifests.commit("Remove")
    release(manifests, ONE)
    found = history(manifests.path)
    assert commits(found) == ["1", None, "1"]


def test_names_that_begin_alike_and_folders_within_a_config_are_not_taken(manifests: ManifestRepository) -> None:
    release(manifests, ONE)
    release(manifests, TWO, app="web-two")
    release(manifests, THREE, environment="dev-two")
    inner = "apps/evil/releases/dev/config/web/releases/dev/release.yaml"
    manifests.write({inner: "version: 1\n", "apps/releases/web/releases/dev2/release.yaml": "version: 1\n"}).commit()
    manifests.write({"apps/web/releases/dev/unknown.txt": "who wrote that?"}).commit()

    assert commits(history(manifests.path)) == ["1"]
    assert [step.folder for step in history(manifests.path, "web", "dev2").steps] == ["apps/releases/web/releases/dev2"]
    assert len(history(manifests.path, "evil").steps) == 1


def test_a_release_that_cannot_be_read_says_so(manifests: ManifestRepository) -> None:
    release(manifests, ONE)
    manifests.write({"apps/web/releases/dev/release.yaml": "version: 1\nwrong: key\n"}).commit("By hand")
    found = history(manifests.path)
    assert [step.release is None for step in found.versions] == [True, False]
    assert "wrong" in found.versions[0].problem


def test_names_that_git_or_a_terminal_could_misread(
    manifests: ManifestRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Zoë\x1b[31m :100644")
    manifests.release("web", "dev", images=IMAGES, config={":1 é\n\x01.yaml": "a: 1\n"}).commit(":100644 subject")
    (step,) = history(manifests.path).steps
    assert step.who.startswith("Zoë")
    assert step.subject == ":100644 subject"


def empty_commits(path: Path, number: int) -> None:
    one = "commit refs/heads/main\ncommitter Test <test@example.com> 1700000000 +0000\ndata 5\nOther\n"
    stream = f"{one}from refs/heads/main^0\n\n" + one * (number - 1)
    subprocess.run(["git", "fast-import", "--quiet"], cwd=path, input=stream.encode(), check=True)


@pytest.fixture
def published(manifests: ManifestRepository, tmp_path: Path) -> str:
    """Return the address of a repository with three versions among 120 commits."""
    manifests.write({"old.txt": "what was once"}).commit()
    (manifests.path / "old.txt").unlink()
    for commit in (ONE, TWO, THREE):
        release(manifests, commit)
        empty_commits(manifests.path, 40)
    remote = tmp_path / "manifests.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(manifests.path), str(remote))
    return remote.as_uri()


def shallow(url: str, path: Path, depth: int) -> hgit.Repository:
    git(path.parent, "clone", "--quiet", f"--depth={depth}", url, str(path))
    return hgit.open_repository(path)


def test_where_git_was_cut_off_nothing_is_taken_for_a_version(published: str, tmp_path: Path) -> None:
    repository = shallow(published, tmp_path / "cut", 60)
    found = history(repository.path)
    assert commits(found) == ["3"]
    assert found.cut == git(repository.path, "rev-list", "--max-parents=0", "HEAD")
    assert found.oldest is not None
    assert found.oldest.release is not None
    assert found.oldest.release.images["web"].commit == TWO


@pytest.mark.long
def test_just_enough_of_the_past_is_fetched_and_never_into_the_checkout(published: str, tmp_path: Path) -> None:
    repository = shallow(published, tmp_path / "cut", 1)
    before = (git(repository.path, "count-objects", "-v"), git(repository.path, "for-each-ref"))
    head = hgit.head(repository)

    with open_history(repository, "origin", head, "web", "dev", lambda one: bool(one.versions)) as found:
        assert commits(found) == ["3"]
        assert found.cut
        step = found.versions[0]
        files = hgit.tree_of_commit(found.repository, step.commit).folder(step.folder)
        assert b"commit: '333" in files.read("release.yaml")
    with open_history(repository, published, head, "web", "dev") as found:
        assert commits(found) == ["3", "2", "1"]
        assert found.cut == ""

    assert before == (git(repository.path, "count-objects", "-v"), git(repository.path, "for-each-ref"))
    assert cut(repository, head) == head


def test_commits_that_are_not_pushed_count_too(published: str, tmp_path: Path) -> None:
    repository = shallow(published, tmp_path / "cut", 1)
    release(ManifestRepository(repository.path), ONE)
    with open_history(repository, "origin", hgit.head(repository), "web", "dev") as found:
        assert commits(found) == ["1", "3", "2", "1"]


def test_without_a_remote_the_history_ends_at_the_cut(published: str, tmp_path: Path) -> None:
    repository = shallow(published, tmp_path / "cut", 1)
    with open_history(repository, "", hgit.head(repository), "web", "dev") as found:
        assert found.steps == ()
        assert found.cut == hgit.head(repository)


@pytest.mark.long
def test_a_filtering_server_gives_only_what_is_read(
    manifests: ManifestRepository, published: str, tmp_path: Path
) -> None:
    git(Path(published.removeprefix("file://")), "config", "uploadpack.allowFilter", "true")
    repository = shallow(published, tmp_path / "cut", 1)
    with open_history(repository, "origin", hgit.head(repository), "web", "dev") as found:
        assert commits(found) == ["3", "2", "1"]
        missing = git(found.repository.path, "rev-list", "--objects", "--missing=print", "refs/headgate/past~123")
    once = git(manifests.path, "rev-parse", "HEAD~123:old.txt")
    assert f"?{once}" in missing.splitlines()
