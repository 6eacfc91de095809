"""What git is told at a remote that refuses it: which token that was, and never git's question for a name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.errors import GitError
from headgate.repository.git import NO_COMMIT, Repository
from headgate.repository.login import Login, logged_in
from headgate.repository.remote import RefUpdate, clone, push
from support.gitlab import Double, serve_gitlab
from support.gitlab.state import DEVELOPER, REPORTER, Project


@pytest.fixture
def gitlab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    monkeypatch.setattr("headgate.retry.TRIES", 1)

    with serve_gitlab(tmp_path / "gitlab") as double:
        yield double


def project_of(gitlab: Double, level: int) -> tuple[Project, str]:
    """Return a project with a commit, and the token of somebody with a level there."""
    dana, max_ = gitlab.user("dana"), gitlab.user("max")
    project = gitlab.project("acme/manifests", {dana: level, max_: DEVELOPER} if level else {max_: DEVELOPER})
    project.protected_branches.clear()
    gitlab.push(project, {"README.md": "first\n"}, user=max_)
    return project, gitlab.token(dana, "api", "write_repository")


def refused(address: str, *logins: Login) -> GitError:
    with logged_in(*logins), pytest.raises(GitError) as caught, clone(address):
        pass
    return caught.value


def test_wrong_token_is_told_by_its_name(gitlab: Double) -> None:
    project_of(gitlab, DEVELOPER)
    address = f"{gitlab.url}/acme/manifests.git"
    error = refused(
        address,
        Login(url=address, user="headgate", password="wrong", name="HEADGATE_TOKEN"),
        Login(url=f"{gitlab.url}/acme/shop.git", user="x", password="y"),
    )
    assert error.what == f"git clone failed: {address} refused HEADGATE_TOKEN"
    assert "wrong, expired or revoked" in error.hint


def test_project_that_a_token_may_not_see_is_told_with_gitlabs_words(gitlab: Double) -> None:
    _, token = project_of(gitlab, 0)
    address = f"{gitlab.url}/acme/manifests.git"
    error = refused(address, Login(url=address, user="headgate", password=token))
    assert "The project you were looking for could not be found" in error.what
    assert error.what.endswith(f"; {address} does not exist, or the login of headgate cannot see it")


def test_token_that_may_not_write_is_told_with_gitlabs_words(gitlab: Double) -> None:
    project, token = project_of(gitlab, REPORTER)
    address = f"{gitlab.url}/acme/manifests.git"
    commit = gitlab.commit(project, "main")
    login = Login(url=address, user="headgate", password=token, name="HEADGATE_TOKEN")
    with logged_in(login), pytest.raises(GitError) as caught:
        push(Repository(project.folder, bare=True), address, [RefUpdate("refs/heads/new", commit, NO_COMMIT)])
    assert "You are not allowed to push code to this project" in caught.value.what
    assert caught.value.what.endswith(f"; {address} refused HEADGATE_TOKEN")


def test_who_has_no_login_is_told_to_let_git_log_in(gitlab: Double) -> None:
    project_of(gitlab, DEVELOPER)
    error = refused(f"{gitlab.url}/acme/manifests.git")
    assert error.what == f"git clone failed: {gitlab.url} asks for a login"
    assert "credential helper" in error.hint
