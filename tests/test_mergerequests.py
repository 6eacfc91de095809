"""Merge requests on a GitLab: one per app and environment, whatever happens in between. State is what is asserted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from headgate.gitlab.api import GitLab
from headgate.hydration.output import output_id
from headgate.landing.proof import ProofKey
from headgate.repository.commit import Identity
from headgate.repository.git import Repository
from headgate.review.api import MergeRequests
from headgate.review.description import read_metadata
from support.gitlab.gitside import git, refs, write_commit
from support.gitlab.mergeside import merge, open_request
from support.gitlab.state import MergeRequest
from support.reviewing import APP, BRANCH, Scene, freeze, make_scene, quiet, settings
from support.trees import tree_of


@pytest.mark.long
def test_one_merge_request_is_kept_up_to_date(scene: Scene) -> None:
    assert scene.hand_off().code == 0
    one = scene.the_request()
    assert (one.source, one.target, one.sha) == (BRANCH, "main", refs(scene.manifests)[f"refs/heads/{BRANCH}"])
    assert one.title.startswith("Deliver web to production: acme/web@")
    assert "image `web`: `1.1.0` (new)" in one.description
    quiet(scene)

    one.description = f"Ticket OPS-1\n\n{one.description}\n\n- [ ] asked the team"
    one.labels.append("mine")
    assert scene.new_version(replicas=0).code == 0
    assert scene.the_request() is one
    assert "`1.2.0`" in one.description
    assert "1.1.0" not in one.description
    assert one.description.startswith("Ticket OPS-1\n\n<!-- headgate:begin")
    assert one.description.endswith("- [ ] asked the team")
    assert one.labels == ["mine"]
    marks = read_metadata(one.description)
    assert marks is not None
    assert marks.commit == one.sha
    quiet(scene)


@pytest.mark.long
def test_what_a_person_merged_is_not_proposed_again(scene: Scene) -> None:
    scene.hand_off()
    one = scene.the_request()
    merged = merge(scene.gitlab, one, scene.person)
    assert scene.pushed(merged).code == 0
    assert one.state == "merged"
    assert scene.requests() == []
    assert f"refs/heads/{BRANCH}" not in refs(scene.manifests)
    assert one.notes == []
    quiet(scene)


@pytest.mark.long
@pytest.mark.parametrize(
    ("status", "after"),
    [(502, True), *(pytest.param(*lost, marks=pytest.mark.long) for lost in ((0, True), (500, False), (0, False)))],
)
def test_an_answer_that_is_lost_makes_no_second_one(scene: Scene, status: int, after: bool) -> None:
    scene.gitlab.fail("POST", "/merge_requests$", status, after=after)
    ended = scene.hand_off()
    assert ended.code == 0, ended.out
    assert len(scene.manifests.merge_requests) == 1


@pytest.mark.long
def test_one_that_is_there_already_is_taken(scene: Scene) -> None:
    scene.gitlab.fail("GET", "/merge_requests$", 400)
    assert scene.hand_off().code == 28
    assert scene.requests() == []
    theirs = open_request(scene.gitlab, scene.manifests, BRANCH, scene.person, title="Mine", description="by hand")
    assert scene.schedule().code == 0
    assert scene.the_request() is theirs
    assert theirs.description.endswith("by hand")
    assert "image `web`" in theirs.description
    assert theirs.title.startswith("Deliver web")
    quiet(scene)


@pytest.mark.long
def test_a_killed_run_is_completed_by_the_next(scene: Scene) -> None:
    scene.gitlab.fail("GET", "/merge_requests$", 401)
    ended = scene.hand_off()
    assert ended.code == 28
    assert f"refs/heads/{BRANCH}" in refs(scene.manifests)
    commit = refs(scene.app)["refs/heads/main"]
    assert scene.statuses(commit) == {}
    ended = scene.schedule()
    assert ended.code == 0, ended.out
    assert scene.the_request().source == BRANCH
    assert sorted(scene.statuses(commit)) == ["headgate: dev", "headgate: production"]
    assert len(scene.app.deployments) == 1
    quiet(scene)


@pytest.mark.long
def test_a_freeze_makes_drafts_and_a_thaw_makes_them_ready(scene: Scene) -> None:
    scene.hand_off()
    one = scene.the_request()
    one.auto_merge = True
    freeze(scene)
    assert one.is_draft
    assert not one.auto_merge
    assert "> production is frozen by alice: holidays" in one.description
    quiet(scene)
    freeze(scene, frozen=False)
    assert not one.is_draft
    assert "frozen" not in one.description
    quiet(scene)


@pytest.mark.long
def test_a_draft_of_a_persons_stays_one(scene: Scene) -> None:
    scene.hand_off()
    one = scene.the_request()
    one.title = f"Draft: {one.title}"
    freeze(scene)
    freeze(scene, frozen=False)
    scene.new_version(replicas=3)
    assert one.is_draft
    assert "`1.2.0`" in one.description


@pytest.mark.long
def test_one_whose_app_went_is_closed_with_a_word(scene: Scene) -> None:
    scene.hand_off()
    one = scene.the_request()
    only_dev = "project: acme/web\nimages: {web: registry.example.com/acme/web}\nconfig: deploy\nenvironments: [dev]\n"
    ended = scene.pushed(scene.push(scene.manifests, {"apps/web/app.yaml": only_dev}))
    assert ended.code == 0, ended.out
    assert one.state == "closed"
    assert [note.body.split("\n\n")[1] for note in one.notes] == [
        "Closed by Headgate: web is no longer configured in production."
    ]
    quiet(scene)
    assert len(one.notes) == 1


@pytest.mark.long
def test_one_that_a_person_closed_stays_closed_until_there_is_something_new(scene: Scene) -> None:
    scene.hand_off()
    first = scene.the_request()
    first.state = "closed"
    ended = scene.schedule()
    assert ended.code == 0
    assert "!1 was closed by somebody: rejected" in ended.out
    assert scene.requests() == []
    assert BRANCH not in str(refs(scene.manifests))
    ended = scene.hand_off(digest=f"{1:064x}")  # the same again
    assert (ended.code, "was rejected by somebody, with !1" in ended.out) == (27, True), ended.out
    assert scene.requests() == []
    scene.new_version(replicas=3)
    assert scene.the_request() is not first
    assert len(scene.manifests.merge_requests) == 2


@pytest.mark.long
def test_one_that_a_person_closed_is_rejected_whatever_its_description_says(scene: Scene) -> None:
    """Whoever is Developer may edit the description, where Headgate marks what it closed itself."""
    scene.hand_off()
    one = scene.the_request()
    one.description = one.description.replace(" -->", " closed=yes -->", 1)
    one.state, one.closed_by = "closed", scene.person
    ended = scene.schedule()
    assert ended.code == 0
    assert "!1 was closed by alice: rejected" in ended.out
    assert scene.requests() == []


@pytest.mark.long
def test_commits_of_others_on_our_branch_are_left_alone(scene: Scene) -> None:
    scene.hand_off()
    one = scene.the_request()
    before = one.description
    theirs = scene.push(scene.manifests, {"README.md": "mine"}, branch=BRANCH)
    ended = scene.schedule()
    assert ended.code == 0, ended.out
    assert f"{BRANCH} holds a commit that Headgate did not make, so its merge request stays as it is" in ended.out
    # what is newer lands wherever it can, and says where it cannot
    ended = scene.new_version(replicas=3)
    assert ended.code == 0
    held = f"the branch {BRANCH} holds a commit that Headgate did not make, or replaced since then ({theirs[:12]})"
    assert f"web in production: held: {held}" in ended.out
    assert "replicas: 3" in scene.gitlab.show(scene.manifests, "deploy/dev/web/deployment.apps-web.yaml")
    assert refs(scene.manifests)[f"refs/heads/{BRANCH}"] == theirs
    assert (one.state, one.description) == ("opened", before)
    told = scene.statuses(refs(scene.app)["refs/heads/main"])
    assert told["headgate: dev"][0] == "success"
    assert told["headgate: production"][0] == "pending"
    # once the branch is gone, the same hand-off proposes it
    git(scene.manifests, "update-ref", "-d", f"refs/heads/{BRANCH}")
    ended = scene.hand_off()
    assert ended.code == 0, ended.out
    assert "replicas: 3" in git(scene.manifests, "show", f"{BRANCH}:deploy/production/web/deployment.apps-web.yaml")


@pytest.mark.long
def test_commits_of_others_on_the_branch_for_many_stop_nothing_else(scene: Scene) -> None:
    scene.hand_off()
    merge(scene.gitlab, scene.the_request(), scene.person)
    many = "headgate/production/_rehydrate"
    theirs = scene.push(scene.manifests, {"README.md": "mine"}, branch=many)
    moved = scene.push(scene.manifests, {"apps/web/app.yaml": f"{APP}namespace: shops\n"})
    ended = scene.pushed(moved)
    assert ended.code == 22
    assert f"the branch {many} holds a commit that Headgate did not make" in ended.out
    assert "namespace: shops" in scene.gitlab.show(scene.manifests, "deploy/dev/web/deployment.apps-web.yaml")
    assert refs(scene.manifests)[f"refs/heads/{many}"] == theirs


def broken_release(scene: Scene, head: str) -> str:
    broken: dict[str, str | None] = {"apps/web/releases/production/release.yaml": "images: [\n"}
    return write_commit(scene.manifests.folder, f"refs/heads/{BRANCH}", head, broken, "bot", WORDS)


def linked_elsewhere(scene: Scene, head: str) -> str:
    files = git(scene.manifests, "ls-tree", head)
    tree = git(scene.manifests, "mktree", stdin=f"{files.rstrip()}\n160000 commit {'a' * 40}\tlinked\n")
    who = ("-c", "user.name=bot", "-c", "user.email=bot@example.com")
    return git(scene.manifests, *who, "commit-tree", tree, "-p", f"{head}^", stdin=WORDS)


@pytest.mark.long
@pytest.mark.parametrize(
    "spoil",
    [broken_release, linked_elsewhere],
)
def test_a_proposal_that_cannot_be_read_stops_nothing_else(scene: Scene, spoil: Callable[[Scene, str], str]) -> None:
    scene.hand_off()
    made = spoil(scene, refs(scene.manifests)[f"refs/heads/{BRANCH}"])
    prover = ProofKey.of(scene.token, f"{scene.gitlab.url}/platform/manifests.git", lambda _branch, _commit: False)
    proven = prover.with_proof(Repository(scene.manifests.folder, bare=True), BRANCH, made, Identity())
    git(scene.manifests, "update-ref", f"refs/heads/{BRANCH}", proven)
    scene.app.statuses.clear()
    ended = scene.schedule()
    assert ended.code == 0, ended.out
    assert f"{BRANCH} holds a commit that Headgate did not make" in ended.out
    assert scene.statuses(refs(scene.app)["refs/heads/main"])["headgate: dev"][0] == "success"


WORDS = "Deliver web to production\n\nHeadgate-App: web\nHeadgate-Environment: production\n"


@pytest.mark.long
def test_a_commit_that_is_only_worded_as_ours_is_taken_for_nothing(scene: Scene) -> None:
    scene.hand_off()
    one, release = scene.the_request(), "apps/web/releases/production/release.yaml"
    described, commit = one.description, refs(scene.app)["refs/heads/main"]
    honest = scene.gitlab.show(scene.manifests, release, BRANCH)
    evil: dict[str, str | None] = {release: honest.replace("sha256:0000", "sha256:eeee")}
    assert evil[release] != honest
    head = refs(scene.manifests)[f"refs/heads/{BRANCH}"]
    # with our own message, proof and all, on the same branch
    message = git(scene.manifests, "log", "-1", "--format=%B", head)
    assert "\nHeadgate-Proof: " in message
    forged = write_commit(scene.manifests.folder, f"refs/heads/{BRANCH}", head, evil, "alice", message)
    moved = scene.push(scene.manifests, {"apps/web/app.yaml": f"{APP}namespace: shops\n"})
    for ended in (scene.pushed(moved), scene.schedule()):
        assert f"{BRANCH} holds a commit that Headgate did not make" in ended.out
    ended = scene.new_version(replicas=3)
    assert ended.code == 0, ended.out
    assert "web in production: held: " in ended.out
    assert refs(scene.manifests)[f"refs/heads/{BRANCH}"] == forged
    assert (scene.requests(), one.description) == ([one], described)
    assert "eeee" not in scene.gitlab.show(scene.manifests, "deploy/dev/web/deployment.apps-web.yaml")
    assert "waits" in scene.statuses(commit)["headgate: production"][1]


@pytest.mark.long
def test_what_was_proposed_with_an_older_token_of_the_bot_is_still_its_own(scene: Scene) -> None:
    scene.hand_off()
    one = scene.the_request()
    scene.token = scene.gitlab.token(scene.bot, "api")
    quiet(scene)
    ended = scene.new_version(replicas=3)
    assert ended.code == 0, ended.out
    assert scene.the_request() is one
    assert "`1.2.0`" in one.description


def tampered(scene: Scene, **record: str) -> MergeRequest:
    """Propose final YAML of one's own, with a record that fits it."""
    folder, name = "deploy/dev/web", "deployment.apps-web.yaml"
    text = scene.gitlab.show(scene.manifests, f"{folder}/{name}").replace("replicas: 2", "replicas: 9") + "\n"
    known = json.loads(scene.gitlab.show(scene.manifests, f"{folder}/.headgate.json"))
    output = output_id(tree_of({f"{folder}/{name}": text.encode()}), folder, tuple(known["files"]))
    forged = json.dumps({**known, "output": output, **record})
    scene.push(scene.manifests, {f"{folder}/{name}": text, f"{folder}/.headgate.json": forged}, branch="evil")
    return open_request(scene.gitlab, scene.manifests, "evil", scene.person)


@pytest.mark.long
def test_a_merge_request_brings_no_yaml_of_its_own_with_a_record_that_fits(scene: Scene) -> None:
    scene.hand_off()
    ended = scene.merge_request(tampered(scene))
    assert ended.code == 0, ended.out
    assert "web in dev: 1 changed" in ended.out
    assert "replicas: 2" in scene.gitlab.show(scene.manifests, "deploy/dev/web/deployment.apps-web.yaml", "evil")


@pytest.mark.long
def test_nor_where_nothing_is_rendered_anew(scene: Scene) -> None:
    scene.hand_off()
    text = f"version: 1\nby: alice\nreason: holidays\nsince: {'a' * 40}\n"
    scene.push(scene.manifests, {"environments/dev/frozen.yaml": text})
    ended = scene.merge_request(tampered(scene, inputs="0" * 64, quick="0" * 64))
    assert ended.code == 20, ended.out
    assert "deploy/dev/web: its final YAML differs from the default branch" in ended.out


REVIEW = "{auto_merge: true, labels: [production], reviewers: [alice, nobody], assignee: alice}"


@pytest.fixture
def merging(tmp_path: Path) -> Iterator[Scene]:
    with make_scene(tmp_path, REVIEW) as made:
        yield made
        assert made.gitlab.executed == []


def last(scene: Scene) -> MergeRequest:
    return scene.manifests.merge_requests[-1]


def test_it_is_merged_when_gitlab_has_found_out_that_it_may_be(merging: Scene) -> None:
    merging.gitlab.unchecked_reads = 2
    ended = merging.hand_off()
    assert ended.code == 0, ended.out
    one = last(merging)
    assert (one.state, one.merged_by) == ("merged", merging.bot)
    assert (one.labels, one.reviewers, one.assignees) == (["production"], [merging.person.id], [merging.person.id])
    assert ended.out.count("no user 'nobody'") == 1
    commit = refs(merging.app)["refs/heads/main"]
    assert merging.statuses(commit)["headgate: production"] == ("success", "deployed to production: 1.1.0")
    assert {one["environment"] for one in merging.app.deployments} == {"dev", "production"}
    quiet(merging)


@pytest.mark.long
def test_a_merge_whose_answer_is_lost_is_merged_once(merging: Scene) -> None:
    merging.gitlab.fail("PUT", "/merge$", 500, after=True)
    ended = merging.hand_off()
    assert ended.code == 0, ended.out
    assert last(merging).state == "merged"
    assert merging.gitlab.subjects(merging.manifests).count(f"Merge branch '{BRANCH}' into 'main'") == 1


@pytest.mark.long
@pytest.mark.parametrize("waits", ["ci_still_running", "not_approved"])
def test_gitlab_is_asked_to_merge_later_what_waits(merging: Scene, waits: str) -> None:
    merging.gitlab.fail("PUT", "/merge$", 405)
    ended = merging.hand_off()
    one = last(merging)
    assert one.state == "opened"
    assert "GitLab did not merge !1 (it may not be merged now; a later run tries again)" in ended.out
    one.blocked = waits
    ended = merging.schedule()
    assert one.auto_merge, ended.out
    assert "!1 is set to auto-merge and waits for" in ended.out
    quiet(merging)


@pytest.mark.long
def test_where_nothing_is_merged_but_by_the_train_it_is_put_on_it(merging: Scene) -> None:
    merging.manifests.must_use_train = True
    ci = "check: {script: [echo fine], rules: [{if: $CI_PIPELINE_SOURCE == 'merge_request_event'}]}\n"
    merging.push(merging.manifests, {".gitlab-ci.yml": ci})
    ended = merging.hand_off()
    assert "!1 is set to auto-merge and waits for its turn in the merge train" in ended.out
    assert (last(merging).state, last(merging).auto_merge) == ("opened", True)
    quiet(merging)


@pytest.mark.long
def test_what_only_people_can_change_is_said_and_left(merging: Scene) -> None:
    merging.gitlab.fail("PUT", "/merge$", 422)
    merging.hand_off()
    last(merging).blocked = "title_regex"
    told = " ".join(merging.schedule().out.split())
    assert "!1 cannot be merged automatically: its title does not match the project's pattern" in told
    assert "Settings > Merge requests > 'Merge request title must match regex'" in told
    assert last(merging).state == "opened"


@pytest.mark.long
def test_what_somebody_else_pushed_is_not_merged_by_itself(merging: Scene) -> None:
    merging.gitlab.fail("PUT", "/merge$", 409)
    merging.hand_off()
    one = last(merging)
    evil = merging.push(merging.manifests, {"deploy/production/web/evil.yaml": "x"}, branch=BRANCH)
    tree = git(merging.manifests, "rev-parse", f"{evil}^{{tree}}")
    who = ("-c", "user.name=alice", "-c", "user.email=alice@example.com")
    forged = git(merging.manifests, *who, "commit-tree", tree, "-p", f"{evil}^^", stdin=WORDS)
    git(merging.manifests, "update-ref", f"refs/heads/{BRANCH}", forged)
    one.sha = forged
    ended = merging.schedule()
    assert "!1 is not merged automatically: nothing proves that Headgate made" in ended.out
    assert one.state == "opened"
    assert not one.auto_merge


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("target", "release"),
        *(pytest.param(*one, marks=pytest.mark.long) for one in (("source", "mine"), ("state", "closed"))),
    ],
)
def test_what_somebody_changes_right_before_the_merge_is_not_merged(
    merging: Scene, monkeypatch: pytest.MonkeyPatch, field: str, value: str
) -> None:
    looked = MergeRequests.newest
    for branch in ("release", "mine"):
        merging.push(merging.manifests, {"README.md": branch}, branch=branch)

    def newest(requests: MergeRequests, number: int) -> Any:
        setattr(last(merging), field, value)
        return looked(requests, number)

    monkeypatch.setattr(MergeRequests, "newest", newest)
    ended = merging.hand_off()
    assert "!1 is not merged automatically: somebody changed it" in ended.out
    assert last(merging).merge_commit is None


@pytest.mark.long
def test_what_is_pushed_right_before_the_merge_is_not_merged(merging: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = GitLab.put

    def put(gitlab: GitLab, path: str, body: Mapping[str, Any]) -> Any:
        if path.endswith("/merge"):
            one = last(merging)
            one.sha = merging.push(merging.manifests, {"deploy/production/web/evil.yaml": "x"}, branch=BRANCH)
        return asked(gitlab, path, body)

    monkeypatch.setattr(GitLab, "put", put)
    ended = merging.hand_off()
    assert "GitLab did not merge !1 (its branch moved meanwhile" in ended.out
    assert last(merging).state == "opened"
    assert git(merging.manifests, "ls-tree", "main", "deploy/production/web/evil.yaml") == ""


@pytest.mark.long
def test_a_schedule_promotes_what_is_due_and_opens_its_merge_request(scene: Scene) -> None:
    ended = scene.hand_off()
    assert ended.code == 0
    merge(scene.gitlab, scene.the_request(), scene.person)
    scene.new_version(replicas=3)
    git(scene.manifests, "update-ref", "-d", f"refs/heads/{BRANCH}")
    scene.manifests.merge_requests.clear()
    text = settings(scene.gitlab.url).replace(
        "production: {takes: {branch: main}", "production: {takes: {promotion: dev, auto: true}"
    )
    scene.push(scene.manifests, {"headgate.yaml": text})
    ended = scene.schedule()
    assert ended.code == 0, ended.out
    assert "`1.1.0` \u2192 `1.2.0`" in scene.the_request().description
    quiet(scene)
