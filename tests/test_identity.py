"""Who makes a commit: what is known without git is what git says."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from headgate.errors import GitError
from headgate.model import CommitIdentity
from headgate.repository.git import Repository, open_repository
from headgate.repository.identity import Role, author_name, signature_line
from headgate.repository.remote import clone
from support.manifests import ManifestRepository

ROLES: tuple[Role, ...] = ("author", "committer")
SETTINGS = (
    "",
    "[user]\n\tname = Mia\n\temail = mia@example.com\n",
    "[user]\n\tname = Mia\n\temail = mia@example.com\n[committer]\n\tname = Bot\n",
    "[user]\n\temail = mia@example.com\n",
    "[user]\n\tname = Mia\n[author]\n\tname = Zoe\n\temail = zoe@example.com\n",
    '[user]\n\tname = " Mia <Jr.>, "\n\temail = <mia@example.com>\n',
    "[user]\n\tname = Müller, Ämter & Söhne\n\temail = m@example.com\n",
    "[user]\n\tname = First\n\tname = Last\n\temail = a@example.com\n",
    "[user]\n\tname =\n\temail = a@example.com\n",
)
ENVIRONMENTS: tuple[dict[str, str], ...] = (
    {},
    {"GIT_AUTHOR_NAME": "Env", "GIT_COMMITTER_EMAIL": "env@example.com"},
    {"GIT_AUTHOR_NAME": "Env", "GIT_AUTHOR_EMAIL": "env@example.com", "GIT_COMMITTER_NAME": "Jr."},
    {"GIT_AUTHOR_NAME": "", "GIT_COMMITTER_DATE": "2020-01-01T00:00:00+0200"},
    {"GIT_AUTHOR_DATE": "1577836800 -0330", "TZ": "Asia/Kolkata"},
)


@pytest.fixture(params=range(len(ENVIRONMENTS)))
def environment(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    for role in ROLES:
        for part in ("NAME", "EMAIL", "DATE"):
            monkeypatch.delenv(f"GIT_{role.upper()}_{part}", raising=False)
    for name, value in ENVIRONMENTS[request.param].items():
        monkeypatch.setenv(name, value)


def told_by_git(repository: Repository, role: Role) -> str:
    try:
        return timeless(repository.git("var", f"GIT_{role.upper()}_IDENT"))
    except GitError:
        return "Headgate <headgate@headgate.invalid> now +0000"


def line(repository: Repository, role: Role, person: CommitIdentity | None = None) -> str:
    return timeless(signature_line(repository, role, person))


def timeless(ident: str) -> str:
    """Return it without the time, if that is now and not in `ENVIRONMENTS`."""
    who, _, when = ident.rpartition("> ")
    seconds, zone = when.split(" ")
    return f"{who}> {'now' if int(seconds) > time.time() - 600 else seconds} {zone}"


@pytest.mark.usefixtures("environment")
def test_it_is_who_git_says(manifests: ManifestRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own"
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(own))
    config = manifests.path / ".git/config"
    before = config.read_text()
    for number, text in enumerate(SETTINGS):
        own.write_text(SETTINGS[1] if number % 2 else "")
        config.write_text(before + text)
        repository = open_repository(manifests.path)
        for role in ROLES:
            assert line(repository, role) == told_by_git(repository, role), text


@pytest.mark.usefixtures("environment")
def test_who_is_configured_has_the_time_of_git(manifests: ManifestRepository) -> None:
    repository = open_repository(manifests.path)
    repository.git("config", "user.email", "a@example.com")
    for role in ROLES:
        expected = told_by_git(repository, role).rpartition("> ")[2]
        person = CommitIdentity(name="Headgate", email="bot@example.com")
        assert line(repository, role, person) == f"Headgate <bot@example.com> {expected}"


def test_the_settings_of_the_user_hold_in_what_a_run_cloned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own"
    own.write_text(SETTINGS[2])
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(own))
    for role in ROLES:
        for part in ("NAME", "EMAIL"):
            monkeypatch.delenv(f"GIT_{role.upper()}_{part}")
    made = ManifestRepository.make(tmp_path / "made").commit()
    with clone(str(made.path)) as cloned:
        for role in ROLES:
            assert line(cloned.repository, role) == told_by_git(cloned.repository, role)


def test_an_author_without_address_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert author_name(str(tmp_path)) == "Test"
    monkeypatch.delenv("GIT_AUTHOR_EMAIL")
    with pytest.raises(GitError):
        author_name(str(tmp_path))
