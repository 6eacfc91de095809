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
from support.gitlab.state import DEVELOPER, MAINTAINER, Job, Pipeline, Protection, Variable
from support.gitlab.web import Answer, Request, Server
from support.keys import allowed, make_key
from support.registry import Registry, push_image
from support.trusting import DEPLOYMENT, SETTINGS, Ended, Trust, make_trust

UNSAFE, REFUSED, UNKNOWN, UNTRUSTED, FORBIDDEN, UNLOCKED = 14, 27, 28, 31, 32, 33
ADDRESSES = ("CI_API_V4_URL", "CI_SERVER_URL", "CI_PROJECT_URL", "HEADGATE_SERVER")


@pytest.fixture
def trust(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trust]:
    monkeypatch.chdir(tmp_path)  # where report files go
    with make_trust(tmp_path, registry) as made:
        yield made


def refused(ended: Ended, code: int, words: str) -> None:
    """Check that a run was refused for a reason, and left the manifest repository alone."""
    assert (ended.code, ended.moved) == (code, []), ended.out
    assert words in ended.out


def test_true_hand_off_is_taken(trust: Trust) -> None:
    ended = trust.hand_off()
    assert ended.code == 0, ended.out
    assert ended.moved == ["heads/main"]
    assert f"{trust.image}:{trust.head[:8]}@sha256:" in git(
        trust.manifests, "show", "main:deploy/dev/shop/deployment.apps-shop.yaml"
    )


@pytest.mark.long
def test_commits_of_a_pipeline_are_signed_where_it_has_a_key(trust: Trust, tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    trust.signing_key = str(key)
    assert trust.hand_off().moved == ["heads/main"]
    committer = git(trust.manifests, "log", "-1", "--format=%ce", "main")
    assert git(trust.manifests, *allowed(key, committer), "log", "-1", "--format=%G?", "main") == "G"


@pytest.mark.long
def test_hand_off_of_a_child_pipeline_is_taken(trust: Trust) -> None:
    upstream = trust.upstream(source="parent_pipeline")
    assert trust.triggered(upstream).moved == ["heads/main"]


def test_another_project_claims_the_app(trust: Trust) -> None:
    upstream = trust.upstream(trust.other)
    stolen = f"{trust.image}:{trust.head[:8]}"
    refused(trust.triggered(upstream, images=stolen), REFUSED, "no app takes the image")
    assert trust.shop.statuses == []  # it is told to who claimed, never to the victim


def test_passed_project_is_not_the_upstream(trust: Trust) -> None:
    upstream = trust.upstream(trust.other)
    trust.upstream()  # a pipeline of the app is there, but it triggered nothing
    forged = trust.claim(
        upstream, project=str(trust.shop.id), images=f"{trust.image}:{trust.head[:8]}", commit=trust.head
    )
    refused(trust.triggered(upstream, text=forged), UNTRUSTED, "triggered this pipeline")
    assert trust.shop.statuses == trust.other.statuses == []


def test_pipeline_that_nobody_triggered_hands_nothing_off(trust: Trust) -> None:
    upstream = trust.upstream()
    refused(trust.triggered(upstream, is_linked=False), UNTRUSTED, "triggered this pipeline")


@pytest.mark.long
def test_bridge_to_another_pipeline_proves_nothing(trust: Trust) -> None:
    upstream = trust.upstream()
    assert trust.triggered(upstream).code == 0
    first = upstream.jobs[0].downstream
    # the very pipeline that did trigger one, named by another one
    ended = trust.triggered(upstream, is_linked=False)
    assert upstream.jobs[0].downstream is first
    refused(ended, UNTRUSTED, "triggered this pipeline")
    newer = trust.upstream(sha=trust.change())
    refused(trust.triggered(newer, is_linked=False), UNTRUSTED, "triggered this pipeline")


@pytest.mark.long
def test_commit_of_another_pipeline_is_refused(trust: Trust) -> None:
    old = trust.head
    trust.change()
    refused(trust.triggered(trust.upstream(), commit=old), UNTRUSTED, f"the hand-off names commit {old[:12]}")


@pytest.mark.long
def test_unprotected_branch_is_refused_where_protected_ones_are_taken(trust: Trust) -> None:
    del trust.shop.protected_branches["main"]
    refused(trust.hand_off(), REFUSED, "which is not protected")
    (told,) = trust.shop.statuses  # the app's people see why, the forged claims of others are told to nobody
    assert (told["sha"], told["name"], told["status"]) == (trust.head, "headgate: hand-off", "failed")
    assert "is not protected" in told["description"]
    trust.shop.protected_branches["main"] = Protection(push=DEVELOPER, merge=DEVELOPER)
    assert trust.hand_off().moved == ["heads/main"]
    newest = {one["name"]: one["status"] for one in trust.shop.statuses}
    assert newest == {"headgate: hand-off": "success", "headgate: dev": "success"}


@pytest.mark.long
def test_unprotected_branch_is_taken_where_it_may_be(trust: Trust) -> None:
    commit = trust.change(branch="try/it", base="main")
    ended = trust.hand_off(ref="try/it", sha=commit)
    assert ended.moved == ["heads/headgate/try/shop", "heads/main", "merge-requests/1/head"], ended.out


def test_image_of_another_app_is_refused_before_its_registry_is_asked(trust: Trust) -> None:
    ended = trust.triggered(trust.upstream(), images=f"127.0.0.1:1/acme/other:{trust.head[:8]}")
    refused(ended, REFUSED, "no app takes the image")


def test_image_of_another_commit_is_refused(trust: Trust) -> None:
    push_image(trust.registry, "acme/shop", "latest", labels={})
    ended = trust.triggered(trust.upstream(), images=f"{trust.image}:latest")
    refused(ended, REFUSED, "nothing proves that")


def test_image_that_names_the_commit_in_its_label_is_taken(trust: Trust) -> None:
    label = {"org.opencontainers.image.revision": trust.head}
    push_image(trust.registry, "acme/shop", "latest", labels=label)
    assert trust.triggered(trust.upstream(), images=f"{trust.image}:latest").moved == ["heads/main"]


@pytest.mark.long
def test_replayed_hand_off_does_nothing(trust: Trust) -> None:
    upstream = trust.upstream()
    assert trust.triggered(upstream).moved == ["heads/main"]
    again = trust.triggered(upstream)
    assert (again.code, again.moved) == (0, [])


def test_retried_older_pipeline_is_superseded(trust: Trust) -> None:
    older = trust.upstream()
    newer = trust.change()
    assert trust.hand_off(sha=newer).moved == ["heads/main"]
    ended = trust.triggered(older)
    assert (ended.code, ended.moved) == (0, [])
    assert "superseded" in ended.out


def test_retried_pipeline_of_a_rewritten_branch_is_refused(trust: Trust) -> None:
    old = trust.change()
    upstream = trust.upstream(sha=old)
    git(trust.shop, "update-ref", "refs/heads/main", f"{old}^")
    refused(trust.triggered(upstream), UNTRUSTED, "is no longer on refs/heads/main of acme/shop")


def test_tag_named_like_the_branch_is_not_the_branch(trust: Trust) -> None:
    git(trust.shop, "tag", "main", trust.head)
    refused(trust.hand_off(is_tag=True), REFUSED, "no environment takes hand-offs of refs/tags/main")


def test_tag_that_was_moved_is_refused(trust: Trust) -> None:
    git(trust.shop, "tag", "v1.0.0", trust.head)
    upstream = trust.upstream(ref="v1.0.0", is_tag=True)
    git(trust.shop, "tag", "--force", "v1.0.0", f"{trust.change()}")
    refused(trust.triggered(upstream), UNTRUSTED, "refs/tags/v1.0.0 is at")


@pytest.mark.long
def test_overwritten_image_tag_does_not_replace_what_runs(trust: Trust) -> None:
    upstream = trust.upstream()
    assert trust.triggered(upstream).code == 0
    push_image(trust.registry, "acme/shop", trust.head[:8], labels={"other": "content"})
    ended = trust.triggered(upstream)
    assert (ended.code, ended.moved) == (0, [])
    assert "another digest" in ended.out


@pytest.mark.parametrize("source", ["merge_request_event", "external_pull_request_event"])
def test_pipeline_of_a_merge_request_hands_nothing_off(trust: Trust, source: str) -> None:
    refused(trust.triggered(trust.upstream(source=source)), UNTRUSTED, "may not hand off")


def test_child_of_a_merge_requests_pipeline_hands_nothing_off(trust: Trust) -> None:
    upstream = trust.upstream(source="parent_pipeline", ref="refs/merge-requests/1/head")
    refused(trust.triggered(upstream), UNTRUSTED, "may not hand off")


@pytest.mark.parametrize("source", ["web", "api", "push", "schedule"])
def test_hand_off_given_by_hand_is_refused(trust: Trust, source: str) -> None:
    refused(trust.triggered(trust.upstream(), source=source), UNTRUSTED, "nobody triggered from a project")


def test_hand_off_whose_text_is_no_hand_off_is_refused(trust: Trust) -> None:
    refused(trust.triggered(trust.upstream(), text="headgate/1 $(id)"), UNTRUSTED, "cannot read the hand-off")


@pytest.mark.long
def test_project_made_anew_under_the_same_path_is_refused(trust: Trust) -> None:
    assert trust.hand_off().code == 0
    old = trust.shop
    trust.gitlab.remove_project(old)
    trust.shop = trust.gitlab.project("acme/shop", {trust.dana: DEVELOPER})
    trust.shop.members |= old.members
    trust.shop.allowlist.add("acme/manifests")
    trust.shop.protected_branches["main"].push = DEVELOPER
    trust.change(files={"deploy/shop.yaml": DEPLOYMENT.replace("IMAGE", trust.image)})
    ended = trust.hand_off()
    assert ended.moved == [], ended.out
    assert f"acme/shop is another project now: number {trust.shop.id}, not {old.id}" in ended.out
    assert ended.code == REFUSED


@pytest.mark.long
def test_renamed_project_is_no_owner_any_more(trust: Trust) -> None:
    assert trust.hand_off().code == 0
    trust.shop.path = "acme/renamed"
    refused(trust.hand_off(), REFUSED, "no app has a part that belongs to acme/renamed")


# --- what names and texts could do


EVIL = "Merge\n\n/close\n@all [skip ci]\n\nHeadgate-App: other\nHeadgate-Intent: stolen\n\x1b[2J$(touch pwned)`id`"


@pytest.mark.long
def test_hostile_names_and_messages_do_nothing(trust: Trust, tmp_path: Path) -> None:
    branch = "try/$(touch${IFS}pwned);`id`'\"&|<b>@all/close"
    account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: %s}\n"
    files = {
        "deploy/shop.yaml": DEPLOYMENT.replace("IMAGE", trust.image),
        "deploy/@all.yaml": account % "all",
        "deploy/$(id).yaml": account % '"sub@all$(id)"',
    }
    commit = trust.change(branch=branch, base="main", message=EVIL, files=files)
    ended = trust.hand_off(ref=branch, sha=commit)
    assert ended.code == 0, ended.out
    assert "\x1b" not in ended.out
    message = git(trust.manifests, "show", "--no-patch", "--format=%(trailers:only)", "headgate/try/shop")
    assert "Headgate-App: other" not in message
    assert "stolen" not in message
    assert trust.gitlab.executed == []
    assert not list(tmp_path.rglob("pwned"))
    written = git(trust.manifests, "ls-tree", "-r", "--name-only", "headgate/try/shop", "--", "deploy/try").split("\n")
    assert "deploy/try/shop/serviceaccount-sub%40all%24%28id%29.yaml" in written
    kept = git(trust.manifests, "ls-tree", "-r", "-z", "--name-only", "headgate/try/shop", "--", "apps").split("\0")
    assert {one.rsplit("/", 1)[1] for one in kept if one} >= {"@all.yaml", "$(id).yaml"}


@pytest.mark.long
@pytest.mark.parametrize("name", ["deploy/../../evil.yaml", "deploy/.git/config", "deploy/a\\..\\b.yaml"])
def test_config_that_leaves_its_folder_is_refused(trust: Trust, name: str) -> None:
    """git's index refuses such names; whoever pushes makes trees by other means."""
    blob = git(trust.shop, "hash-object", "-w", "--stdin", stdin="kind: List\n")
    tree = _tree(trust, name, blob)
    commit = git(
        trust.shop,
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@example.com",
        "commit-tree",
        tree,
        "-p",
        trust.head,
        stdin="x",
    )
    git(trust.shop, "update-ref", "refs/heads/main", commit)
    push_image(trust.registry, "acme/shop", commit[:8], labels={})
    refused(trust.hand_off(), UNSAFE, "deploy/")


def _tree(trust: Trust, path: str, blob: str) -> str:
    """Return a tree that holds a file under a name that git's index would refuse."""
    made = blob  # mktree looks at no name
    mode, kind = "100644", "blob"
    for part in reversed(path.split("/")):
        entry = f"{mode} {kind} {made}\t{part}\n"
        made = git(trust.shop, "mktree", stdin=entry)
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
def test_one_address_set_from_outside_gets_no_token(trust: Trust, name: str) -> None:
    seen: list[Request] = []
    job = trust.job("pipeline", trust.dana)
    with elsewhere(seen) as url:
        refused(trust.run(job, {name: f"{url}/api/v4"}), UNTRUSTED, "set from outside")
    assert seen == []


def test_addresses_that_are_made_empty_get_no_token(trust: Trust) -> None:
    seen: list[Request] = []
    job = trust.job("pipeline", trust.dana)
    with elsewhere(seen) as url:
        told = {**dict.fromkeys(ADDRESSES, ""), "HEADGATE_SERVER": url}
        refused(trust.run(job, told), UNTRUSTED, "set from outside")
    assert seen == []


def test_who_sets_all_addresses_alike_gets_the_jobs_own_token_and_nothing_else(trust: Trust) -> None:
    """The limit that the docs name: therefore pipeline variables must be closed."""
    seen: list[Request] = []
    job = trust.job("pipeline", trust.dana)
    with elsewhere(seen) as url:
        told = {**dict.fromkeys(ADDRESSES, url), "CI_API_V4_URL": f"{url}/api/v4", "CI_PROJECT_URL": f"{url}/a/b"}
        refused(trust.run(job, told), UNKNOWN, "does not know this job")
    bot = trust.manifests.variables["HEADGATE_TOKEN"].value
    assert bot
    assert [one.headers.get("job-token") for one in seen] == [job.token]
    assert all(bot not in f"{one.headers}{one.body!r}{one.path}" for one in seen)


def test_other_manifest_project_set_from_outside_is_refused(trust: Trust) -> None:
    theirs = SETTINGS.format(url=trust.gitlab.url)  # a copy of ours, which names the true one
    trust.gitlab.push(trust.other, {"headgate.yaml": theirs}, user=trust.dana)
    before = refs(trust.other)
    job = trust.job("push", trust.max)
    refused(trust.run(job, {"HEADGATE_MANIFESTS": "acme/other"}), UNTRUSTED, "headgate.yaml names acme/manifests")
    assert refs(trust.other) == before


def test_pipeline_variables_are_not_taken_by_gitlab_at_all(trust: Trust) -> None:
    ci = {".gitlab-ci.yml": "hydrate: {script: [env]}\n"}
    trust.gitlab.push(trust.manifests, dict(ci), user=trust.max, message="CI [skip ci]")
    for name in ("BASH_ENV", "PYTHONPATH", "CI_API_V4_URL"):
        made = trust.gitlab.run_form(trust.manifests, trust.max, {}, {name: "/evil"})
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
def test_form_of_somebody_without_the_level_is_refused(trust: Trust, form: dict[str, str], needed: str) -> None:
    refused(trust.form(trust.dana, **form), FORBIDDEN, f"needs the role {needed}")


def test_level_is_told_by_gitlab_also_without_a_token_that_may_ask(trust: Trust) -> None:
    trust.manifests.variables.clear()
    trust.manifests.job_token_push = True
    trust.manifests.protected_branches["main"].push = DEVELOPER
    form = {"action": "freeze", "environment": "dev", "reason": "x"}
    refused(trust.form(trust.dana, **form), FORBIDDEN, "dana may not freeze")
    assert trust.form(trust.max, **form).moved == ["heads/main"]
    stranger = trust.job("web", trust.dana)
    stolen = id_token(
        trust.gitlab.keys,
        trust.gitlab.url,
        trust.job("web", trust.max),
        "headgate-run:acme/manifests",
        is_protected=True,
    )
    told = {"HEADGATE_ACTION": "thaw", "HEADGATE_ENVIRONMENT": "dev", "HEADGATE_ID_TOKEN": stolen}
    refused(trust.run(stranger, told), UNTRUSTED, "does not belong to this job")


def test_intent_that_somebody_wrote_beforehand_is_done_all_the_same(trust: Trust) -> None:
    """Pipelines' numbers can be guessed, and a merged commit's message says what its author likes."""
    job = trust.job("web", trust.max)
    done = f"Change\n\nHeadgate-Intent: pipeline-{trust.manifests.id}-{job.pipeline.id}\n"
    job.pipeline.sha = trust.gitlab.push(trust.manifests, {"README.md": "x"}, user=trust.max, message=done)
    told = {"HEADGATE_ACTION": "freeze", "HEADGATE_ENVIRONMENT": "dev", "HEADGATE_REASON": "holidays"}
    ended = trust.run(job, told)
    assert (ended.code, ended.moved) == (0, ["heads/main"]), ended.out
    job.status = job.pipeline.status = "running"  # its answer was lost, and it is tried again
    again = trust.run(job, told)
    assert (again.code, again.moved) == (0, []), again.out
    assert "nothing to do: pipeline-" in again.out


def test_intent_that_somebody_wrote_beforehand_is_done_in_the_intake_too(trust: Trust) -> None:
    """No commit of the manifest repository is older than a pipeline of the intake: only the bot's hash tells."""
    intake = trust.gitlab.project("acme/intake", {trust.dana: DEVELOPER, trust.max: MAINTAINER})
    intake.variables["HEADGATE_TOKEN"] = trust.manifests.variables["HEADGATE_TOKEN"]
    trust.gitlab.push(intake, {"README.md": "x"}, user=trust.max)
    made = Pipeline(intake, "main", refs(intake)["refs/heads/main"], "web", trust.max, status="running")
    config = {"id_tokens": {"HEADGATE_ID_TOKEN": {"aud": "headgate-run:acme/manifests"}}}
    made.jobs.append(Job("hydrate", "deploy", config, made, status="running"))
    intake.pipelines.append(made)
    done = f"Fix a typo\n\nHeadgate-Intent: pipeline-{intake.id}-{made.id}\n"
    trust.gitlab.push(trust.manifests, {"README.md": "typo"}, user=trust.max, message=done)
    told = {"HEADGATE_ACTION": "freeze", "HEADGATE_ENVIRONMENT": "dev", "HEADGATE_REASON": "incident"}
    ended = trust.run(made.jobs[0], told)
    assert (ended.code, ended.moved) == (0, ["heads/main"]), ended.out
    made.status = made.jobs[0].status = "running"
    again = trust.run(made.jobs[0], told)
    assert (again.code, again.moved) == (0, []), again.out
    assert "nothing to do: pipeline-" in again.out


def _merge_request(trust: Trust, files: dict[str, str | None], branch: str = "evil") -> Pipeline:
    trust.gitlab.push(trust.manifests, files, user=trust.dana, branch=branch, base="main")
    request = open_request(trust.gitlab, trust.manifests, branch, trust.dana)
    return trust.job(
        "merge_request_event",
        trust.dana,
        ref=f"refs/merge-requests/{request.iid}/head",
        sha=request.sha,
        merge_request=request,
    ).pipeline


def test_merge_request_that_edits_the_pipeline_sees_no_token(trust: Trust) -> None:
    made = _merge_request(trust, {".gitlab-ci.yml": "hydrate: {script: [env]}\n"})
    assert "HEADGATE_TOKEN" not in environment(trust.gitlab, made.jobs[0])


def test_token_that_merge_requests_can_see_stops_the_run(trust: Trust) -> None:
    trust.manifests.variables["HEADGATE_TOKEN"].protected = False
    made = _merge_request(trust, {"README.md": "x"})
    refused(trust.run(made.jobs[0], {}), UNTRUSTED, "HEADGATE_TOKEN is visible")
    other = trust.job("push", trust.dana, ref="evil")
    refused(trust.run(other, {}), UNTRUSTED, "HEADGATE_TOKEN is visible")


def test_token_that_a_merge_request_of_a_protected_branch_can_see_is_hidden_enough(trust: Trust) -> None:
    """GitLab's own setting, on in new projects: both branches must be protected, and of one project."""
    token = trust.manifests.variables["HEADGATE_TOKEN"].value
    made = _merge_request(trust, {"README.md": "x"}, branch="release")
    refused(trust.run(made.jobs[0], {"HEADGATE_TOKEN": token}), UNTRUSTED, "HEADGATE_TOKEN is visible")
    trust.manifests.protected_branches["release"] = Protection(push=MAINTAINER, merge=MAINTAINER)
    made.status = made.jobs[0].status = "running"
    ended = trust.run(made.jobs[0], {"HEADGATE_TOKEN": token})
    assert (ended.code, ended.moved) == (0, []), ended.out
    other = trust.job("push", trust.max, ref="refs/workloads/1")
    refused(trust.run(other, {"HEADGATE_TOKEN": token}), UNTRUSTED, "HEADGATE_TOKEN is visible")


@pytest.mark.long
def test_merge_request_cannot_lift_its_own_limits(trust: Trust) -> None:
    many = "".join(f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{index}}}\n" for index in range(9))
    trust.change(files={"deploy/shop.yaml": DEPLOYMENT.replace("IMAGE", trust.image), "deploy/many.yaml": many})
    assert trust.hand_off().code == 0
    token = trust.gitlab.token(trust.dana, "api")
    trust.manifests.variables["HEADGATE_BRANCH_TOKEN"] = Variable(token)
    lifted = git(trust.manifests, "show", "main:headgate.yaml") + "\nlimits: {removed_percent: 100}\n"
    folder = "apps/shop/releases/dev/config/many.yaml"
    made = _merge_request(trust, {"headgate.yaml": lifted, folder: None})
    ended = trust.run(made.jobs[0], {})
    assert ended.code == 20, ended.out
    assert ended.moved == []


@pytest.mark.long
@pytest.mark.parametrize("writes", [True, False])
def test_merge_request_cannot_lift_the_sandbox(
    trust: Trust, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, writes: bool
) -> None:
    assert trust.hand_off().code == 0
    files: dict[str, str | None] = {
        "headgate.yaml": git(trust.manifests, "show", "main:headgate.yaml") + "\nsandbox: optional\n",
        "apps/shop/releases/dev/config/more.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n",
    }
    if writes:
        trust.manifests.variables["HEADGATE_BRANCH_TOKEN"] = Variable(trust.gitlab.token(trust.dana, "api"))
    made = _merge_request(trust, files)
    with unlocked(monkeypatch, tmp_path / "tools"):
        ended = trust.run(made.jobs[0], {})
    assert ended.code == UNLOCKED, ended.out
    assert "cannot read files of an app, since the engine cannot lock itself in" in ended.out
    assert ended.moved == []


def test_merge_request_of_a_fork_is_only_verified(trust: Trust) -> None:
    fork = trust.gitlab.project("mallory/manifests", {trust.dana: DEVELOPER})
    git(fork, "fetch", "--quiet", str(trust.manifests.folder), "+refs/heads/main:refs/heads/main")
    del fork.protected_branches["main"]
    evil = f"project: acme/shop\nimages: {{shop: {trust.image}}}\nconfig: deploy\nallow: {{kinds: [Secret]}}\n"
    trust.gitlab.push(fork, {"apps/shop/app.yaml": evil}, user=trust.dana, message="x [skip ci]")
    request = open_request(trust.gitlab, trust.manifests, "main", trust.dana, source_project=fork)
    trust.manifests.variables["HEADGATE_BRANCH_TOKEN"] = Variable(trust.gitlab.token(trust.dana, "api"))
    job = trust.job(
        "merge_request_event",
        trust.dana,
        ref=f"refs/merge-requests/{request.iid}/head",
        sha=request.sha,
        merge_request=request,
    )
    before = refs(fork)
    ended = trust.run(job, {})
    assert ended.moved == [], ended.out
    assert refs(fork) == before


# --- id_tokens


def test_id_token_of_a_running_job_proves_the_sender(trust: Trust) -> None:
    upstream = trust.upstream()
    token = id_token(
        trust.gitlab.keys, trust.gitlab.url, upstream.jobs[1], "headgate:acme/manifests", is_protected=True
    )
    ended = trust.triggered(upstream, is_linked=False, source="trigger", token=token)
    assert ended.moved == ["heads/main"], ended.out


@pytest.mark.long
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("other audience", "is not one that"),
        ("expired", "is not one that"),
        ("other key", "is not one that"),
        ("other issuer", "is not one that"),
        ("other project", "names another project or commit"),
        ("job ended", "is no longer running"),
    ],
)
def test_id_token_that_proves_nothing_is_refused(trust: Trust, how: str, words: str) -> None:
    upstream = trust.upstream()
    job = (trust.upstream(trust.other) if how == "other project" else upstream).jobs[1]
    keys = Keys(trust.gitlab.keys.kid, new_key()) if how == "other key" else trust.gitlab.keys
    audience = "headgate:acme/other" if how == "other audience" else "headgate:acme/manifests"
    issuer = "https://evil.example.net" if how == "other issuer" else trust.gitlab.url
    lasts = -60 if how == "expired" else 300
    token = id_token(keys, issuer, job, audience, is_protected=True, lasts=lasts)
    if how == "job ended":
        job.status = "success"
    ended = trust.triggered(upstream, is_linked=False, source="trigger", token=token)
    refused(ended, UNTRUSTED, words)
    assert token not in ended.out
