"""Where a repository keeps what it has, as git itself says it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headgate.errors import GitError
from headgate.repository.git import Repository, current_branch, open_repository
from headgate.repository.gitlog import is_shallow
from headgate.repository.remote import has_remotes, upstream
from support.manifests import ManifestRepository, git


@pytest.fixture
def checkout(manifests: ManifestRepository) -> Path:
    manifests.write({"apps/web/app.yaml": "x"}).commit()
    return manifests.path


def test_a_folder_inside_is_of_the_checkout_also_through_a_link(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(checkout / "apps")
    for place in (checkout, checkout / "apps", checkout / "apps/web", tmp_path / "link/web"):
        opened = open_repository(place)
        assert (opened.path, opened.bare) == (checkout, False)
        assert opened.git_path("objects").samefile(checkout / ".git/objects")


def test_a_linked_worktree_has_a_branch_of_its_own_and_shares_the_rest(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "worktree", "add", "--quiet", "-b", "topic/new", str(tmp_path / "linked"))
    linked = open_repository(tmp_path / "linked/apps")
    assert (linked.path, current_branch(linked)) == (tmp_path / "linked", "topic/new")
    assert current_branch(open_repository(checkout)) == "main"
    for name in ("objects", "shallow", "config"):
        told = linked.path / git(linked.path, "rev-parse", "--git-path", name)
        assert os.path.realpath(linked.git_path(name)) == os.path.realpath(told)


def test_a_bare_repository_and_the_folder_of_git_have_no_files(checkout: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(checkout), "bare.git")
    for place in (tmp_path / "bare.git", tmp_path / "bare.git/refs", checkout / ".git"):
        opened = open_repository(place)
        assert opened.bare
        assert current_branch(opened) == "main"
        assert opened.git_path("objects").is_dir()


def test_what_was_made_without_opening_knows_the_same(checkout: Path) -> None:
    assert Repository(checkout).layout == open_repository(checkout).layout


@pytest.mark.parametrize("name", ["main", "topic/new", "ümlaut"])
def test_the_branch_is_that_of_head(checkout: Path, name: str) -> None:
    git(checkout, "checkout", "--quiet", "-B", name)
    git(checkout, "tag", name)  # which makes git's own short name of the branch a longer one
    opened = open_repository(checkout)
    assert current_branch(opened) == name
    git(checkout, "checkout", "--quiet", "--detach")
    assert current_branch(opened) == ""


def test_a_branch_without_a_commit_is_one(manifests: ManifestRepository) -> None:
    assert current_branch(open_repository(manifests.path)) == "main"


def test_a_head_that_is_kept_elsewhere_is_asked_for(checkout: Path) -> None:
    (checkout / ".git/HEAD").unlink()
    (checkout / ".git/HEAD").symlink_to("refs/heads/main")  # as git did until 2006, and still reads
    assert current_branch(open_repository(checkout)) == "main"


def test_settings_say_remote_and_history(checkout: Path, tmp_path: Path) -> None:
    assert not has_remotes(open_repository(checkout))
    git(checkout, "config", "remote.pushDefault", "origin")
    assert not has_remotes(open_repository(checkout))
    git(tmp_path, "clone", "--quiet", "--depth=1", checkout.as_uri(), "clone")
    clone = open_repository(tmp_path / "clone")
    assert has_remotes(clone)
    assert is_shallow(clone)
    assert upstream(clone, "main") == "origin"
    assert upstream(clone, "other") == ""
    assert not is_shallow(open_repository(checkout))


def test_no_repository_is_told(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="not a git repository"):
        open_repository(tmp_path)
