"""``headgate history``: what people and programs are told of an app's past."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headgate.errors import ConfigError
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
    assert ran.code == ConfigError.code
    assert "there is no app 'wep', and no release of one in git's history\n  did you mean 'web'?" in ran.err
    ran = headgate("history", "web", "--manifests", str(past.path), "--environment", "prod")
    assert ran.code == ConfigError.code
    assert "expected one of: dev, production" in ran.err


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
