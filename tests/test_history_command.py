"""``headgate history``: what people and programs are told of an app's past."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headgate.errors import ArgumentError
from support.cli import headgate
from support.manifests import COMMIT, ManifestRepository, git
from support.stage import APP, Stage, write_app

ONE, TWO = "1" * 40, "2" * 40
IMAGES = {"web": "registry.example.com/acme/web"}


@pytest.fixture
def past(manifests: ManifestRepository) -> ManifestRepository:
    """Return a repository whose app went to a second version in dev, was pinned, went back, and to production."""
    manifests.app("web", APP)
    for commit in (ONE, TWO):
        manifests.release("web", "dev", images=IMAGES, commit=commit).commit(f"Deliver {commit[0]}")
    manifests.release("web", "dev", images=IMAGES, commit=ONE)
    file = manifests.path / "apps/web/releases/dev/release.yaml"
    file.write_text(file.read_text() + f"pin: {{by: ada, reason: 2 is broken, since: '{COMMIT}'}}\n")
    manifests.commit("Roll back")
    manifests.release("web", "production", images=IMAGES, commit=ONE).commit("Promote")
    return manifests


def told(path: Path | str, *args: str) -> list[str]:
    ran = headgate("history", "web", "--manifests", str(path), *args)
    assert ran.code == 0, ran.err
    return ran.out.splitlines()


def test_each_environment_has_a_table_newest_first(past: ManifestRepository) -> None:
    lines = told(past.path)

    assert lines[0] == "web in dev"
    assert lines[1].split() == ["WHEN", "(UTC)", "COMMIT", "WHO", "IMAGES"]
    back = git(past.path, "rev-parse", "--short=12", "HEAD~3")
    assert lines[2].endswith(f"  Test  web:1.0@{'1' * 12}")
    assert lines[3:5] == [
        f"      from: acme/web@{'1' * 12} (main)",
        f"      back to {back}; pinned by ada: 2 is broken",
    ]
    assert lines[6] == f"      from: acme/web@{'2' * 12} (main)"
    assert lines[9:11] == ["", "web in production"]
    assert lines[14] == "      as in dev"
    assert len(lines) == 15


def test_one_environment_and_so_many_steps(past: ManifestRepository) -> None:
    lines = told(past.path, "--environment", "dev", "--limit", "1")
    assert [line.split()[0] for line in lines] == ["web", "WHEN", lines[2].split()[0], "from:", "back"]


def test_json_has_the_whole_release(past: ManifestRepository) -> None:
    data = json.loads("\n".join(told(past.path, "--json")))
    assert (data["version"], data["app"]) == (1, "web")
    dev = data["environments"][0]
    assert (dev["environment"], dev["cut"]) == ("dev", None)
    newest = dev["steps"][0]
    assert newest["who"] == "Test <test@example.com>"
    assert newest["back_to"] == dev["steps"][2]["commit"]
    assert newest["release"]["images"]["web"]["commit"] == ONE
    assert newest["release"]["pin"]["reason"] == "2 is broken"
    assert data["environments"][1]["steps"][0]["as_in"] == "dev"


def test_unpinned_and_removed_are_told(past: ManifestRepository) -> None:
    past.release("web", "dev", images=IMAGES, commit=ONE).commit("Unpin")
    git(past.path, "rm", "-r", "--quiet", "apps/web")
    past.commit("Remove")
    lines = told(past.path, "--environment", "dev")
    assert lines[2].endswith("  Test")
    assert lines[3] == "      removed"
    assert lines[6] == "      unpinned"


def test_an_app_that_never_was_is_an_error(past: ManifestRepository) -> None:
    ran = headgate("history", "wep", "--manifests", str(past.path))
    assert ran.code == ArgumentError.code
    assert "there is no app 'wep', and no release of one in git's history\n  did you mean 'web'?" in ran.err
    ran = headgate("history", "web", "--manifests", str(past.path), "--environment", "prod")
    assert ran.code == ArgumentError.code
    assert "expected one of: dev, production" in ran.err


@pytest.mark.long
def test_from_an_address_the_past_is_fetched(stage: Stage) -> None:
    assert stage.deliver().code == 0
    write_app(stage, {"README.md": "changed"})
    assert stage.deliver(image=f"{IMAGES['web']}:1.1@sha256:{'3' * 64}").code == 0
    lines = told(stage.remote.as_uri(), "--environment", "dev")
    assert "web:1.1@333333333333" in lines[2]
    assert "web:1.0@111111111111" in lines[4]
    assert len(lines) == 6


def test_a_cut_off_checkout_without_remote_says_so(past: ManifestRepository, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", past.path.as_uri(), "cut")
    git(tmp_path / "cut", "remote", "remove", "origin")
    lines = told(tmp_path / "cut", "--environment", "dev")
    head = git(past.path, "rev-parse", "--short=12", "HEAD")
    assert lines == ["web in dev", "  no known change", f"  history before {head} is not in this repository"]


def test_nothing_that_others_wrote_steers_the_terminal(
    past: ManifestRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Eve\x1b[2J")
    past.release("web", "dev", images=IMAGES, commit=TWO).commit()
    out = headgate("history", "web", "--manifests", str(past.path)).out
    assert "\x1b" not in out
    assert "Eve" in out


@pytest.fixture
def people(manifests: ManifestRepository, monkeypatch: pytest.MonkeyPatch) -> ManifestRepository:
    """Return a repository in which several people put versions of two apps into environments."""
    for name in ("web", "api"):
        manifests.app(name, APP)
    manifests.release("web", "dev", images=IMAGES, commit=ONE).commit("Deliver\n\nHeadgate-Actor: ada")
    file = manifests.release("api", "dev", images=IMAGES, commit=ONE).path / "apps/api/releases/dev/release.yaml"
    file.write_text(file.read_text().replace("project: acme/web", "project: acme/web\n    actor: Eve"))
    manifests.commit("Deliver")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Bob")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "bob@example.com")
    manifests.release("web", "production", images=IMAGES, commit=ONE).commit("Merge")
    file = manifests.path / "apps/web/releases/dev/release.yaml"
    file.write_text(file.read_text() + f"pin: {{by: Mia, reason: because, since: '{COMMIT}'}}\n")
    return manifests.commit("Pin")


@pytest.mark.long
@pytest.mark.parametrize(
    ("actor", "steps"),
    [
        ("ada", ["web dev Deliver"]),
        ("eve", ["api dev Deliver"]),
        ("Mia", ["web dev Pin"]),
        ("bob", ["web dev Pin", "web production Merge"]),
        ("BOB@example.com", ["web dev Pin", "web production Merge"]),
        ("nobody", []),
    ],
)
def test_what_somebody_did_is_found_in_all_apps(actor: str, steps: list[str], people: ManifestRepository) -> None:
    ran = headgate("history", "--actor", actor, "--json", "--manifests", str(people.path))
    data = json.loads(ran.out)
    assert (data["version"], data["actor"]) == (1, actor)
    assert sorted(f"{step['app']} {step['environment']} {step['subject']}" for step in data["steps"]) == steps


def test_one_app_and_one_environment_of_somebody(people: ManifestRepository) -> None:
    lines = told(people.path, "--actor", "bob", "--environment", "dev")
    assert (len([line for line in lines if line[:4] == "  20"]), lines[-1].strip()) == (1, "pinned by Mia: because")
    data = json.loads("\n".join(told(people.path, "--actor", "bob", "--json")))
    assert [len(found["steps"]) for found in data["environments"]] == [1, 1]
    assert data["environments"][0]["steps"][0]["actors"] == ["Mia"]


def test_all_apps_newest_first_and_so_many(people: ManifestRepository) -> None:
    lines = headgate("history", "--manifests", str(people.path), "--limit", "3").out.splitlines()
    assert lines[0].split() == ["WHEN", "(UTC)", "APP", "ENVIRONMENT", "VERSION", "COMMIT", "WHO"]
    assert len([line for line in lines if line[:2] == "20"]) == 3
    assert "Test for Eve" in "\n".join(lines)
    assert [line for line in lines if len(line) > 80] == []
    ran = headgate("history", "--environment", "productoin", "--manifests", str(people.path))
    assert ran.code == ArgumentError.code
    assert "did you mean 'production'?" in ran.err


def test_somebody_is_searched_in_the_whole_past_from_an_address(people: ManifestRepository, tmp_path: Path) -> None:
    remote = tmp_path / "manifests.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(people.path), str(remote))
    git(remote, "config", "uploadpack.allowFilter", "true")
    ran = headgate("history", "--actor", "ada", "--json", "--manifests", remote.as_uri())
    assert [step["subject"] for step in json.loads(ran.out)["steps"]] == ["Deliver"]
