"""Actions by hand: what they need, and who may."""

from __future__ import annotations

import pytest

from headgate.commands.verbs import FORM
from headgate.config import load
from headgate.errors import ArgumentError, ConfigError, ForbiddenError
from headgate.gitlab.api import GitLab, connect
from headgate.gitlab.event import Form
from headgate.gitlab.form import check_form, check_permitted, concerned
from headgate.gitlab.identity import access_level
from headgate.model.actions import ACTIONS
from headgate.repository.git import open_repository
from headgate.repository.worktree import tree_of_folder
from support.manifests import HEADGATE_YAML, ManifestRepository

PERMISSIONS = "permissions:\n  dev: {promote: developer}\n  production: {promote: owner, pin: developer}\n"


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (Form(), "the action is ''"),
        (Form("promot"), "did you mean 'promote'"),
        (Form("promote", app="web"), "promote needs environment, from"),
        (Form("roll-back", app="web", environment="dev"), "roll-back needs reason"),
        (Form("pin", app="web", environment="dev"), "pin needs reason"),
        (Form("freeze", reason="x"), "freeze needs environment"),
        (Form("remove"), "remove needs app"),
        (Form("unpin", app="../web", environment="dev"), "app is '../web'"),
        (Form("unpin", app="web", environment="-x"), "environment is '-x'"),
        (Form("roll-back", app="web", environment="dev", reason="x", to="$(id)"), "to is '$(id)'"),
    ],
)
def test_form_that_lacks_something_says_what(form: Form, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check_form(form)
    assert words in str(raised.value)


@pytest.mark.parametrize("action", list(ACTIONS))
def test_every_action_with_all_fields_is_taken(action: str) -> None:
    check_form(Form(action, "web", "dev", "production", "1", "why"))


@pytest.mark.parametrize(
    ("found", "level"),
    [
        ({"access_level": 40, "state": "active"}, 40),
        ({"access_level": 40, "state": "blocked"}, 0),
        ({"access_level": 40, "state": "awaiting"}, 0),
        ({"access_level": 40}, 0),
        (None, 0),
    ],
)
def test_only_active_members_have_a_level(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, object] | None, level: int
) -> None:
    monkeypatch.setattr(GitLab, "find", lambda _gitlab, _path: found)
    gitlab = connect("https://gitlab.example.com", "a token", "secret")
    assert access_level(gitlab, "acme/manifests", 7) == level


@pytest.mark.parametrize(
    ("action", "environments", "level", "allowed"),
    [
        ("promote", ["dev"], 30, True),
        ("promote", ["dev"], 20, False),
        ("promote", ["production"], 40, False),
        ("promote", ["production"], 50, True),
        ("unpin", ["production"], 30, True),
        ("freeze", ["dev"], 30, False),
        ("freeze", ["dev"], 40, True),
        ("remove", ["dev", "production"], 40, True),
        ("promote", ["dev", "production"], 40, False),
        ("rehydrate", ["dev"], 0, False),
    ],
)
def test_level_decides(
    manifests: ManifestRepository, action: str, environments: list[str], level: int, *, allowed: bool
) -> None:
    manifests.write({"headgate.yaml": HEADGATE_YAML + PERMISSIONS}).commit()
    settings = load(tree_of_folder(open_repository(manifests.path))).settings
    if allowed:
        check_permitted(Form(action), settings, environments, level, "jo")
        return
    with pytest.raises(ForbiddenError, match="jo may not"):
        check_permitted(Form(action), settings, environments, level, "jo")


def test_all_that_is_concerned_is_asked_for(manifests: ManifestRepository) -> None:
    manifests.app("web", "template: web\nenvironments: [production]\n").write({"templates/web/x.yaml": ""}).commit()
    configuration = load(tree_of_folder(open_repository(manifests.path)))
    assert concerned(Form("remove", app="web"), configuration) == ["production"]
    assert concerned(Form("rehydrate"), configuration) == ["dev", "production"]
    assert concerned(Form("freeze", environment="dev"), configuration) == ["dev"]
    with pytest.raises(ArgumentError, match="no environment 'prod'"):
        concerned(Form("freeze", environment="prod"), configuration)


def test_each_action_of_the_form_is_done_by_the_job() -> None:
    assert list(FORM) == list(ACTIONS)
