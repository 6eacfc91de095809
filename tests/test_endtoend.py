"""From a push to an app's repository to a commit or a merge request in the manifest repository, all of it run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support.acme import PREVIEW, TEMPLATE, Acme, jobs_path, make_acme
from support.gitlab import serve_gitlab
from support.gitlab.mergeside import merge, open_request
from support.gitlab.pipelines import on_merge_request
from support.gitlab.state import DEVELOPER, Variable
from support.registry import Registry

pytestmark = pytest.mark.long
MakeAcme = Callable[..., Acme]


@pytest.fixture
def make(tmp_path: Path, registry: Registry) -> Iterator[MakeAcme]:
    with ExitStack() as stack:

        def made(**options: Any) -> Acme:
            gitlab = stack.enter_context(serve_gitlab(tmp_path / "gitlab", jobs_path(tmp_path)))
            return make_acme(gitlab, registry, tmp_path, **options)

        yield made


def succeeded(acme: Acme) -> None:
    """Check that every pipeline did what it was made for."""
    for project in acme.gitlab.projects:
        for one in project.pipelines:
            assert one.status in ("success", "skipped"), (project.path, one.source, one.errors, one.log)


def statuses(acme: Acme, commit: str) -> dict[str, str]:
    """Return the newest statuses of a commit of the app, by name."""
    return {one["name"]: one["status"] for one in acme.shop.statuses if one["sha"] == commit}


@pytest.mark.parametrize("own_config", [True, False], ids=["own config", "shared template"])
def test_push_is_deployed_then_promoted_by_form_and_rolled_back(make: MakeAcme, *, own_config: bool) -> None:
    acme = make(own_config=own_config)
    first = acme.build()
    succeeded(acme)
    assert f"{acme.image}:{first[:8]}@sha256:" in acme.deployed()
    if not own_config:
        assert "replicas: 2" in acme.deployed()  # granted
    assert statuses(acme, first) == {"headgate: dev": "success"}
    assert [one["environment"] for one in acme.shop.deployments] == ["dev"]

    promoted = acme.form(acme.max, action="promote", app="shop", environment="production", from_="dev")
    assert promoted.status == "success", promoted.log
    (request,) = acme.gitlab.open_requests(acme.manifests)
    assert (request.source, request.target) == ("headgate/production/shop", "main")
    assert first[:8] in request.description
    assert statuses(acme, first)["headgate: production"] == "pending"
    merge(acme.gitlab, request, acme.max)
    acme.gitlab.settle()
    succeeded(acme)
    assert first[:8] in acme.deployed("production")
    assert statuses(acme, first) == {"headgate: dev": "success", "headgate: production": "success"}

    second = acme.build()
    assert second[:8] in acme.deployed()
    assert first[:8] in acme.deployed("production")
    rolled = acme.form(acme.max, action="roll-back", app="shop", environment="dev", reason="it is slow")
    assert rolled.status == "success", rolled.log
    assert first[:8] in acme.deployed()
    third = acme.build()  # waits, since the roll-back sticks
    assert first[:8] in acme.deployed()
    unpinned = acme.form(acme.max, action="unpin", app="shop", environment="dev")
    assert unpinned.status == "success", unpinned.log
    assert third[:8] in acme.deployed()
    succeeded(acme)
    assert acme.gitlab.executed == []


@pytest.mark.parametrize("own_config", [True, False], ids=["own config", "shared template"])
def test_push_is_proposed_where_it_is_reviewed(make: MakeAcme, *, own_config: bool) -> None:
    acme = make(own_config=own_config, environments=("dev:review",))
    first = acme.build()
    (request,) = acme.gitlab.open_requests(acme.manifests)
    assert first[:8] in acme.deployed(revision=request.source)
    assert statuses(acme, first) == {"headgate: dev": "pending"}
    second = acme.build()
    assert acme.gitlab.open_requests(acme.manifests) == [request]  # updated in place
    assert second[:8] in acme.deployed(revision=request.source)
    assert second[:8] in request.description
    acme.gitlab.settle()
    merge(acme.gitlab, request, acme.max)
    acme.gitlab.settle()
    succeeded(acme)
    assert second[:8] in acme.deployed()
    assert statuses(acme, second) == {"headgate: dev": "success"}
    assert acme.gitlab.open_requests(acme.manifests) == []


def test_template_change_on_main_is_committed_and_proposed(make: MakeAcme) -> None:
    acme = make()
    commit = acme.build()
    acme.form(acme.max, action="promote", app="shop", environment="production", from_="dev")
    merge(acme.gitlab, acme.gitlab.open_requests(acme.manifests)[0], acme.max)
    acme.gitlab.settle()
    changed = TEMPLATE.replace("spec:\n  replicas", "spec:\n  minReadySeconds: 7\n  replicas")
    acme.gitlab.push(acme.manifests, {"templates/web/web.yaml.j2": changed}, user=acme.max)
    acme.gitlab.settle()
    succeeded(acme)
    assert "minReadySeconds: 7" in acme.deployed()
    assert "minReadySeconds: 7" not in acme.deployed("production")
    (request,) = acme.gitlab.open_requests(acme.manifests)
    assert "minReadySeconds: 7" in acme.deployed("production", request.source)
    assert commit[:8] in acme.deployed("production", request.source)


def test_template_change_in_a_merge_request_is_hydrated_onto_its_branch(make: MakeAcme) -> None:
    acme = make()
    acme.build()
    token = acme.gitlab.token(acme.dana, "api")
    acme.manifests.variables["HEADGATE_BRANCH_TOKEN"] = Variable(token)
    changed = TEMPLATE.replace("spec:\n  replicas", "spec:\n  minReadySeconds: 7\n  replicas")
    acme.gitlab.push(acme.manifests, {"templates/web/web.yaml.j2": changed}, user=acme.max, branch="slower")
    request = open_request(acme.gitlab, acme.manifests, "slower", acme.max, title="Slower")
    on_merge_request(acme.gitlab, request, acme.max)
    acme.gitlab.settle()
    succeeded(acme)
    assert "minReadySeconds: 7" in acme.deployed(revision="slower")
    assert "minReadySeconds: 7" not in acme.deployed()
    notes = [note.body for note in request.notes if not note.system]
    assert len(notes) == 1
    assert "minReadySeconds" in notes[0]
    merge(acme.gitlab, request, acme.max)
    acme.gitlab.settle()
    assert "minReadySeconds: 7" in acme.deployed()
    assert acme.gitlab.subjects(acme.manifests)[0].startswith("Merge branch 'slower'")  # nothing was left to hydrate


def test_preview_tells_an_app_merge_request_what_would_become_of_it(make: MakeAcme) -> None:
    acme = make(own_config=True)
    acme.build()
    acme.manifests.allowlist.add("acme/shop")
    acme.shop.variables["HEADGATE_BRANCH_TOKEN"] = Variable(acme.gitlab.token(acme.dana, "api"))
    include = acme.gitlab.show(acme.shop, ".gitlab-ci.yml") + PREVIEW
    own = acme.gitlab.show(acme.shop, "deploy/shop.yaml").replace(
        "spec:\n  selector", "spec:\n  replicas: 5\n  selector"
    )
    changed: dict[str, str | None] = {".gitlab-ci.yml": include, "deploy/shop.yaml": own}
    acme.gitlab.push(acme.shop, changed, user=acme.dana, branch="more")
    before = acme.gitlab.subjects(acme.manifests)
    request = open_request(acme.gitlab, acme.shop, "more", acme.dana, title="More")
    for _ in range(2):
        made = on_merge_request(acme.gitlab, request, acme.dana)
        acme.gitlab.settle()
        assert made.status == "success", made.errors or made.log
    assert "replicas" in made.log
    (note,) = [note for note in request.notes if not note.system]
    assert "replicas" in note.body
    assert acme.gitlab.subjects(acme.manifests) == before


def test_intake_lets_developers_deliver_who_may_not_push_there(make: MakeAcme) -> None:
    acme = make(setup="intake")
    acme.manifests.protected_branches["main"].push = DEVELOPER  # the bot's; people of the app have no such role:
    acme.manifests.members[acme.dana.id] = 20
    commit = acme.build()
    succeeded(acme)
    assert commit[:8] in acme.deployed()
    assert [one.source for one in acme.intake.pipelines if one.source != "push"] == ["pipeline"] if acme.intake else []


def test_nothing_but_the_job_token_commits_and_proposes(make: MakeAcme) -> None:
    acme = make(bot_token=False)
    commit = acme.build()
    succeeded(acme)
    assert commit[:8] in acme.deployed()
    promoted = acme.form(acme.max, action="promote", app="shop", environment="production", from_="dev")
    assert promoted.status == "success", promoted.log
    (request,) = acme.gitlab.open_requests(acme.manifests)
    assert commit[:8] in acme.deployed("production", request.source)


def test_schedule_verifies_and_finishes_what_a_crash_left(make: MakeAcme) -> None:
    acme = make(environments=("dev:review",))
    commit = acme.build()
    (request,) = acme.gitlab.open_requests(acme.manifests)
    acme.manifests.merge_requests.remove(request)
    acme.shop.statuses.clear()
    ran = acme.gitlab.run_schedule(acme.manifests, acme.max)
    assert ran.status == "success", ran.log
    assert len(acme.gitlab.open_requests(acme.manifests)) == 1
    assert statuses(acme, commit) == {"headgate: dev": "pending"}


def test_schedule_says_what_was_edited_by_hand(make: MakeAcme) -> None:
    acme = make()
    acme.build()
    path = "deploy/dev/shop/deployment.apps-shop.yaml"
    edited = acme.gitlab.show(acme.manifests, path).replace("kind: Deployment", "kind: Deployment # mine")
    acme.gitlab.push(acme.manifests, {path: f"{edited}\n"}, user=acme.max, message="By hand [skip ci]")
    ran = acme.gitlab.run_schedule(acme.manifests, acme.max)
    assert ran.status == "failed"
    assert "shop in dev: edited by hand" in ran.log
