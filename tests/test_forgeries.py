"""What is forged is refused, changes nothing, and sends no token anywhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.engines import unlocked
from support.gitlab.gitside import git, refs
from support.gitlab.idtokens import Keys, id_token, new_key
from support.gitlab.mergeside import open_request
from support.gitlab.runner import environment
from support.gitlab.state import DEVELOPER, MAINTAINER, Job, MergeRequest, Pipeline, Protection, Variable
from support.gitlab.web import Answer, Request, Server
from support.keys import allowed, make_key
from support.registry import Registry, push_image
from support.reviewing import SETTINGS, SHOP, Ended, Scene, make_sender_scene

UNSAFE, REFUSED, UNKNOWN, UNTRUSTED, FORBIDDEN, UNLOCKED = 14, 27, 28, 31, 32, 33
ADDRESSES = ("CI_API_V4_URL", "CI_SERVER_URL", "CI_PROJECT_URL", "HEADGATE_SERVER")


@pytest.fixture
def scene(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.chdir(tmp_path)  # where report files go
    with make_sender_scene(tmp_path, registry) as made:
        yield made


def refused(ended: Ended, code: int, words: str) -> None:
    """Check that a run was refused for a reason, and left the manifest repository alone."""
    assert (ended.code, ended.moved) == (code, []), ended.out
    assert words in ended.out


def test_true_hand_off_is_taken(scene: Scene) -> None:
    ended = scene.from_pipeline()
    assert ended.code == 0, ended.out
    assert ended.moved == ["heads/main"]
    assert f"{scene.image}:{scene.head[:8]}@sha256:" in git(
        scene.manifests, "show", "main:deploy/dev/shop/deployment.apps-shop.yaml"
    )


@pytest.mark.long
def test_commits_of_a_pipeline_are_signed_where_it_has_a_key(scene: Scene, tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    scene.signing_key = str(key)
    assert scene.from_pipeline().moved == ["heads/main"]
    committer = git(scene.manifests, "log", "-1", "--format=%ce", "main")
    assert git(scene.manifests, *allowed(key, committer), "log", "-1", "--format=%G?", "main") == "G"


@pytest.mark.long
def test_hand_off_of_a_child_pipeline_is_taken(scene: Scene) -> None:
    upstream = scene.upstream(source="parent_pipeline")
    assert scene.triggered(upstream).moved == ["heads/main"]


def test_another_project_claims_the_app(scene: Scene) -> None:
    upstream = scene.upstream(scene.other)
    stolen = f"{scene.image}:{scene.head[:8]}"
    refused(scene.triggered(upstream, images=stolen), REFUSED, "no app takes the image")
    assert scene.app.statuses == []  # it is told to who claimed, never to the victim


def test_passed_project_is_not_the_upstream(scene: Scene) -> None:
    upstream = scene.upstream(scene.other)
    scene.upstream()  # a pipeline of the app is there, but it triggered nothing
    forged = scene.claim(
        upstream, project=str(scene.app.id), images=f"{scene.image}:{scene.head[:8]}", commit=scene.head
    )
    refused(scene.triggered(upstream, text=forged), UNTRUSTED, "triggered this pipeline")
    assert scene.app.statuses == scene.other.statuses == []


def test_pipeline_that_nobody_triggered_hands_nothing_off(scene: Scene) -> None:
    upstream = scene.upstream()
    refused(scene.triggered(upstream, is_linked=False), UNTRUSTED, "triggered this pipeline")


@pytest.mark.long
def test_bridge_to_another_pipeline_proves_nothing(scene: Scene) -> None:
    upstream = scene.upstream()
    assert scene.triggered(upstream).code == 0
    first = upstream.jobs[0].downstream
    # the very pipeline that did trigger one, named by another one
    ended = scene.triggered(upstream, is_linked=False)
    assert upstream.jobs[0].downstream is first
    refused(ended, UNTRUSTED, "triggered this pipeline")
    newer = scene.upstream(sha=scene.change())
    refused(scene.triggered(newer, is_linked=False), UNTRUSTED, "triggered this pipeline")


@pytest.mark.long
def test_commit_of_another_pipeline_is_refused(scene: Scene) -> None:
    old = scene.head
    scene.change()
    refused(scene.triggered(scene.upstream(), commit=old), UNTRUSTED, f"the hand-off names commit {old[:12]}")


@pytest.mark.long
def test_unprotected_branch_is_refused_where_protected_ones_are_taken(scene: Scene) -> None:
    del scene.app.protected_branches["main"]
    refused(scene.from_pipeline(), REFUSED, "which is not protected")
    (told,) = scene.app.statuses  # the app's people see why, the forged claims of others are told to nobody
    assert (told["sha"], told["name"], told["status"]) == (scene.head, "headgate: hand-off", "failed")
    assert "is not protected" in told["description"]
    scene.app.protected_branches["main"] = Protection(push=DEVELOPER, merge=DEVELOPER)
    assert scene.from_pipeline().moved == ["heads/main"]
    newest = {one["name"]: one["status"] for one in scene.app.statuses}
    assert newest == {"headgate: hand-off": "success", "headgate: dev": "success"}


@pytest.mark.long
def test_unprotected_branch_is_taken_where_it_may_be(scene: Scene) -> None:
    commit = scene.change(branch="try/it", base="main")
    ended = scene.from_pipeline(ref="try/it", sha=commit)
    assert ended.moved == ["heads/headgate/try/shop", "heads/main", "merge-requests/1/head"], ended.out


def test_image_of_another_app_is_refused_before_its_registry_is_asked(scene: Scene) -> None:
    ended = scene.triggered(scene.upstream(), images=f"127.0.0.1:1/acme/other:{scene.head[:8]}")
    refused(ended, REFUSED, "no app takes the image")


def test_image_of_another_commit_is_refused(scene: Scene) -> None:
    push_image(scene.registry, "acme/shop", "latest", labels={})
    ended = scene.triggered(scene.upstream(), images=f"{scene.image}:latest")
    refused(ended, REFUSED, "nothing proves that")


def test_image_that_names_the_commit_in_its_label_is_taken(scene: Scene) -> None:
    label = {"org.opencontainers.image.revision": scene.head}
    push_image(scene.registry, "acme/shop", "latest", labels=label)
    assert scene.triggered(scene.upstream(), images=f"{scene.image}:latest").moved == ["heads/main"]


@pytest.mark.long
def test_replayed_hand_off_does_nothing(scene: Scene) -> None:
    upstream = scene.upstream()
    assert scene.triggered(upstream).moved == ["heads/main"]
    again = scene.triggered(upstream)
    assert (again.code, again.moved) == (0, [])


def test_retried_older_pipeline_is_superseded(scene: Scene) -> None:
    older = scene.upstream()
    newer = scene.change()
    assert scene.from_pipeline(sha=newer).moved == ["heads/main"]
    ended = scene.triggered(older)
    assert (ended.code, ended.moved) == (0, [])
    assert "superseded" in ended.out


def test_retried_pipeline_of_a_rewritten_branch_is_refused(scene: Scene) -> None:
    old = scene.change()
    upstream = scene.upstream(sha=old)
    git(scene.app, "update-ref", "refs/heads/main", f"{old}^")
    refused(scene.triggered(upstream), UNTRUSTED, "is no longer on refs/heads/main of acme/shop")


def test_tag_named_like_the_branch_is_not_the_branch(scene: Scene) -> None:
    git(scene.app, "tag", "main", scene.head)
    refused(scene.from_pipeline(is_tag=True), REFUSED, "no environment takes hand-offs of refs/tags/main")


def test_tag_that_was_moved_is_refused(scene: Scene) -> None:
    git(scene.app, "tag", "v1.0.0", scene.head)
    upstream = scene.upstream(ref="v1.0.0", is_tag=True)
    git(scene.app, "tag", "--force", "v1.0.0", f"{scene.change()}")
    refused(scene.triggered(upstream), UNTRUSTED, "refs/tags/v1.0.0 is at")


@pytest.mark.long
def test_overwritten_image_tag_does_not_replace_what_runs(scene: Scene) -> None:
    upstream = scene.upstream()
    assert scene.triggered(upstream).code == 0
    push_image(scene.registry, "acme/shop", scene.head[:8], labels={"other": "content"})
    ended = scene.triggered(upstream)
    assert (ended.code, ended.moved) == (0, [])
    assert "another digest" in ended.out


@pytest.mark.parametrize("source", ["merge_request_event", "external_pull_request_event"])
def test_pipeline_of_a_merge_request_hands_nothing_off(scene: Scene, source: str) -> None:
    refused(scene.triggered(scene.upstream(source=source)), UNTRUSTED, "may not hand off")


def test_child_of_a_merge_requests_pipeline_hands_nothing_off(scene: Scene) -> None:
    upstream = scene.upstream(source="parent_pipeline", ref="refs/merge-requests/1/head")
    refused(scene.triggered(upstream), UNTRUSTED, "may not hand off")


@pytest.mark.parametrize("source", ["web", "api", "push", "schedule"])
def test_hand_off_given_by_hand_is_refused(scene: Scene, source: str) -> None:
    refused(scene.triggered(scene.upstream(), source=source), UNTRUSTED, "but no project triggered it")


def test_hand_off_whose_text_is_no_hand_off_is_refused(scene: Scene) -> None:
    refused(scene.triggered(scene.upstream(), text="headgate/1 $(id)"), UNTRUSTED, "cannot read the hand-off")


@pytest.mark.long
def test_project_made_anew_under_the_same_path_is_refused(scene: Scene) -> None:
    assert scene.from_pipeline().code == 0
    old = scene.app
    scene.gitlab.remove_project(old)
    scene.app = scene.gitlab.project("acme/shop", {scene.person: DEVELOPER})
    scene.app.members |= old.members
    scene.app.allowlist.add("acme/manifests")
    scene.app.protected_branches["main"].push = DEVELOPER
    scene.change(files={"deploy/shop.yaml": SHOP.replace("IMAGE", scene.image)})
    ended = scene.from_pipeline()
    assert ended.moved == [], ended.out
    assert f"acme/shop is another project now: number {scene.app.id}, not {old.id}" in ended.out
    assert ended.code == REFUSED


@pytest.mark.long
def test_renamed_project_is_no_owner_any_more(scene: Scene) -> None:
    assert scene.from_pipeline().code == 0
    scene.app.path = "acme/renamed"
    refused(scene.from_pipeline(), REFUSED, "no app has a part that belongs to acme/renamed")


# --- what names and texts could do


EVIL = "Merge\n\n/close\n@all [skip ci]\n\nHeadgate-App: other\nHeadgate-Intent: stolen\n\x1b[2J$(touch pwned)`id`"


@pytest.mark.long
def test_hostile_names_and_messages_do_nothing(scene: Scene, tmp_path: Path) -> None:
    branch = "try/$(touch${IFS}pwned);`id`'\"&|<b>@all/close"
    account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: %s}\n"
    files = {
        "deploy/shop.yaml": SHOP.replace("IMAGE", scene.image),
        "deploy/@all.yaml": account % "all",
        "deploy/$(id).yaml": account % '"sub@all$(id)"',
    }
    commit = scene.change(branch=branch, base="main", message=EVIL, files=files)
    ended = scene.from_pipeline(ref=branch, sha=commit)
    assert ended.code == 0, ended.out
    assert "\x1b" not in ended.out
    message = git(scene.manifests, "show", "--no-patch", "--format=%(trailers:only)", "headgate/try/shop")
    assert "Headgate-App: other" not in message
    assert "stolen" not in message
    assert scene.gitlab.executed == []
    assert not list(tmp_path.rglob("pwned"))
    written = git(scene.manifests, "ls-tree", "-r", "--name-only", "headgate/try/shop", "--", "deploy/try").split("\n")
    assert "deploy/try/shop/serviceaccount-sub%40all%24%28id%29.yaml" in written
    kept = git(scene.manifests, "ls-tree", "-r", "-z", "--name-only", "headgate/try/shop", "--", "apps").split("\0")
    assert {one.rsplit("/", 1)[1] for one in kept if one} >= {"@all.yaml", "$(id).yaml"}


@pytest.mark.long
@pytest.mark.parametrize("name", ["deploy/../../evil.yaml", "deploy/.git/config", "deploy/a\\..\\b.yaml"])
def test_config_that_leaves_its_folder_is_refused(scene: Scene, name: str) -> None:
    """git's index refuses such names; whoever pushes makes trees by other means."""
    blob = git(scene.app, "hash-object", "-w", "--stdin", stdin="kind: List\n")
    tree = _tree(scene, name, blob)
    commit = git(
        scene.app,
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@example.com",
        "commit-tree",
        tree,
        "-p",
        scene.head,
        stdin="x",
    )
    git(scene.app, "update-ref", "refs/heads/main", commit)
    push_image(scene.registry, "acme/shop", commit[:8], labels={})
    refused(scene.from_pipeline(), UNSAFE, "deploy/")


def _tree(scene: Scene, path: str, blob: str) -> str:
    """Return a tree that holds a file under a name that git's index would refuse."""
    made = blob  # mktree looks at no name
    mode, kind = "100644", "blob"
    for part in reversed(path.split("/")):
        entry = f"{mode} {kind} {made}\t{part}\n"
        made = git(scene.app, "mktree", stdin=entry)
        mode, kind = "040000", "tree"
    return made


# --- variables set from outside


@contextlib.contextmanager
def elsewhere(seen: list[Request]) -> Iterator[str]:
    """Run a server that notes what it is asked."""

    def note(request: Request) -> Answer:
        seen.append(request)
        return Answer(200, {})

    server = Server(note)
    try:
        yield server.url
    finally:
        server.stop()


@pytest.mark.long
@pytest.mark.parametrize("name", ADDRESSES)
def test_one_address_set_from_outside_gets_no_token(scene: Scene, name: str) -> None:
    seen: list[Request] = []
    job = scene.job("pipeline", scene.person)
    with elsewhere(seen) as url:
        refused(scene.run_ci(job, {name: f"{url}/api/v4"}), UNTRUSTED, "set from outside")
    assert seen == []


def test_addresses_that_are_made_empty_get_no_token(scene: Scene) -> None:
    seen: list[Request] = []
    job = scene.job("pipeline", scene.person)
    with elsewhere(seen) as url:
        told = {**dict.fromkeys(ADDRESSES, ""), "HEADGATE_SERVER": url}
        refused(scene.run_ci(job, told), UNTRUSTED, "set from outside")
    assert seen == []


def test_who_sets_all_addresses_alike_gets_the_jobs_own_token_and_nothing_else(scene: Scene) -> None:
    """The limit that the docs name: therefore pipeline variables must be closed."""
    seen: list[Request] = []
    job = scene.job("pipeline", scene.person)
    with elsewhere(seen) as url:
        told = {**dict.fromkeys(ADDRESSES, url), "CI_API_V4_URL": f"{url}/api/v4", "CI_PROJECT_URL": f"{url}/a/b"}
        refused(scene.run_ci(job, told), UNKNOWN, "does not know this job")
    bot = scene.manifests.variables["HEADGATE_TOKEN"].value
    assert bot
    assert [one.headers.get("job-token") for one in seen] == [job.token]
    assert all(bot not in f"{one.headers}{one.body!r}{one.path}" for one in seen)


def test_other_manifest_project_set_from_outside_is_refused(scene: Scene) -> None:
    theirs = SETTINGS.format(url=scene.gitlab.url)  # a copy of ours, which names the true one
    scene.gitlab.push(scene.other, {"headgate.yaml": theirs}, user=scene.person)
    before = refs(scene.other)
    job = scene.job("push", scene.maintainer)
    refused(scene.run_ci(job, {"HEADGATE_MANIFESTS": "acme/other"}), UNTRUSTED, "headgate.yaml names acme/manifests")
    assert refs(scene.other) == before


def test_pipeline_variables_are_not_taken_by_gitlab_at_all(scene: Scene) -> None:
    ci = {".gitlab-ci.yml": "hydrate: {script: [env]}\n"}
    scene.gitlab.push(scene.manifests, dict(ci), user=scene.maintainer, message="CI [skip ci]")
    for name in ("BASH_ENV", "PYTHONPATH", "CI_API_V4_URL"):
        made = scene.gitlab.run_form(scene.manifests, scene.maintainer, {}, {name: "/evil"})
        assert made.errors == ["Insufficient permissions to set pipeline variables"]


# --- people and merge requests


@pytest.mark.parametrize(
    ("form", "needed"),
    [
        ({"action": "freeze", "environment": "dev", "reason": "x"}, "maintainer"),
        ({"action": "pin", "app": "shop", "environment": "production", "reason": "x"}, "maintainer"),
        ({"action": "remove", "app": "shop"}, "maintainer"),
    ],
)
def test_form_of_somebody_without_the_level_is_refused(scene: Scene, form: dict[str, str], needed: str) -> None:
    refused(scene.form(scene.person, **form), FORBIDDEN, f"needs the role {needed}")


def test_level_is_told_by_gitlab_also_without_a_token_that_may_ask(scene: Scene) -> None:
    scene.manifests.variables.clear()
    scene.manifests.job_token_push = True
    scene.manifests.protected_branches["main"].push = DEVELOPER
    form = {"action": "freeze", "environment": "dev", "reason": "x"}
    refused(scene.form(scene.person, **form), FORBIDDEN, "dana may not freeze")
    assert scene.form(scene.maintainer, **form).moved == ["heads/main"]
    stranger = scene.job("web", scene.person)
    stolen = id_token(
        scene.gitlab.keys,
        scene.gitlab.url,
        scene.job("web", scene.maintainer),
        "headgate-run:acme/manifests",
        is_protected=True,
    )
    told = {"HEADGATE_ACTION": "thaw", "HEADGATE_ENVIRONMENT": "dev", "HEADGATE_ID_TOKEN": stolen}
    refused(scene.run_ci(stranger, told), UNTRUSTED, "does not belong to this job")


def test_intent_that_somebody_wrote_beforehand_is_done_all_the_same(scene: Scene) -> None:
    """Pipelines' numbers can be guessed, and a merged commit's message says what its author likes."""
    job = scene.job("web", scene.maintainer)
    done = f"Change\n\nHeadgate-Intent: pipeline-{scene.manifests.id}-{job.pipeline.id}\n"
    job.pipeline.sha = scene.gitlab.push(scene.manifests, {"README.md": "x"}, user=scene.maintainer, message=done)
    told = {"HEADGATE_ACTION": "freeze", "HEADGATE_ENVIRONMENT": "dev", "HEADGATE_REASON": "holidays"}
    ended = scene.run_ci(job, told)
    assert (ended.code, ended.moved) == (0, ["heads/main"]), ended.out
    job.status = job.pipeline.status = "running"  # its answer was lost, and it is tried again
    again = scene.run_ci(job, told)
    assert (again.code, again.moved) == (0, []), again.out
    assert "nothing to do: pipeline-" in again.out


@pytest.mark.parametrize("token", ["HEADGATE_TOKEN", pytest.param("HEADGATE_READ_TOKEN", marks=pytest.mark.long)])
def test_intent_that_somebody_wrote_beforehand_is_done_in_the_intake_too(scene: Scene, token: str) -> None:
    """No commit of the manifest repository is older than a pipeline of the intake: only the hash by a token tells."""
    intake = scene.gitlab.project("acme/intake", {scene.person: DEVELOPER, scene.maintainer: MAINTAINER})
    intake.variables[token] = scene.manifests.variables["HEADGATE_TOKEN"]
    if token == "HEADGATE_READ_TOKEN":  # the job token pushes, as from GitLab 19.0 on
        scene.gitlab.version = "19.1.0"
        scene.manifests.job_token_push = scene.manifests.cross_project_push = True
        scene.manifests.allowlist.add("acme/intake")
    scene.gitlab.push(intake, {"README.md": "x"}, user=scene.maintainer)
    made = Pipeline(intake, "main", refs(intake)["refs/heads/main"], "web", scene.maintainer, status="running")
    config = {"id_tokens": {"HEADGATE_ID_TOKEN": {"aud": "headgate-run:acme/manifests"}}}
    made.jobs.append(Job("hydrate", "deploy", config, made, status="running"))
    intake.pipelines.append(made)
    done = f"Fix a typo\n\nHeadgate-Intent: pipeline-{intake.id}-{made.id}\n"
    scene.gitlab.push(scene.manifests, {"README.md": "typo"}, user=scene.maintainer, message=done)
    told = {"HEADGATE_ACTION": "freeze", "HEADGATE_ENVIRONMENT": "dev", "HEADGATE_REASON": "incident"}
    ended = scene.run_ci(made.jobs[0], told)
    assert (ended.code, ended.moved) == (0, ["heads/main"]), ended.out
    made.status = made.jobs[0].status = "running"
    again = scene.run_ci(made.jobs[0], told)
    assert (again.code, again.moved) == (0, []), again.out
    assert "nothing to do: pipeline-" in again.out


def _merge_request(scene: Scene, files: dict[str, str | None], branch: str = "evil") -> Job:
    scene.gitlab.push(scene.manifests, files, user=scene.person, branch=branch, base="main")
    return _job_of(scene, open_request(scene.gitlab, scene.manifests, branch, scene.person))


def _job_of(scene: Scene, request: MergeRequest) -> Job:
    ref = f"refs/merge-requests/{request.iid}/head"
    return scene.job("merge_request_event", scene.person, request.sha, ref=ref, merge_request=request)


def test_merge_request_that_edits_the_pipeline_sees_no_token(scene: Scene) -> None:
    made = _merge_request(scene, {".gitlab-ci.yml": "hydrate: {script: [env]}\n"})
    assert "HEADGATE_TOKEN" not in environment(scene.gitlab, made)


def test_token_that_merge_requests_can_see_stops_the_run(scene: Scene) -> None:
    scene.manifests.variables["HEADGATE_TOKEN"].protected = False
    made = _merge_request(scene, {"README.md": "x"})
    refused(scene.run_ci(made, {}), UNTRUSTED, "HEADGATE_TOKEN is visible")
    other = scene.job("push", scene.person, ref="evil")
    refused(scene.run_ci(other, {}), UNTRUSTED, "HEADGATE_TOKEN is visible")


def test_token_that_a_merge_request_of_a_protected_branch_can_see_is_hidden_enough(scene: Scene) -> None:
    """GitLab's own setting, on in new projects: both branches must be protected, and of one project."""
    token = scene.manifests.variables["HEADGATE_TOKEN"].value
    made = _merge_request(scene, {"README.md": "x"}, branch="release")
    refused(scene.run_ci(made, {"HEADGATE_TOKEN": token}), UNTRUSTED, "HEADGATE_TOKEN is visible")
    scene.manifests.protected_branches["release"] = Protection(push=MAINTAINER, merge=MAINTAINER)
    made.status = made.pipeline.status = "running"
    ended = scene.run_ci(made, {"HEADGATE_TOKEN": token})
    assert (ended.code, ended.moved) == (0, []), ended.out
    other = scene.job("push", scene.maintainer, ref="refs/workloads/1")
    refused(scene.run_ci(other, {"HEADGATE_TOKEN": token}), UNTRUSTED, "HEADGATE_TOKEN is visible")


@pytest.mark.long
def test_merge_request_cannot_lift_its_own_limits(scene: Scene) -> None:
    many = "".join(f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{index}}}\n" for index in range(9))
    scene.change(files={"deploy/shop.yaml": SHOP.replace("IMAGE", scene.image), "deploy/many.yaml": many})
    assert scene.from_pipeline().code == 0
    token = scene.gitlab.token(scene.person, "api")
    scene.manifests.variables["HEADGATE_BRANCH_TOKEN"] = Variable(token)
    lifted = git(scene.manifests, "show", "main:headgate.yaml") + "\nlimits: {removed_percent: 100}\n"
    folder = "apps/shop/releases/dev/config/many.yaml"
    made = _merge_request(scene, {"headgate.yaml": lifted, folder: None})
    ended = scene.run_ci(made, {})
    assert ended.code == 20, ended.out
    assert ended.moved == []


@pytest.mark.long
@pytest.mark.parametrize("writes", [True, False])
def test_merge_request_cannot_lift_the_sandbox(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, writes: bool
) -> None:
    assert scene.from_pipeline().code == 0
    files: dict[str, str | None] = {
        "headgate.yaml": git(scene.manifests, "show", "main:headgate.yaml") + "\nsandbox: optional\n",
        "apps/shop/releases/dev/config/more.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n",
    }
    if writes:
        scene.manifests.variables["HEADGATE_BRANCH_TOKEN"] = Variable(scene.gitlab.token(scene.person, "api"))
    made = _merge_request(scene, files)
    with unlocked(monkeypatch, tmp_path / "tools"):
        ended = scene.run_ci(made, {})
    assert ended.code == UNLOCKED, ended.out
    assert "cannot read files of an app, since the engine cannot lock itself in" in ended.out
    assert ended.moved == []


def test_merge_request_of_a_fork_is_only_verified(scene: Scene) -> None:
    fork = scene.gitlab.project("mallory/manifests", {scene.person: DEVELOPER})
    git(fork, "fetch", "--quiet", str(scene.manifests.folder), "+refs/heads/main:refs/heads/main")
    del fork.protected_branches["main"]
    evil = f"project: acme/shop\nimages: {{shop: {scene.image}}}\nconfig: deploy\nallow: {{kinds: [Secret]}}\n"
    scene.gitlab.push(fork, {"apps/shop/app.yaml": evil}, user=scene.person, message="x [skip ci]")
    request = open_request(scene.gitlab, scene.manifests, "main", scene.person, source_project=fork)
    scene.manifests.variables["HEADGATE_BRANCH_TOKEN"] = Variable(scene.gitlab.token(scene.person, "api"))
    job = _job_of(scene, request)
    before = refs(fork)
    ended = scene.run_ci(job, {})
    assert ended.moved == [], ended.out
    assert refs(fork) == before


# --- id_tokens


@pytest.mark.long
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("other audience", "is not one that"),
        ("expired", "is not one that"),
        ("other key", "is not one that"),
        ("other issuer", "is not one that"),
        ("other project", "names another project or commit"),
    ],
)
def test_id_token_that_proves_nothing_is_refused(scene: Scene, how: str, words: str) -> None:
    upstream = scene.upstream()
    job = (scene.upstream(scene.other) if how == "other project" else upstream).jobs[1]
    keys = Keys(scene.gitlab.keys.kid, new_key()) if how == "other key" else scene.gitlab.keys
    audience = "headgate:acme/other" if how == "other audience" else "headgate:acme/manifests"
    issuer = "https://evil.example.net" if how == "other issuer" else scene.gitlab.url
    lasts = -60 if how == "expired" else 300
    token = id_token(keys, issuer, job, audience, is_protected=True, lasts=lasts)
    ended = scene.triggered(upstream, is_linked=False, source="trigger", token=token)
    refused(ended, UNTRUSTED, words)
    assert token not in ended.out
