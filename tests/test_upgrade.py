"""Another version of an engine: refused, then one visible change, whether or not the final YAML differs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

import pytest

from support.cli import Ran
from support.gitlab.gitside import refs
from support.gitlab.mergeside import merge, open_request
from support.manifests import ManifestRepository, git
from support.reviewing import DEPLOYMENT, Scene, make_scene

HERE = version("jinja2")
UPGRADE = f"jinja2 2.0.0 -> {HERE}"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n  app: {app}\n"
LOCK, RECORD = "headgate.lock", "deploy/dev/web/.headgate.json"


def by_an_older_one(files: Mapping[str, str]) -> dict[str, str]:
    """Return lock and records as Jinja2 2.0.0 would have left them."""
    older = {name: text.replace(HERE, "2.0.0") for name, text in files.items()}
    for name in older.keys() - {LOCK}:
        older[name] = json.dumps({**json.loads(older[name]), "inputs": "0" * 64, "quick": "0" * 64})
    return older


@pytest.fixture
def web(manifests: ManifestRepository) -> ManifestRepository:
    """A repository that an older Jinja2 hydrated to the same final YAML, committed."""
    manifests.write({"templates/web/a.yaml.j2": CONFIG_MAP.format(app="{{ app }}")}).app(
        "web", "template: web\nenvironments: [dev]\n"
    )
    assert manifests.hydrate().code == 0
    names = (LOCK, RECORD)
    manifests.write({**by_an_older_one({name: (manifests.path / name).read_text() for name in names})}).commit("Older")
    return manifests


def engine(repository: ManifestRepository) -> str:
    return str(json.loads((repository.path / RECORD).read_text())["engine"])


def last_commit(repository: ManifestRepository) -> tuple[str, list[str]]:
    """Return the newest commit's subject and the files that it changes."""
    subject, _, files = git(repository.path, "show", "--format=%s", "--name-only").partition("\n\n")
    return subject, files.splitlines()


def told(ran: Ran) -> list[str]:
    return ran.out.splitlines()


def test_it_is_refused_until_it_is_asked_for(web: ManifestRepository) -> None:
    assert web.hydrate("--commit").code == 25
    ran = web.hydrate("--commit", "--upgrade")
    assert ran.code == 0
    assert told(ran)[:2] == ["1 app-environment: 1 unchanged", f"{UPGRADE} in 1 of them"]
    assert last_commit(web) == (f"Hydrate web in dev: {UPGRADE}", [RECORD, LOCK])
    assert engine(web) == f"jinja2 {HERE}"
    assert f"jinja2: {HERE}" in (web.path / LOCK).read_text()


def test_afterwards_nothing_is_rendered_again(web: ManifestRepository) -> None:
    web.hydrate("--commit", "--upgrade")
    again = web.hydrate("--commit")
    assert told(again) == ["1 app-environment: 1 unchanged"]


def test_programs_see_it_too(web: ManifestRepository) -> None:
    (one,) = web.hydrate_json("--upgrade")
    assert (one["state"], one["upgrade"]) == ("unchanged", UPGRADE)


def test_what_it_changes_is_shown_as_any_change(web: ManifestRepository) -> None:
    web.write({"deploy/dev/web/configmap-web.yaml": CONFIG_MAP.format(app="other")})
    ran = web.hydrate("--upgrade")
    assert told(ran)[0] == "web in dev: 1 changed"
    assert told(ran)[-2:] == ["1 app-environment: 1 changed", f"{UPGRADE} in 1 of them"]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """An app in dev and, reviewed, in production, hydrated by an older Jinja2 to the same final YAML."""
    with make_scene(tmp_path) as made:
        made.push(made.app, {"deploy/web.yaml": None, "deploy/web.yaml.j2": DEPLOYMENT})
        assert made.hand_off().code == 0
        names = (LOCK, RECORD)
        made.push(made.manifests, {**by_an_older_one({name: made.gitlab.show(made.manifests, name) for name in names})})
        yield made


def test_on_the_default_branch_it_is_refused(scene: Scene) -> None:
    before = refs(scene.manifests)
    for ended in (scene.pushed(), scene.new_version()):
        assert ended.code == 25
        assert f"hydrated with jinja2 2.0.0 (here: {HERE})" in ended.out
        assert "upgrade in a merge request" in ended.out
    assert refs(scene.manifests) == before


@pytest.mark.long
def test_in_a_merge_request_it_is_hydrated_onto_the_branch(scene: Scene) -> None:
    scene.push(scene.manifests, {".gitlab-ci.yml": "include: []\n"}, branch="newer")
    request = open_request(scene.gitlab, scene.manifests, "newer", scene.person)
    ended = scene.merge_request(request)
    assert ended.code == 0, ended.out
    assert f"{UPGRADE} in 1 of them" in ended.out
    assert f"jinja2: {HERE}" in scene.gitlab.show(scene.manifests, LOCK, "newer")
    assert HERE in scene.gitlab.show(scene.manifests, RECORD, "newer")
    assert "2.0.0" in scene.gitlab.show(scene.manifests, LOCK)
    (note,) = request.notes
    assert f"- rendered with `{UPGRADE}`" in note.body

    scene.push(scene.manifests, {name: scene.gitlab.show(scene.manifests, name, "newer") for name in (LOCK, RECORD)})
    assert scene.pushed().code == 0
    assert scene.new_version().code == 0


@pytest.mark.long
def test_where_the_lock_is_taken_away_what_is_only_recorded_needs_no_review(scene: Scene) -> None:
    merge(scene.gitlab, scene.the_request(), scene.person)
    record = RECORD.replace("dev", "production")
    older = by_an_older_one({record: scene.gitlab.show(scene.manifests, record)})
    scene.push(scene.manifests, {**older, LOCK: None})
    ended = scene.pushed()
    assert ended.code == 0, ended.out
    assert f"{UPGRADE} in 2 of them" in ended.out
    assert scene.requests() == []
    assert f"jinja2 {HERE}" in scene.gitlab.show(scene.manifests, record)
    assert f"jinja2: {HERE}" in scene.gitlab.show(scene.manifests, LOCK)
