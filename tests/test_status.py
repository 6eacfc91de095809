"""``headgate status``: what runs where, since when, and what is out of the ordinary."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.releases.history import landed_at, read_history
from headgate.releases.last_change import last_changes
from headgate.report.table import age
from headgate.repository import git as hgit
from headgate.repository.catfile import CatFile
from support.cli import headgate
from support.manifests import APP, COMMIT, DEPLOYMENT, IMAGES, ManifestRepository, git

PIN = f"pin: {{by: ada, reason: it is broken, since: '{COMMIT}'}}\n"
FREEZE = f"version: 1\nby: eve\nreason: holidays\nsince: '{COMMIT}'\n"


@pytest.fixture
def fleet(manifests: ManifestRepository) -> ManifestRepository:
    """Return two hydrated apps in two environments."""
    return manifests.write({"templates/web/web.yaml": DEPLOYMENT}).hydrated("web", "api")


def status(path: Path | str, *args: str) -> dict[tuple[str, str], dict[str, Any]]:
    ran = headgate("status", *args, "--manifests", str(path), "--json")
    assert ran.code == 0, ran.err
    data = json.loads(ran.out)
    assert data["version"] == 1
    return {(one["app"], one["environment"]): one for one in data["apps"]}


def lines(path: Path | str, *args: str) -> list[str]:
    ran = headgate("status", *args, "--manifests", str(path))
    assert ran.code == 0, ran.err
    return ran.out.splitlines()


def test_all_is_well(fleet: ManifestRepository) -> None:
    found = lines(fleet.path)
    assert found[0].split() == ["APP", "ENVIRONMENT", "VERSION", "COMMIT", "AGE"]
    assert [line.split()[:4] for line in found[1:5]] == [
        [app, environment, "1.0", "a" * 12] for app in ("api", "web") for environment in ("dev", "production")
    ]
    assert found[5:] == ["4 app-environments: all current"]
    one = status(fleet.path)["web", "dev"]
    assert one["state"] == "current"
    assert one["landed"]["commit"] == git(fleet.path, "rev-parse", "HEAD")
    assert one["release"]["images"]["web"]["tag"] == "1.0"


def test_git_is_asked_as_often_about_many_apps_as_about_few(
    fleet: ManifestRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def counted(objects: CatFile, command: str, names: Sequence[str], query: Any = CatFile._query) -> Any:
        asked.extend([command] if names else [])
        return query(objects, command, names)

    monkeypatch.setattr(CatFile, "_query", counted)
    status(fleet.path)
    few = len(asked)
    assert few == 5, asked
    for name in ("a", "b", "c", "d"):
        fleet.app(name, APP)
        for environment in ("dev", "production"):
            fleet.release(name, environment, images=IMAGES, config={"values.yaml": f"of: {name}\n"})
    assert fleet.hydrate().code == 0
    fleet.commit("Add some")
    asked.clear()
    assert len(status(fleet.path)) == 12
    assert len(asked) == few


def test_one_app(fleet: ManifestRepository) -> None:
    assert set(status(fleet.path, "web")) == {("web", "dev"), ("web", "production")}
    assert headgate("status", "wep", "--manifests", str(fleet.path)).code == 38


def test_what_is_not_committed_is_not_looked_at(fleet: ManifestRepository) -> None:
    fleet.write({"templates/web/web.yaml": "broken: ["})
    assert {one["state"] for one in status(fleet.path).values()} == {"current"}


def test_a_template_change_makes_stale_and_waits_where_it_is_pinned_or_frozen(fleet: ManifestRepository) -> None:
    file = fleet.path / "apps/web/releases/dev/release.yaml"
    file.write_text(file.read_text() + PIN)
    fleet.write({"environments/production/frozen.yaml": FREEZE})
    fleet.write({"templates/web/web.yaml": DEPLOYMENT.replace("spec:", "spec:\n  replicas: 2", 1)}).commit()

    found = status(fleet.path)

    assert {owner: one["state"] for owner, one in found.items()} == {
        ("api", "dev"): "stale",
        ("api", "production"): "held",
        ("web", "dev"): "held",
        ("web", "production"): "held",
    }
    assert found["web", "dev"]["pin"]["by"] == "ada"
    assert found["web", "production"]["frozen"]["reason"] == "holidays"
    shown = "\n".join(lines(fleet.path))
    assert "pinned by ada: it is broken; a change of its inputs is held\n" in shown
    assert "frozen by eve: holidays; a change of its inputs is held\n" in shown
    assert "4 app-environments: 1 stale, 1 pinned, 2 frozen, 3 held" in shown


def test_inputs_that_change_no_yaml_do_not_make_stale(fleet: ManifestRepository) -> None:
    fleet.write({"templates/web/web.yaml": f"# a comment\n{DEPLOYMENT}"}).commit()
    assert {one["state"] for one in status(fleet.path).values()} == {"current"}


def test_one_that_cannot_be_rendered_fails_alone(fleet: ManifestRepository) -> None:
    fleet.app("api", APP + "grant: [1]\n").commit()
    fleet.app("worker", "images: {web: registry.example.com/acme/worker}\nproject: acme/web\ntemplate: web\n")
    fleet.app("bad", "template: nowhere\nproject: acme/web\n").commit()
    ran = headgate("status", "--manifests", str(fleet.path))
    assert ran.code == 0
    assert "fails: apps/api/app.yaml:4: grant[0]" in ran.out
    assert "waits for image web" in ran.out
    assert "fails: apps/bad/app.yaml" in ran.out


def test_what_was_edited_by_hand_shows(fleet: ManifestRepository) -> None:
    (fleet.path / "deploy/dev/web/deployment.apps-web.yaml").unlink()
    fleet.commit("By hand")
    found = status(fleet.path)
    assert [owner for owner, one in found.items() if one["edited_by_hand"]] == [("web", "dev")]
    assert lines(fleet.path, "web")[1].endswith("edited by hand")


def test_what_waits_shows(fleet: ManifestRepository) -> None:
    text = (fleet.path / "apps/web/releases/dev/release.yaml").read_text().replace("'1.0'", "'2.0'")
    fleet.write({"apps/web/releases/dev/waiting/release.yaml": text}).commit()
    assert lines(fleet.path, "web")[1].endswith("2.0 is held")
    assert status(fleet.path)["web", "dev"]["waiting"]["images"]["web"]["tag"] == "2.0"


def propose(fleet: ManifestRepository, tag: str) -> None:
    file = fleet.path / "apps/web/releases/dev/release.yaml"
    proposed = file.read_text().replace("'1.0'", f"'{tag}'")
    group = {"images": yaml.safe_load(proposed)["images"]}
    folder = "apps/web/releases/dev/proposed"
    fleet.write({f"{folder}/proposal.yaml": "changes: x\n", f"{folder}/web/group.yaml": yaml.safe_dump(group)})
    fleet.commit("On record")
    git(fleet.path, "switch", "--quiet", "--create", "headgate/dev/web")
    file.write_text(proposed)
    fleet.commit("Propose")
    git(fleet.path, "switch", "--quiet", "main")


def test_a_proposal_shows_from_this_repository_and_from_its_remote(fleet: ManifestRepository, tmp_path: Path) -> None:
    propose(fleet, "3.0")
    remote = tmp_path / "manifests.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(fleet.path), str(remote))
    git(tmp_path, "clone", "--quiet", "--depth=1", remote.as_uri(), "checkout")
    before = git(tmp_path / "checkout", "for-each-ref")

    for where in (fleet.path, remote, remote.as_uri(), tmp_path / "checkout"):
        assert lines(where, "web")[1].endswith("proposed: 3.0")
    one = status(tmp_path / "checkout")["web", "dev"]
    assert one["proposed"]["commit"] == git(remote, "rev-parse", "headgate/dev/web")
    assert one["landed"]["commit"] == git(remote, "rev-parse", "main~")
    assert git(tmp_path / "checkout", "for-each-ref") == before


def test_a_proposal_without_a_difference_does_not_show(fleet: ManifestRepository) -> None:
    git(fleet.path, "branch", "headgate/dev/web")
    assert status(fleet.path)["web", "dev"]["proposed"] is None


def test_a_proposal_for_many_shows_at_each_and_what_landed_since_is_not_proposed(fleet: ManifestRepository) -> None:
    git(fleet.path, "switch", "--quiet", "--create", "headgate/dev/_rehydrate")
    fleet.write({"deploy/dev/web/service-web.yaml": "kind: Service\n"}).commit("Propose")
    git(fleet.path, "switch", "--quiet", "main")
    fleet.write({"deploy/dev/api/README.txt": "landed meanwhile"}).commit()

    found = status(fleet.path)

    assert found["web", "dev"]["proposed"]["branch"] == "headgate/dev/_rehydrate"
    assert found["api", "dev"]["proposed"] is None
    assert lines(fleet.path, "web")[1].endswith("proposed: other YAML")


@pytest.mark.long
def test_a_remote_that_does_not_answer_is_said(fleet: ManifestRepository) -> None:
    git(fleet.path, "remote", "add", "origin", "/nowhere/at/all")
    found = lines(fleet.path)
    assert found[-1] == "4 app-environments: all current"
    assert found[-2].startswith("cannot tell what is proposed: ")


def test_landings_agree_with_each_history(fleet: ManifestRepository) -> None:
    for number in range(4):
        fleet.release("web", "dev", images=IMAGES, commit=f"{number}" * 40).commit(f"Version {number}")
    file = fleet.path / "apps/web/releases/dev/release.yaml"
    file.write_text(file.read_text() + PIN)
    fleet.commit("Pin")
    (fleet.path / "apps/team").mkdir()
    git(fleet.path, "mv", "apps/api", "apps/team/api")
    fleet.commit("Move")
    repository = hgit.open_repository(fleet.path)
    head = hgit.head(repository)
    wanted = {("web", "dev"), ("web", "production"), ("api", "dev"), ("other", "dev")}

    found = last_changes(repository, head, wanted)

    assert set(found) == wanted - {("other", "dev")}
    for owner, landing in found.items():
        history = read_history(repository, head, *owner)
        assert landing.commit == history.versions[0].commit
        assert landing.time == landed_at(history)


def test_canonical_releases_are_compared_by_what_runs(manifests: ManifestRepository) -> None:
    text = (
        "# Written by Headgate. A change by hand is lost with the next hand-off.\nversion: 1\nimages:\n  web:\n"
        f"    project: acme/web\n    commit: {COMMIT}\n    ref: refs/heads/main\n    pipeline: 1\n"
        f"    repository: r.example.com/web\n    tag: '1.0'\n    digest: sha256:{'1' * 64}\n"
        f"newest:\n  web:\n    commit: {COMMIT}\n    ref: refs/heads/main\n"
    )
    file = "apps/web/releases/dev/release.yaml"
    manifests.write({file: text}).commit("One")
    manifests.write({file: text.replace("pipeline: 1", "pipeline: 2")}).commit("Pipeline")
    manifests.write({file: text.replace("newest:", "newest:\n  api:\n    commit: x")}).commit("Newest")
    repository = hgit.open_repository(manifests.path)
    (found,) = last_changes(repository, hgit.head(repository), {("web", "dev")}).values()
    assert found.commit == git(manifests.path, "rev-parse", "HEAD~2")
    manifests.write({file: text.replace("'1.0'", "'1.1'")}).commit("Tag")
    (found,) = last_changes(repository, hgit.head(repository), {("web", "dev")}).values()
    assert found.commit == git(manifests.path, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-5, "now"), (59, "now"), (60, "1m"), (7199, "1h"), (86400, "1d"), (13 * 86400, "13d"), (14 * 86400, "2w")],
)
def test_ages_are_told_in_one_unit(seconds: int, told: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert age(now - timedelta(seconds=seconds), now) == told


def held_groups(fleet: ManifestRepository, **groups: str) -> None:
    """Put versions on record as held for web in dev, by the name of their image."""
    images = yaml.safe_load((fleet.path / "apps/web/releases/dev/release.yaml").read_text())["images"]
    for name, tag in groups.items():
        group = {"images": {name: {**images["web"], "tag": tag}}, "reasons": ["pinned by ada: it is broken"]}
        fleet.write({f"apps/web/releases/dev/held/{name}/group.yaml": yaml.safe_dump(group)})
    fleet.commit("Held")


def test_what_is_held_of_several_images_has_their_names(fleet: ManifestRepository) -> None:
    two = "images: {web: registry.example.com/acme/web, api: registry.example.com/acme/api}\n"
    fleet.app("web", f"{two}project: acme/web\ntemplate: web\n")
    held_groups(fleet, api="3", web="2")
    text = " ".join("\n".join(lines(fleet.path, "web")).split())
    assert "api 3 is held: pinned by ada: it is broken; web 2 is held: pinned" in text


def test_what_ends_each_hold_stands_below_the_table(fleet: ManifestRepository) -> None:
    release = fleet.path / "apps/web/releases/dev/release.yaml"
    pin = f"pin: {{by: ada, reason: it is broken, since: '{'0' * 40}'}}\n"
    fleet.write({"apps/web/releases/dev/release.yaml": release.read_text() + pin})
    held_groups(fleet, web="2")
    assert lines(fleet.path)[-3:] == [
        "to unpin: headgate unpin web --environment dev",
        "to deliver what is held: headgate deliver-held web --environment dev --reason TEXT",
        "to drop what is held or failed: headgate discard-held web --environment dev --reason TEXT",
    ]
    other = fleet.path / "apps/web/releases/production/release.yaml"
    fleet.write({"apps/web/releases/production/release.yaml": other.read_text() + pin}).commit("Pin")
    assert "to unpin: headgate unpin APP --environment ENVIRONMENT" in lines(fleet.path)


def test_a_persons_proposal_shows_as_what_it_is(fleet: ManifestRepository) -> None:
    folder = "apps/web/releases/dev/proposed"
    record = "changes: x\nactor: Eve\n"
    fleet.write({f"{folder}/proposal.yaml": f"kind: removal\n{record}"}).commit("On record")
    found = lines(fleet.path, "web")
    assert found[1].endswith("proposed: removal by Eve")
    assert "to end the review: merge or close headgate/dev/web" in found
    release = (fleet.path / "apps/web/releases/dev/release.yaml").read_text().replace("'1.0'", "'0.9'")
    fleet.write({f"{folder}/proposal.yaml": f"kind: roll-back\nreason: slow\n{record}"})
    fleet.write({f"{folder}/release.yaml": release}).commit("On record")
    assert "proposed: roll-back to 0.9 by Eve: slow" in " ".join("\n".join(lines(fleet.path, "web")).split())
    decision = {"kind": "roll-back", "by": "Eve", "reason": "slow"}
    assert status(fleet.path)["web", "dev"]["proposed"]["decision"] == decision


def test_what_failed_goes_on_by_another_run_and_not_past_a_hold(fleet: ManifestRepository) -> None:
    held_groups(fleet, web="2")
    folder = fleet.path / "apps/web/releases/dev"
    (folder / "held").rename(folder / "failed")
    fleet.commit("Failed")
    assert lines(fleet.path)[-2:] == [
        "to try again what failed: headgate rehydrate --environment dev",
        "to drop what is held or failed: headgate discard-held web --environment dev --reason TEXT",
    ]
