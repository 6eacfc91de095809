"""What the apps' projects are told: statuses, deployments, a note; each once, and never at the cost of a run."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

import pytest

from headgate.commands import ci
from support.gitlab.mergeside import merge, open_request
from support.gitlab.state import REPORTER
from support.reviewing import APP, BRANCH, DEPLOYMENT, Scene, freeze, quiet


def deployed(scene: Scene) -> list[tuple[str, str]]:
    return [(one["environment"], one["sha"]) for one in scene.app.deployments]


def test_a_commit_is_told_where_it_runs_and_waits_and_what_took_its_place(scene: Scene) -> None:
    scene.hand_off()
    first, one = scene.head, scene.the_request()
    url = f"{scene.gitlab.url}/platform/manifests/-"
    assert scene.statuses(first) == {
        "headgate: dev": ("success", "deployed to dev: 1.1.0"),
        "headgate: production": ("pending", "waits for review in production: 1.1.0"),
    }
    targets = {status["name"]: status["target_url"] for status in scene.app.statuses}
    assert targets["headgate: production"] == f"{url}/merge_requests/{one.iid}"
    landed = targets["headgate: dev"].removeprefix(f"{url}/commit/")
    assert scene.gitlab.show(scene.manifests, "apps/web/releases/dev/release.yaml", landed).count(first) == 4
    assert deployed(scene) == [("dev", first)]

    scene.new_version(replicas=3)
    second = scene.head
    assert scene.statuses(first) == {
        "headgate: dev": ("canceled", "superseded in dev by 1.2.0"),
        "headgate: production": ("canceled", "superseded in production by 1.2.0"),
    }
    assert scene.statuses(second)["headgate: production"][0] == "pending"

    merged = merge(scene.gitlab, scene.the_request(), scene.person)
    assert scene.pushed(merged).code == 0
    assert scene.statuses(second)["headgate: production"] == ("success", "deployed to production: 1.2.0")
    assert deployed(scene) == [("dev", first), ("dev", second), ("production", second)]
    quiet(scene)
    assert len(scene.app.statuses) == 7  # two, two superseded and two, one deployed


@pytest.mark.long
def test_an_older_hand_off_is_told_that_it_came_too_late(scene: Scene) -> None:
    old = scene.head
    scene.new_version(replicas=3)
    ended = scene.hand_off(old)
    assert ended.code == 0
    assert "superseded" in ended.out
    assert scene.statuses(old) == {
        "headgate: dev": ("canceled", "superseded in dev by 1.1.0"),
        "headgate: production": ("canceled", "superseded in production by 1.1.0"),
    }


@pytest.mark.long
def test_a_hand_off_that_cannot_be_rendered_is_told_why(scene: Scene) -> None:
    scene.hand_off()
    scene.new_version({"deploy/web.yaml": "kind: [@all\n/close"})
    assert scene.runs[-1].code != 0
    told = scene.statuses(scene.head)
    assert {state for state, _ in told.values()} == {"failed"}
    place = f"deploy/web.yaml:1 in acme/web at {scene.head[:8]}"
    assert told["headgate: dev"][1].startswith(f"not delivered to dev: {place}: not YAML: ")
    links = {status["target_url"] for status in scene.app.statuses if status["status"] == "failed"}
    assert all(re.search(r"/platform/manifests/-/jobs/[0-9]+$", link) for link in links), links
    sent = len(scene.app.statuses)
    scene.schedule()
    assert len(scene.app.statuses) == sent  # a later run has other jobs, but nothing else to say
    root = ET.parse(scene.folder / "headgate-report" / "junit.xml").getroot()
    assert root.get("failures") == "2"


@pytest.mark.long
def test_what_waits_in_a_frozen_environment_is_told_by_whom(scene: Scene) -> None:
    scene.hand_off()
    merge(scene.gitlab, scene.the_request(), scene.person)
    freeze(scene)
    scene.new_version(replicas=3)
    state, text = scene.statuses(scene.head)["headgate: production"]
    assert state == "pending"
    assert text == "waits for review in production: 1.2.0"  # and the merge request says that it is frozen
    freeze(scene, frozen=False)
    assert scene.statuses(scene.head)["headgate: production"][1] == "waits for review in production: 1.2.0"


@pytest.mark.long
def test_the_apps_merge_request_has_one_note_that_is_kept(scene: Scene) -> None:
    branch = scene.push(scene.app, {"deploy/web.yaml": DEPLOYMENT.replace("2", "3")}, branch="feature")
    theirs = open_request(scene.gitlab, scene.app, "feature", scene.person)
    commit = merge(scene.gitlab, theirs, scene.person)
    assert commit != branch
    scene.hand_off(commit)
    (note,) = theirs.notes
    assert note.author is scene.bot
    assert "| `web` | `dev` | :white_check_mark: [deployed to dev: 1.1.0](" in note.body
    assert "| `web` | `production` | :hourglass: [waits for review in production: 1.1.0](" in note.body
    assert scene.pushed(merge(scene.gitlab, scene.the_request(), scene.person)).code == 0
    assert theirs.notes == [note]
    assert "| `web` | `production` | :white_check_mark: [deployed to production: 1.1.0](" in note.body
    quiet(scene)


def test_where_the_token_may_not_it_is_said_once_and_gone_on(scene: Scene) -> None:
    scene.app.members[scene.bot.id] = REPORTER
    ended = scene.hand_off()
    assert ended.code == 0, ended.out
    assert scene.app.statuses == []
    assert ended.out.count("commit statuses of project") == 1
    assert ended.out.count("deployments of project") == 1
    assert "answered 403" in ended.out
    assert scene.the_request()


@pytest.mark.long
def test_a_project_that_answers_badly_does_not_fail_the_run(scene: Scene) -> None:
    scene.gitlab.fail("GET", "/statuses$", 500, times=5)  # one request and its four further tries
    scene.gitlab.fail("POST", "/deployments$", 502, after=True)
    ended = scene.hand_off()
    assert ended.code == 0, ended.out
    assert deployed(scene) == [("dev", scene.head)]
    assert scene.app.statuses == []
    assert scene.schedule().code == 0
    assert len(scene.app.statuses) == 2
    assert deployed(scene) == [("dev", scene.head)]
    quiet(scene)


def test_a_status_that_is_busy_is_sent_again(scene: Scene) -> None:
    scene.gitlab.fail("POST", "/statuses/", 409, times=2)
    assert scene.hand_off().code == 0
    assert len(scene.statuses(scene.head)) == 2


@pytest.mark.long
def test_two_apps_of_one_project_have_statuses_of_their_own(scene: Scene) -> None:
    api = "project: acme/web\nimages: {web: registry.example.com/acme/web}\nconfig: deploy\nnamespace: api\n"
    scene.push(scene.manifests, {"apps/api/app.yaml": api})
    scene.hand_off()
    assert sorted(scene.statuses(scene.head)) == [
        "headgate: api/dev",
        "headgate: api/production",
        "headgate: web/dev",
        "headgate: web/production",
    ]
    assert sorted(deployed(scene)) == [("api/dev", scene.head), ("web/dev", scene.head)]


@pytest.mark.long
def test_with_a_job_token_alone_the_push_asks_and_deployments_are_told(scene: Scene) -> None:
    scene.manifests.job_token_push = True
    ended = scene.hand_off(token="")
    assert ended.code == 0, ended.out
    one = scene.the_request()
    assert (one.source, one.target) == (BRANCH, "main")
    assert deployed(scene) == [("dev", scene.head)]
    assert ended.out.count("GitLab accepts them with HEADGATE_TOKEN") == 1
    scene.manifests.merge_requests.clear()
    ended = scene.run(ci.push, token="")
    link = f"{scene.gitlab.url}/platform/manifests/-/merge_requests/new?merge_request%5Bsource_branch%5D="
    assert f"{BRANCH} needs a merge request: {link}" in ended.out


HOSTILE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: web
  annotations: {note: "@all /close #1 !1 ~bug [x](http://evil.example)"}
data:
  "@all": "/close"
  a: |
    ```
    /merge
    @all
    </details>
    <!-- headgate:end -->
    [skip ci]
  b: "\\u202E/approve"
"""


@pytest.mark.long
def test_hostile_text_of_an_app_does_nothing(scene: Scene) -> None:
    scene.hand_off()
    ended = scene.new_version({"deploy/evil.yaml": HOSTILE})
    assert ended.code == 0, ended.out
    changed = HOSTILE.replace("/merge", "/lock").replace('"/close"', '"/reopen"')
    scene.pushed(merge(scene.gitlab, scene.the_request(), scene.person))
    assert scene.new_version({"deploy/evil.yaml": changed}).code == 0
    one = scene.the_request()
    assert "/reopen" in one.description
    assert "[skip ci]" not in one.description
    assert one.description.count("<!-- headgate:end -->") == 1
    assert scene.gitlab.executed == []
    quiet(scene)


def test_the_files_of_the_job(scene: Scene) -> None:
    scene.hand_off()
    folder = scene.folder / "headgate-report"
    assert json.loads((folder / "changes.json").read_text()) == {"create": 2, "update": 0, "delete": 0}
    root = ET.parse(folder / "junit.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("2", "0")
    assert json.loads((folder / "code-quality.json").read_text()) == []
    assert "image `web`: `1.1.0` (new)" in (folder / "report.md").read_text()


@pytest.mark.long
def test_a_merge_request_of_the_manifest_project_is_told_what_hydrating_it_changes(scene: Scene) -> None:
    scene.hand_off()
    elsewhere = APP.replace("config", "namespace: shop\nconfig")
    scene.push(scene.manifests, {"apps/web/app.yaml": elsewhere}, branch="change")
    theirs = open_request(scene.gitlab, scene.manifests, "change", scene.person)
    ended = scene.merge_request(theirs)
    assert ended.code == 0, ended.out
    (note,) = theirs.notes
    assert "Hydrating this merge request changes the final YAML:" in note.body
    assert "```diff\n  metadata.namespace\n- web\n+ shop\n```" in note.body
    assert "namespace: shop" in scene.gitlab.show(scene.manifests, "deploy/dev/web/deployment.apps-web.yaml", "change")
    assert scene.merge_request(theirs).code == 0
    assert theirs.notes == [note]
    scene.push(scene.manifests, {"README.md": "x"}, branch="other")
    nothing = open_request(scene.gitlab, scene.manifests, "other", scene.person)
    assert scene.merge_request(nothing).code == 0
    assert nothing.notes == []
