"""What proves who sent a hand-off, on several versions of GitLab and with several tokens; and what only cannot tell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.gitlab.gitside import refs
from support.gitlab.idtokens import id_token
from support.gitlab.state import MAINTAINER, REPORTER, Pipeline, Variable
from support.registry import Registry
from support.reviewing import SETTINGS, Ended, Scene, make_sender_scene

UNTRUSTED = 31
VERSIONS = ("18.10.0", "18.11.2", "19.0.1", "19.3.0")
NEW = ("19.3.0",)
on_versions = pytest.mark.parametrize(
    "version", [VERSIONS[0], *(pytest.param(one, marks=pytest.mark.long) for one in VERSIONS[1:-1]), VERSIONS[-1]]
)


@pytest.fixture
def scene(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.chdir(tmp_path)
    with make_sender_scene(tmp_path, registry) as made:
        yield made


def refused(ended: Ended, *words: str) -> None:
    """Check that a hand-off was refused for these reasons, and changed nothing."""
    assert (ended.code, ended.moved) == (UNTRUSTED, []), ended.out
    for one in words:
        assert one in " ".join(ended.out.split()), ended.out


def configure(scene: Scene, proofs: str) -> None:
    """Say in headgate.yaml what proves the sender."""
    text = SETTINGS.format(url=scene.gitlab.url)
    scene.gitlab.push(
        scene.manifests,
        {"headgate.yaml": text.replace("project: acme/manifests}", f"project: acme/manifests, proofs: [{proofs}]}}")},
        user=scene.maintainer,
    )


def give_read_token(scene: Scene, level: int = REPORTER) -> None:
    """Give the manifest project a token that reads the app."""
    reader = scene.gitlab.user("reader")
    if level:
        scene.app.members[reader.id] = level
    scene.manifests.variables["HEADGATE_READ_TOKEN"] = Variable(
        scene.gitlab.token(reader, "read_api", "read_repository")
    )


def by_id_token(scene: Scene, upstream: Pipeline) -> Ended:
    """Hand off as the component does with a trigger token."""
    job = upstream.jobs[1]
    token = id_token(scene.gitlab.keys, scene.gitlab.url, job, "headgate:acme/manifests", is_protected=True)
    return scene.triggered(upstream, is_linked=False, source="trigger", token=token)


# --- trigger jobs


@pytest.mark.long
@on_versions
def test_trigger_jobs_prove_it_to_the_job_token(scene: Scene, version: str) -> None:
    scene.gitlab.version = version
    ended = scene.from_pipeline()
    assert ended.moved == ["heads/main"], ended.out
    assert "of acme/shop@" in ended.out
    assert "proved by its trigger jobs, read with the job token" in ended.out
    asked = {one.path.rsplit("/", 1)[1] for one in scene.gitlab.requests if one.status == 200}
    assert ("trigger_jobs" in asked, "bridges" in asked) == (version in NEW, version not in NEW)


@pytest.mark.long
@on_versions
def test_where_the_job_token_may_not_look_the_read_token_does(scene: Scene, version: str) -> None:
    scene.gitlab.version = version
    scene.app.allowlist.clear()
    give_read_token(scene)
    ended = scene.from_pipeline()
    assert ended.moved == ["heads/main"], ended.out
    assert "read with HEADGATE_READ_TOKEN" in ended.out


@on_versions
def test_what_is_not_on_the_allowlist_may_not_look(scene: Scene, version: str) -> None:
    scene.gitlab.version = version
    scene.app.allowlist.clear()
    refused(
        scene.from_pipeline(),
        "no token here may read who sent this hand-off",
        "not allowed from acme/manifests to acme/shop",
        "Settings > CI/CD > Job token permissions: add project",
        "or give this project the variable HEADGATE_READ_TOKEN",
    )


@pytest.mark.parametrize("missing", ["read_pipelines", "read_repositories"])
def test_a_permission_that_is_missing_is_named(scene: Scene, missing: str) -> None:
    every = {"read_pipelines", "read_jobs", "read_repositories"}
    scene.app.job_permissions["acme/manifests"] = every - {missing}
    refused(scene.from_pipeline(), "may read who sent", f"token permission is required: {missing}", "let project")


def test_a_person_who_may_not_read_the_app_is_named(scene: Scene) -> None:
    del scene.app.members[scene.person.id]
    refused(scene.from_pipeline(), "may read who sent", "let dana, who runs this job, read project")


def test_a_call_that_takes_no_job_token_is_no_forgery(scene: Scene) -> None:
    scene.gitlab.fail("GET", "/pipelines", 401, times=9)
    refused(scene.from_pipeline(), "may read who sent", "let jobs of project")


def test_a_read_token_that_may_not_look_either_is_named(scene: Scene) -> None:
    scene.app.allowlist.clear()
    give_read_token(scene, level=0)
    refused(
        scene.from_pipeline(),
        "may read who sent",
        "with HEADGATE_READ_TOKEN",
        "let HEADGATE_READ_TOKEN's user be Reporter",
    )


@pytest.mark.long
@on_versions
@pytest.mark.parametrize("by_read_token", [True, False])
def test_a_forgery_is_called_one_whoever_looks(scene: Scene, version: str, *, by_read_token: bool) -> None:
    scene.gitlab.version = version
    if by_read_token:
        scene.app.allowlist.clear()
        give_read_token(scene)
    forged = scene.triggered(scene.upstream(), is_linked=False)
    refused(forged, "triggered this pipeline", "if it was, the hand-off is forged")
    assert "may read who sent" not in forged.out


@pytest.mark.parametrize(
    ("status", "call"),
    [
        pytest.param(status, call, marks=() if number == at else pytest.mark.long)
        for number, status in enumerate([401, 403, 404])
        for at, call in enumerate(["pipelines/[0-9]+", "pipelines/[0-9]+/.*s", "repository/branches"])
    ],
)
def test_no_refusal_leads_to_what_the_variables_say(scene: Scene, status: int, call: str) -> None:
    """GitLab's variables about the upstream are there, and prove nothing as long as nobody says that they do."""
    scene.gitlab.fail("GET", f"/projects/{scene.app.id}/{call}$", status, times=50)
    ended = scene.from_pipeline()
    assert (ended.code, ended.moved) == (UNTRUSTED, []), ended.out


@pytest.mark.long
def test_a_trigger_job_that_ran_again_proves_only_its_newest_pipeline(scene: Scene) -> None:
    upstream = scene.upstream()
    first = scene.job("pipeline", scene.person, upstream=upstream.jobs[0])
    again = scene.job("pipeline", scene.person, upstream=upstream.jobs[0])
    upstream.jobs[0].downstream = again.pipeline
    refused(scene.run_ci(first, {"HEADGATE_HANDOFF": scene.claim(upstream)}), "triggered this pipeline")
    assert scene.run_ci(again, {"HEADGATE_HANDOFF": scene.claim(upstream)}).moved == ["heads/main"]


def test_a_fork_is_another_project(scene: Scene) -> None:
    fork = scene.gitlab.project("dana/shop", {scene.person: MAINTAINER})
    commit = scene.gitlab.push(fork, {"src": "x"}, user=scene.person)
    upstream = scene.upstream(fork, sha=commit)
    upstream.jobs[0].downstream = None
    ended = scene.triggered(upstream, project=str(scene.app.id), commit=scene.head)
    refused(ended, "triggered this pipeline")


# --- id_tokens


@on_versions
def test_an_id_token_proves_it_to_a_job_token_alone(scene: Scene, version: str) -> None:
    scene.gitlab.version = version
    ended = by_id_token(scene, scene.upstream())
    assert ended.moved == ["heads/main"], ended.out
    assert "proved by the id_token of its running job, read with the job token" in ended.out


@pytest.mark.long
@pytest.mark.parametrize("missing", ["read_pipelines", "read_jobs", "read_repositories"])
def test_an_id_token_needs_that_somebody_may_look(scene: Scene, missing: str) -> None:
    every = {"read_pipelines", "read_jobs", "read_repositories"}
    scene.app.job_permissions["acme/manifests"] = every - {missing}
    refused(by_id_token(scene, scene.upstream()), "may read who sent", missing)
    give_read_token(scene)
    assert by_id_token(scene, scene.upstream()).moved == ["heads/main"]


def test_a_trigger_job_is_no_job_that_has_an_id_token(scene: Scene) -> None:
    upstream = scene.upstream()
    upstream.jobs[1].status = "success"
    refused(by_id_token(scene, upstream), "is no longer running")


@pytest.mark.parametrize(("proofs", "by_token"), [("trigger-jobs", True), ("upstream", True), ("id-token", False)])
def test_what_does_not_count_is_refused_with_the_setting(scene: Scene, proofs: str, *, by_token: bool) -> None:
    configure(scene, proofs)
    ended = by_id_token(scene, scene.upstream()) if by_token else scene.from_pipeline()
    refused(ended, "does not accept as a proof", "gitlab: {proofs: [trigger-jobs, id-token]}")


# --- what GitLab put into the job


@pytest.mark.long
@on_versions
def test_where_it_counts_what_gitlab_put_into_the_job_proves_it(scene: Scene, version: str) -> None:
    scene.gitlab.version = version
    configure(scene, "upstream, id-token")
    scene.app.job_permissions["acme/manifests"] = {"read_jobs", "read_repositories"}
    ended = scene.from_pipeline()
    assert ended.moved == ["heads/main"], ended.out
    assert "named by GitLab in this job's variables, with its pipeline's jobs" in ended.out


def test_where_it_counts_it_must_be_of_the_claimed_project_and_commit(scene: Scene) -> None:
    configure(scene, "upstream")
    old, _ = scene.head, scene.change()
    refused(scene.triggered(scene.upstream(), commit=old), "ran for")
    other = scene.triggered(scene.upstream(scene.other), project=str(scene.app.id), commit=scene.head)
    refused(other, f"names project {scene.app.id}, but project {scene.other.id} triggered")


@pytest.mark.parametrize("told", [{}, {"CI_UPSTREAM_PIPELINE_ID": ""}, {"CI_UPSTREAM_PIPELINE_ID": "x"}])
def test_where_it_counts_and_is_missing_nothing_proves_it(scene: Scene, told: dict[str, str]) -> None:
    configure(scene, "upstream")
    upstream = scene.upstream()
    job = scene.job("pipeline", scene.person)
    refused(
        scene.run_ci(job, {"HEADGATE_HANDOFF": scene.claim(upstream), **told}),
        "this job has no CI_UPSTREAM_PIPELINE_ID",
    )


def test_a_pipeline_that_somebody_triggered_by_api_has_no_upstream(scene: Scene) -> None:
    configure(scene, "upstream")
    upstream = scene.upstream()
    told = {"CI_UPSTREAM_PROJECT_ID": str(scene.app.id), "CI_UPSTREAM_PIPELINE_ID": str(upstream.id)}
    job = scene.job("trigger", scene.person)
    refused(
        scene.run_ci(job, {"HEADGATE_HANDOFF": scene.claim(upstream), **told}),
        "this job has no CI_UPSTREAM_PIPELINE_ID",
    )


@pytest.mark.long
@pytest.mark.parametrize("where", ["project", "group", "pipeline", "yaml", "yaml of the job"])
def test_upstream_variables_that_somebody_set_prove_nothing_by_default(scene: Scene, where: str) -> None:
    """On the way ``upstream`` they would: who controls them could push anyway, as docs/scene.md says."""
    upstream = scene.upstream()
    told = {"CI_UPSTREAM_PROJECT_ID": str(scene.app.id), "CI_UPSTREAM_PIPELINE_ID": str(upstream.id)}
    job = scene.job("pipeline", scene.person)
    places = {"pipeline": job.pipeline.variables, "yaml": job.pipeline.config_variables}
    places |= {"yaml of the job": job.config.setdefault("variables", {})}
    if where == "project":
        scene.manifests.variables |= {name: Variable(value) for name, value in told.items()}
    places.get(where, {}).update(told)
    told = told if where == "group" else {}  # groups are not modelled: what they give reaches the job all the same
    refused(scene.run_ci(job, {"HEADGATE_HANDOFF": scene.claim(upstream), **told}), "triggered this pipeline")
    assert refs(scene.manifests)


# --- the token that every branch is shown


@pytest.mark.long
@pytest.mark.parametrize(("is_expired", "code"), [(False, UNTRUSTED), (True, 0)])
def test_a_branch_token_of_the_bots_stops_the_run_while_it_is_a_token(
    scene: Scene, *, is_expired: bool, code: int
) -> None:
    (bot,) = [user for user in scene.gitlab.users if user.name == "headgate-bot"]
    scene.manifests.variables["HEADGATE_BRANCH_TOKEN"] = Variable(scene.gitlab.token(bot, "api"))
    scene.gitlab.tokens[-1].expired = is_expired
    ended = scene.from_pipeline()
    assert ended.code == code, ended.out
    assert ("belong to the same user" in ended.out) == (not is_expired)
