"""The way from a push to the final YAML, with every job in the image, as GitLab's runner runs it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.acme import PREVIEW, Acme
from support.gitlab.mergeside import merge, open_request
from support.gitlab.pipelines import on_merge_request
from support.gitlab.state import Variable

pytestmark = pytest.mark.image
MakeAcme = Callable[..., Acme]
USERS = {
    "as its own user": (),
    "as any user, on a read-only root": (
        *("--user=54321:54321", "--read-only", "--tmpfs=/tmp:mode=1777", "--cap-drop=ALL"),
        "--security-opt=no-new-privileges",
    ),
}


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("own_config", [True, False], ids=["own config", "shared template"])
def test_a_push_is_deployed_and_proposed(make: MakeAcme, user: str, *, own_config: bool) -> None:
    acme = make(*USERS[user], own_config=own_config)
    commit = acme.build()
    (ran,) = acme.hydrations()
    assert ran.status == "success", ran.log
    assert f"{acme.image}:{commit[:8]}@sha256:" in acme.deployed()
    assert "junit.xml" in "".join(ran.jobs[0].artifacts)
    promoted = acme.form(acme.max, action="promote", app="shop", environment="production", from_="dev")
    assert promoted.status == "success", promoted.log
    (request,) = acme.gitlab.open_requests(acme.manifests)
    merge(acme.gitlab, request, acme.max)
    acme.gitlab.settle()
    assert commit[:8] in acme.deployed("production")
    assert {one["name"]: one["status"] for one in acme.shop.statuses} == {
        "headgate: dev": "success",
        "headgate: production": "success",
    }
    scheduled = acme.gitlab.run_schedule(acme.manifests, acme.max)
    assert scheduled.status == "success", scheduled.log


def test_a_hand_off_by_token(make: MakeAcme) -> None:
    acme = make(setup="token")
    trigger = acme.gitlab.trigger_token(acme.manifests, acme.bot)
    acme.shop.variables["HEADGATE_TRIGGER_TOKEN"] = Variable(trigger, protected=True)
    acme.manifests.allowlist.add("acme/shop")
    ci = acme.gitlab.show(acme.shop, ".gitlab-ci.yml") + "\n      transport: token\n"
    acme.gitlab.push(acme.shop, {".gitlab-ci.yml": ci}, user=acme.dana, message="By token [skip ci]")
    commit = acme.build()
    (ran,) = acme.hydrations()
    assert ran.status == "success", ran.log
    assert commit[:8] in acme.deployed()
    assert all(one.status in ("success", "skipped") for one in acme.shop.pipelines), acme.shop.pipelines[-1].log


def test_a_preview(make: MakeAcme) -> None:
    acme = make(own_config=True)
    acme.build()
    acme.manifests.allowlist.add("acme/shop")
    acme.shop.variables["HEADGATE_BRANCH_TOKEN"] = Variable(acme.gitlab.token(acme.dana, "api"))
    ci = acme.gitlab.show(acme.shop, ".gitlab-ci.yml") + PREVIEW
    own = acme.gitlab.show(acme.shop, "deploy/shop.yaml").replace("spec:\n", "spec:\n  replicas: 5\n", 1)
    acme.gitlab.push(acme.shop, {".gitlab-ci.yml": ci, "deploy/shop.yaml": own}, user=acme.dana, branch="more")
    request = open_request(acme.gitlab, acme.shop, "more", acme.dana, title="More")
    made = on_merge_request(acme.gitlab, request, acme.dana)
    acme.gitlab.settle()
    assert made.status == "success", made.errors or made.log
    assert "replicas" in next(note.body for note in request.notes if not note.system)


def test_a_forged_hand_off_is_refused(make: MakeAcme) -> None:
    acme = make()
    before = acme.gitlab.subjects(acme.manifests)
    claim = f"headgate/1 project={acme.shop.id} commit={'a' * 40} images={acme.image}:1"
    ran = acme.form(acme.max, handoff=claim)
    assert ran.status == "failed"
    assert "no project triggered" in ran.log
    assert acme.gitlab.subjects(acme.manifests) == before
