"""``headgate where``: where an image runs, waits and ran, since when, and who delivered it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.errors import ArgumentError
from headgate.objects.image_query import parse_query
from headgate.objects.images import parse_reference
from support.cli import headgate
from support.manifests import APP, COMMIT, DEPLOYMENT, DIGEST, IMAGES, ManifestRepository, git

REFERENCE = f"{IMAGES['web']}:1.0@{DIGEST}"
SIDECAR = "        - name: proxy\n          image: nginx:1.25\n"
NEWER = {"project": "acme/web", "commit": "b" * 40, "ref": "refs/heads/main", "repository": IMAGES["web"], "tag": "2.0"}


@pytest.fixture
def fleet(manifests: ManifestRepository) -> ManifestRepository:
    """Return two hydrated apps in two environments, with a sidecar that no hand-off brings."""
    manifests.write({"templates/web/web.yaml": DEPLOYMENT.rstrip() + "\n" + SIDECAR})
    return manifests.hydrated("web", "api", message="Begin\n\nHeadgate-Actor: ada")


def where(path: Path | str, *args: str) -> list[dict[str, Any]]:
    ran = headgate("where", *args, "--manifests", str(path), "--json")
    assert ran.code == 0, ran.err
    data = json.loads(ran.out)
    assert data["version"] == 1
    places: list[dict[str, Any]] = data["places"]
    return places


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("registry.example.com/acme/web", True),
        ("REGISTRY.example.com:443/acme/web", True),
        ("web", True),
        ("acme/web:1.0", True),
        (f"web@{DIGEST}", True),
        ("web:1.0@1111111", True),
        (DIGEST, True),
        ("sha256:1111111", True),
        ("111111111111", True),
        ("docker.io/acme/web", False),
        ("eb", False),
        ("web:1", False),
        (f"sha256:{'2' * 64}", False),
        (f"other@{DIGEST}", False),
    ],
)
def test_an_image_is_found_by_repository_tag_and_digest(search: str, found: bool) -> None:
    query = parse_query(search)
    assert query.matches(parse_reference(REFERENCE)) is found
    assert not found or query.needle in REFERENCE.encode()


def test_docker_hub_has_many_names() -> None:
    for search in ("nginx", "library/nginx:1.25", "docker.io/nginx", "index.docker.io/library/nginx"):
        assert parse_query(search).matches(parse_reference("nginx:1.25")), search
    assert not parse_query("docker.io/nginx").matches(parse_reference("mirror.example.com/library/nginx"))
    assert parse_query("nginx").matches(parse_reference("mirror.example.com/library/nginx"))


@pytest.mark.parametrize("search", ["", "A B", "sha256:xyz/", "web:", "web@sha256:12"])
def test_what_names_no_image_has_a_code_of_its_own(search: str, fleet: ManifestRepository) -> None:
    ran = headgate("where", search, "--manifests", str(fleet.path))
    assert ran.code == ArgumentError.code
    assert "expected REPOSITORY, REPOSITORY:TAG or a digest" in ran.err


def test_what_was_handed_off_is_found_with_its_source(fleet: ManifestRepository) -> None:
    found = where(fleet.path, DIGEST)
    assert [(place["app"], place["environment"], place["state"]) for place in found] == [
        (app, environment, "runs") for app in ("api", "web") for environment in ("dev", "production")
    ]
    place = found[0]
    assert place["image"] == REFERENCE
    assert (place["handed_off"]["project"], place["handed_off"]["commit"]) == ("acme/web", COMMIT)
    assert place["objects"] == ["Deployment api/web"]
    assert place["since"]["commit"] == git(fleet.path, "rev-parse", "HEAD")
    assert place["since"]["actors"] == ["ada"]
    assert len(where(fleet.path, DIGEST, "--environment", "dev")) == 2


def test_since_is_when_this_image_came_and_not_when_its_release_last_changed(fleet: ManifestRepository) -> None:
    came = git(fleet.path, "rev-parse", "HEAD")
    file = fleet.path / "apps/web/releases/dev/release.yaml"
    release = yaml.safe_load(file.read_text())
    release["images"]["other"] = {**NEWER, "repository": "registry.example.com/acme/other", "digest": DIGEST}
    file.write_text(yaml.safe_dump(release))
    fleet.commit("Another image")
    (fleet.path / "apps/team").mkdir()
    git(fleet.path, "mv", "apps/web", "apps/team/web")
    fleet.commit("Move")
    (place,) = [place for place in where(fleet.path, "acme/web", "--environment", "dev") if place["app"] == "web"]
    assert place["since"]["commit"] == came


def test_what_a_template_brings_and_what_a_hand_wrote_is_found(fleet: ManifestRepository) -> None:
    file = fleet.path / "deploy/dev/web/deployment.apps-web.yaml"
    file.write_text(file.read_text().replace("nginx:1.25", '"evil.example.com/min\\u0065r:1"'))
    fleet.commit("By hand")

    found = where(fleet.path, "nginx:1.25")
    assert {(place["app"], place["environment"]) for place in found} == {
        *(("api", name) for name in ("dev", "production")),
        ("web", "production"),
    }
    assert {place["handed_off"] for place in found} == {None}

    (place,) = where(fleet.path, "evil.example.com/miner")
    assert (place["state"], place["objects"]) == ("runs", ["Deployment web/web"])
    assert place["since"]["subject"] == "By hand"
    shown = headgate("where", "miner", "--manifests", str(fleet.path)).out
    assert "no hand-off brought it" in shown


@pytest.mark.parametrize("state", ["held", "diverged", "failed", "proposed"])
def test_what_waits_is_found(state: str, fleet: ManifestRepository) -> None:
    group: dict[str, Any] = {"images": {"web": {**NEWER, "digest": "sha256:" + "2" * 64, "actor": "eve"}}}
    if state == "failed":
        group["failure"] = {"code": 17, "message": "no value 'port'", "since": COMMIT}
    elif state == "held":
        group["reasons"] = ["pinned by ada"]
    folder = f"apps/web/releases/dev/{state}"
    records: dict[str, str | bytes] = {f"{folder}/web/group.yaml": yaml.safe_dump(group)}
    fleet.write(records | ({f"{folder}/proposal.yaml": "changes: x\n"} if state == "proposed" else {})).commit("Wait")

    (place,) = where(fleet.path, "acme/web:2.0")

    assert (place["app"], place["environment"], place["state"]) == ("web", "dev", state)
    assert place["reasons"] == {"failed": ["no value 'port'"], "held": ["pinned by ada"]}.get(state, [])
    assert place["since"]["subject"] == "Wait"
    assert place["handed_off"]["actor"] == "eve"


def test_where_it_ran_is_told_with_beginning_and_end(fleet: ManifestRepository) -> None:
    begin = git(fleet.path, "rev-parse", "HEAD")
    fleet.write({"templates/web/web.yaml": DEPLOYMENT}).commit("No sidecar")
    assert fleet.hydrate().code == 0
    end = git(fleet.commit("Hydrate").path, "rev-parse", "HEAD")
    git(fleet.path, "rm", "-r", "--quiet", "apps/api", "deploy/dev/api", "deploy/production/api")
    removed = git(fleet.commit("Remove").path, "rev-parse", "HEAD")

    assert where(fleet.path, "nginx") == []
    past = where(fleet.path, "nginx", "--history")
    assert {place["state"] for place in past} == {"ran"}
    assert {(place["since"]["commit"], place["until"]["commit"]) for place in past} == {(begin, end)}
    assert len(past) == 4

    places = where(fleet.path, DIGEST, "--history")
    assert [(place["app"], place["state"]) for place in places if place["environment"] == "dev"] == [
        ("web", "runs"),
        ("api", "ran"),
    ]
    (gone,) = [place for place in places if place["app"] == "api" and place["environment"] == "dev"]
    assert (gone["since"]["commit"], gone["until"]["commit"]) == (begin, removed)
    assert len(places) == 4  # the final YAML says nothing that the release does not


def test_from_an_address_the_past_is_fetched(fleet: ManifestRepository, tmp_path: Path) -> None:
    came = git(fleet.path, "rev-parse", "HEAD")
    fleet.write({"README.md": "more"}).commit("Other")
    remote = tmp_path / "manifests.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(fleet.path), str(remote))
    git(remote, "config", "uploadpack.allowFilter", "true")
    for search in ("nginx", "acme/web"):
        found = where(remote.as_uri(), search)
        assert {place["since"]["commit"] for place in found} == {came}
        assert len(found) == 4


def test_tables_fit_80_columns_also_with_long_names(fleet: ManifestRepository) -> None:
    name = "a-very-long-name-of-an-app-that-somebody-thought-of-on-a-monday"
    fleet.app(name, APP).release(name, "dev", images=IMAGES)
    group = {"images": {"web": {**NEWER, "tag": "1.0", "digest": DIGEST}}, "reasons": ["pinned by ada: " + "why " * 30]}
    fleet.write({"apps/web/releases/dev/held/web/group.yaml": yaml.safe_dump(group)}).commit("Long")
    shown = headgate("where", "acme/web", "--history", "--manifests", str(fleet.path)).out
    assert name in shown
    assert shown.count("why") == 30
    assert [line for line in shown.splitlines() if len(line) > 80] == []


def test_what_is_nowhere_and_what_is_not_searched_is_said(fleet: ManifestRepository) -> None:
    fleet.app("bad", "template: nowhere\nproject: acme/web\n").commit()
    ran = headgate("where", "acme/unknown", "--manifests", str(fleet.path))
    assert ran.code == 0
    assert "acme/unknown: runs nowhere" in ran.out
    assert "not searched: apps/bad/app.yaml" in ran.out
    wrong = headgate("where", "web", "--environment", "prod", "--manifests", str(fleet.path))
    assert "there is no environment 'prod'" in wrong.err


def test_nothing_that_others_wrote_steers_the_terminal(
    fleet: ManifestRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Eve\x1b[2J")
    file = fleet.path / "deploy/dev/web/deployment.apps-web.yaml"
    file.write_text(file.read_text().replace("nginx:1.25", "nginx:1.26"))
    fleet.commit("By hand")
    out = headgate("where", "nginx:1.26", "--manifests", str(fleet.path)).out
    assert "Eve" in out
    assert "\x1b" not in out
