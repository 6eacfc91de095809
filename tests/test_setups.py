"""The three set-ups, as ``headgate init`` writes them and with the settings that it asks for, on a GitLab.

What each promises in docs/setup.md: a hand-off lands, and what an app's developer can do, and cannot.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from headgate.scaffolding import SETUPS
from support.acme import Acme, follow_the_steps, jobs_path, make_acme
from support.cli import headgate
from support.gitlab import serve_gitlab
from support.gitlab.pipelines import make as make_pipeline
from support.gitlab.state import DEVELOPER, MAINTAINER, Pipeline
from support.registry import Registry, push_image

pytestmark = pytest.mark.long
MakeAcme = Callable[[str], Acme]


@pytest.fixture
def make(tmp_path: Path, registry: Registry) -> Iterator[MakeAcme]:
    with ExitStack() as stack:

        def made(setup: str) -> Acme:
            gitlab = stack.enter_context(serve_gitlab(tmp_path / "gitlab", jobs_path(tmp_path)))
            acme = make_acme(gitlab, registry, tmp_path, setup=setup)
            follow_the_steps(acme, setup)
            return acme

        yield made


def hand_off(acme: Acme) -> Pipeline:
    """Return the one pipeline that a hand-off started."""
    (found,) = acme.hydrations()
    return found


@pytest.mark.parametrize("setup", SETUPS)
def test_a_push_to_the_app_is_deployed(make: MakeAcme, setup: str) -> None:
    acme = make(setup)
    commit = acme.build()
    ran = hand_off(acme)
    assert ran.status == "success", ran.log
    assert ran.project.path == ("acme/intake" if setup == "intake" else "acme/manifests")
    assert ran.user is (acme.bot if setup == "token" else acme.dana)
    assert ran.variables == {}
    assert f"{acme.image}:{commit[:8]}@sha256:" in acme.deployed()
    (upstream,) = [one for one in acme.shop.pipelines if one.sha == commit]
    assert upstream.status == "success", upstream.log


@pytest.mark.parametrize("setup", ["intake", "token"])
def test_a_developer_of_an_app_cannot_write_the_manifests(make: MakeAcme, setup: str) -> None:
    acme = make(setup)
    before = acme.gitlab.subjects(acme.manifests)
    with pytest.raises(AssertionError, match="You are not allowed to push code to this project"):
        acme.gitlab.push(acme.manifests, {"deploy/dev/evil.yaml": "a: 1\n"}, user=acme.dana)
    told = acme.form(acme.dana, action="rehydrate").errors
    assert told == ["You do not have sufficient permission to run a pipeline on the selected ref"]
    assert acme.gitlab.subjects(acme.manifests) == before


def test_a_developer_cannot_change_what_the_intake_runs(make: MakeAcme) -> None:
    acme = make("intake")
    assert acme.intake is not None
    script = "steal:\n  script: [env]\n"
    with pytest.raises(AssertionError, match="You are not allowed to push code to protected branches on this project"):
        acme.gitlab.push(acme.intake, {".gitlab-ci.yml": script}, user=acme.dana)
    acme.gitlab.push(
        acme.intake, {".gitlab-ci.yml": script, "intake.gitlab-ci.yml": script}, user=acme.dana, branch="x"
    )
    acme.gitlab.settle()
    assert [job.name for one in acme.intake.pipelines for job in one.jobs] == []
    told = make_pipeline(acme.gitlab, acme.intake, "main", "web", acme.dana, variables={"HEADGATE_SERVER": "http://x"})
    assert told.errors == ["Insufficient permissions to set pipeline variables"]


def test_a_form_in_the_intake_asks_for_the_role_in_the_manifest_project(make: MakeAcme) -> None:
    acme = make("intake")
    assert acme.intake is not None
    commit = acme.build()
    wanted = {"action": "promote", "app": "shop", "environment": "production", "from": "dev"}
    asked = acme.gitlab.run_form(acme.intake, acme.dana, wanted)
    assert asked.status == "failed"
    assert "dana may not promote in production" in asked.log
    assert acme.gitlab.open_requests(acme.manifests) == []
    asked = acme.gitlab.run_form(acme.intake, acme.max, wanted)
    assert asked.status == "success", asked.log
    (request,) = acme.gitlab.open_requests(acme.manifests)
    assert commit[:8] in acme.deployed("production", request.source)


def test_a_trigger_token_alone_is_worth_nothing(make: MakeAcme) -> None:
    """Whoever can read it can start pipelines; without the word of a running job they do nothing."""
    acme = make("token")
    acme.build()
    done = hand_off(acme)
    before = acme.gitlab.subjects(acme.manifests)
    (token,) = acme.manifests.trigger_tokens
    claim = done.inputs["handoff"]
    for inputs, why in (
        ({"handoff": claim}, "which is no longer running"),  # said again when its job is over
        ({"handoff": claim.partition(" token=")[0]}, "triggered this pipeline"),
        ({"action": "rehydrate"}, "cannot read the hand-off"),
    ):
        answer = requests.post(
            f"{acme.gitlab.url}/api/v4/projects/acme%2Fmanifests/trigger/pipeline",
            json={"token": token, "ref": "main", "inputs": inputs},
            timeout=30,
        )
        assert answer.status_code == 201, answer.text
        acme.gitlab.settle()
        ran = acme.manifests.pipelines[-1]
        assert (ran.source, ran.status) == ("trigger", "failed"), ran.log
        assert why in ran.log
    assert acme.gitlab.subjects(acme.manifests) == before
    assert token not in done.log
    assert not any(token in job.log for one in acme.shop.pipelines for job in one.jobs)


def test_a_tag_that_only_the_job_knows_is_handed_off(make: MakeAcme) -> None:
    """It comes as dotenv from the job that builds; the trigger job of ``transport: pipeline`` could not know it."""
    acme = make("token")
    build = (
        "build:\n  stage: build\n"
        f"  script: ['echo \"SHOP_IMAGE={acme.image}:$CI_COMMIT_SHORT_SHA-$CI_JOB_ID\" >build.env']\n"
        "  artifacts: {reports: {dotenv: build.env}}\n"
    )
    ci = acme.gitlab.show(acme.shop, ".gitlab-ci.yml").replace(f"{acme.image}:$CI_COMMIT_SHORT_SHA", "$SHOP_IMAGE")
    commit = acme.gitlab.push(acme.shop, {".gitlab-ci.yml": f"{ci}\n{build}"}, user=acme.dana)
    (pipeline,) = [one for one in acme.shop.pipelines if one.sha == commit]
    (job,) = [one for one in pipeline.jobs if one.name == "build"]
    digest = push_image(acme.registry, "acme/shop", f"{commit[:8]}-{job.id}", labels={})
    acme.gitlab.settle()
    assert pipeline.status == "success", pipeline.log
    assert f"{acme.image}:{commit[:8]}-{job.id}@{digest}" in acme.deployed()


@pytest.mark.parametrize("setup", SETUPS)
def test_the_other_door_is_closed(make: MakeAcme, setup: str) -> None:
    acme = make(setup)
    closed = {"direct": ["trigger"], "token": ["pipeline"], "intake": ["pipeline", "trigger"]}[setup]
    for source in closed:
        made = make_pipeline(acme.gitlab, acme.manifests, "main", source, acme.max)
        assert made.errors == NOTHING_TO_RUN, source
    if acme.intake is not None:
        for source in ("push", "schedule", "trigger", "api"):
            made = make_pipeline(acme.gitlab, acme.intake, "main", source, acme.max)
            assert made.errors == NOTHING_TO_RUN, source


NOTHING_TO_RUN = ["Pipeline filtered out by workflow rules."]


@pytest.mark.parametrize("setup", SETUPS)
def test_the_doctor_finds_nothing_wrong(
    make: MakeAcme, setup: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = make(setup)
    acme.shop.members[acme.max.id] = MAINTAINER
    monkeypatch.setenv("HEADGATE_TOKEN", acme.gitlab.token(acme.max, "read_api"))
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for path in (".gitlab-ci.yml", "headgate.yaml", "apps/shop/app.yaml", "templates/web/web.yaml.j2"):
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout / path).write_text(acme.gitlab.show(acme.manifests, path) + "\n")
    if setup == "intake":
        (checkout / "intake.gitlab-ci.yml").write_text(acme.gitlab.show(acme.manifests, "intake.gitlab-ci.yml") + "\n")
    from support.manifests import git  # noqa: PLC0415

    git(checkout, "init", "--quiet")
    args = ("doctor", "--manifests", str(checkout), "--setup", setup, "--intake", "acme/intake", "--json")
    ran = headgate(*args)
    found = json.loads(ran.out)["findings"]
    assert [one for one in found if one["state"] == "wrong"] == []
    assert ran.code == 0
    (who,) = [one for one in found if one["check"] == "who may push"]
    assert ("dana" in who["told"]) == (setup == "direct")
    acme.triggered.variables_role = "developer"
    acme.manifests.protected_branches["main"].push = DEVELOPER
    wrong = {one["check"] for one in json.loads(headgate(*args).out)["findings"] if one["state"] == "wrong"}
    assert wrong == {"pipeline variables", *(() if setup == "direct" else ("who may push",))}
