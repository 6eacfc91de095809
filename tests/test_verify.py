"""``headgate verify``: what is committed against a fresh hydration, and who changed what by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headgate.errors import ConfigError, LockError, SeveralError
from support.cli import Ran, headgate
from support.manifests import APP, COMMIT, DEPLOYMENT, ManifestRepository, git

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
"""
FILE = "deploy/dev/web/service-web.yaml"


@pytest.fixture
def fleet(manifests: ManifestRepository) -> ManifestRepository:
    """Return an app that is hydrated in two environments."""
    manifests.write({"templates/web/web.yaml": DEPLOYMENT, "templates/web/service.yaml": SERVICE})
    return manifests.hydrated("web")


def verify(path: Path | str, *args: str) -> Ran:
    return headgate("verify", "--manifests", str(path), *args)


def verdict(path: Path | str, state: str, code: int = 1) -> dict[str, Any]:
    """Return the only verdict of that state."""
    ran = verify(path, "--json")
    assert ran.code == code, ran.err
    (one,) = [one for one in json.loads(ran.out)["apps"] if one["state"] == state]
    return dict(one)


def edit(
    fleet: ManifestRepository, monkeypatch: pytest.MonkeyPatch, files: dict[str, str | bytes], who: str = "Eve"
) -> str:
    """Commit files as somebody else, and return the commit."""
    monkeypatch.setenv("GIT_AUTHOR_NAME", who)
    fleet.write(files).commit("Mend it quickly")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Test")
    return git(fleet.path, "rev-parse", "HEAD")


def test_what_is_as_hydrated_passes_and_nothing_is_written(fleet: ManifestRepository) -> None:
    ran = verify(fleet.path)
    assert (ran.code, ran.out) == (0, "2 app-environments: 2 as hydrated\n")
    assert git(fleet.path, "status", "--porcelain") == ""


def test_an_edited_field_is_told_with_who_did_it(fleet: ManifestRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (fleet.path / FILE).read_text()
    commit = edit(fleet, monkeypatch, {FILE: text.replace("port: 80", "port: 81")})
    fleet.write({"README.md": "later"}).commit("Later")

    ran = verify(fleet.path)

    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[1] == "web in dev: edited by hand"
    assert lines[2].startswith(f"  ~ {FILE} differs: Eve, 20")
    assert lines[2].endswith(f", {commit[:12]} Mend it quickly")
    assert [line.strip() for line in lines[3:7]] == ["spec.ports[81].port", "- 81", "spec.ports[80].port", "+ 80"]
    assert "'headgate rehydrate' reverts it" in lines[7]
    assert lines[8:] == ["2 app-environments: 1 as hydrated, 1 edited by hand"]
    (difference,) = verdict(fleet.path, "edited")["differences"]
    assert difference["last_commit"]["who"] == "Eve <test@example.com>"
    assert difference["by_hand"] is True
    assert difference["object"]["fields"] == [
        {"path": "spec.ports[81].port", "old": "81", "new": None, "runs_alike": False},
        {"path": "spec.ports[80].port", "old": None, "new": "80", "runs_alike": False},
    ]


def test_missing_and_added_files_are_told(fleet: ManifestRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    (fleet.path / FILE).unlink()
    removed = edit(fleet, monkeypatch, {}, "Bob")
    added = edit(
        fleet, monkeypatch, {"deploy/dev/web/extra.yaml": "{apiVersion: v1, kind: Extra, metadata: {name: x}}"}
    )

    found = verdict(fleet.path, "edited")["differences"]

    assert [(one["kind"], one["file"], one["last_commit"]["commit"]) for one in found] == [
        ("missing", FILE, removed),
        ("added", "deploy/dev/web/extra.yaml", added),
    ]
    out = verify(fleet.path).out
    assert f"  - {FILE} is missing: Bob, " in out
    assert "  + deploy/dev/web/extra.yaml was not written by Headgate: Eve, " in out


def test_a_stale_app_is_no_edit_by_hand(fleet: ManifestRepository) -> None:
    fleet.write({"templates/web/service.yaml": SERVICE.replace("80", "90")}).commit()
    ran = verify(fleet.path, "--environment", "dev")
    assert ran.code == 1
    assert "web in dev: its inputs changed since it was hydrated" in ran.out
    assert f"  ~ {FILE} differs\n" in ran.out
    assert ran.out.endswith("1 app-environment: 1 stale\n")


def test_stale_and_edited_files_of_one_app_are_told_apart(
    fleet: ManifestRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.write({"templates/web/service.yaml": SERVICE.replace("80", "90")}).commit()
    file = "deploy/dev/web/deployment.apps-web.yaml"
    edit(fleet, monkeypatch, {file: (fleet.path / file).read_text().replace("app: web", "app: other")})
    found = {one["file"]: one["by_hand"] for one in verdict(fleet.path, "edited")["differences"]}
    assert found == {file: True, FILE: False}


def test_an_edit_that_was_squashed_into_a_hydration_shows(fleet: ManifestRepository) -> None:
    fleet.write({"templates/web/service.yaml": SERVICE.replace("80", "90")})
    assert fleet.hydrate().code == 0
    fleet.write({FILE: (fleet.path / FILE).read_text().replace("90", "91")}).commit("Squashed")
    (difference,) = verdict(fleet.path, "edited")["differences"]
    assert difference["by_hand"] is True
    assert difference["last_commit"]["subject"] == "Squashed"


def test_what_is_pinned_or_frozen_waits_without_fault(
    fleet: ManifestRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = fleet.path / "apps/web/releases/dev/release.yaml"
    file.write_text(file.read_text() + f"pin: {{by: ada, reason: broken, since: '{COMMIT}'}}\n")
    settings = fleet.path / "headgate.yaml"
    settings.write_text(settings.read_text().replace("delivery: review", "delivery: commit"))
    frozen = f"version: 1\nby: ada\nreason: holidays\nsince: '{COMMIT}'\n"
    fleet.write({"environments/production/frozen.yaml": frozen})
    fleet.write({"templates/web/service.yaml": SERVICE.replace("80", "90")}).commit()

    ran = verify(fleet.path)
    assert ran.code == 0, ran.out
    assert "web in dev: a change of its inputs is held until it is unpinned or thawed\n" in ran.out
    assert ran.out.endswith("2 app-environments: 2 held\n")

    edit(fleet, monkeypatch, {FILE: (fleet.path / FILE).read_text().replace("80", "70")})
    assert verify(fleet.path).code == 1
    assert verdict(fleet.path, "edited")["environment"] == "dev"


def test_a_folder_whose_app_is_gone_is_told(fleet: ManifestRepository) -> None:
    git(fleet.path, "rm", "-r", "--quiet", "apps/web")
    fleet.write({"apps/evil/config/.headgate.json": "{}"}).commit("Remove")
    ran = verify(fleet.path)
    assert ran.code == 1
    assert "deploy/dev/web: left over from a removed app or environment\n" in ran.out
    assert ran.out.endswith("nothing to verify; folders left over: 2\n")


def test_an_environment_that_an_app_left_is_told(fleet: ManifestRepository) -> None:
    fleet.app("web", APP + "environments: [dev]\n").commit()
    assert verdict(fleet.path, "orphaned")["folder"] == "deploy/production/web"


def test_of_a_broken_app_nothing_is_taken_for_left_over(fleet: ManifestRepository) -> None:
    fleet.app("web", APP + "unknown: key\n").commit()
    ran = verify(fleet.path)
    assert ran.code == ConfigError.code
    assert "left from" not in ran.out
    assert "apps/web/app.yaml:4: unknown" in ran.err


def test_the_code_is_that_of_what_cannot_be_rendered(fleet: ManifestRepository) -> None:
    fleet.write({"apps/web/values.yaml": "a: ["}).commit()
    assert verify(fleet.path).code == 11
    fleet.app("other", "template: nowhere\nproject: acme/web\n").commit()
    assert verify(fleet.path).code == SeveralError.code


def test_a_record_that_was_tampered_with_shows(fleet: ManifestRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    record = "deploy/dev/web/.headgate.json"
    data = json.loads((fleet.path / record).read_text())
    edit(fleet, monkeypatch, {record: json.dumps({**data, "output": "0" * 64})})
    (difference,) = verdict(fleet.path, "edited")["differences"]
    assert (difference["file"], difference["kind"]) == (record, "record")
    assert "does not match the files: Eve" in verify(fleet.path).out


def test_other_tools_than_the_locked_ones_refuse(fleet: ManifestRepository) -> None:
    fleet.write({"headgate.lock": "version: 1\noutput: 99\n"}).commit()
    assert verify(fleet.path).code == LockError.code


def test_secrets_stay_secret(fleet: ManifestRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: web}\ndata: {password: b25l}\n"
    fleet.write({"templates/web/secret.yaml": secret}).app("web", APP + "allow: {kinds: [Secret]}\n")
    assert fleet.hydrate().code == 0
    fleet.commit()
    file = "deploy/dev/web/secret-web.yaml"
    edit(fleet, monkeypatch, {file: (fleet.path / file).read_text().replace("b25l", "dHdv")})
    for ran in (verify(fleet.path), verify(fleet.path, "--json")):
        assert ran.code == 1
        assert "(a secret)" in ran.out
        assert "b25l" not in ran.out
        assert "dHdv" not in ran.out


def test_from_an_address_and_from_a_checkout_that_was_cut_off(
    fleet: ManifestRepository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commit = edit(fleet, monkeypatch, {FILE: (fleet.path / FILE).read_text().replace("80", "81")})
    for number in range(3):
        fleet.write({"README.md": str(number)}).commit()
    git(tmp_path, "clone", "--quiet", "--depth=1", fleet.path.as_uri(), "cut")
    for where in (fleet.path.as_uri(), tmp_path / "cut"):
        (difference,) = verdict(where, "edited")["differences"]
        assert difference["last_commit"]["commit"] == commit
