"""Rules of GitLab that the double has, and that no other test would miss."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from support.acme import jobs_path
from support.gitlab import Double, serve_gitlab
from support.gitlab.contract import CONTRACT, check_exchange
from support.gitlab.gitside import git, refs, write_commit
from support.gitlab.modelled import NotModelledError
from support.gitlab.pipelines import make
from support.gitlab.saved import put_back
from support.gitlab.state import DEVELOPER, MAINTAINER, NO_ONE, Project, Protection, User, Variable
from support.gitlab.web import Answer, Request

HEADER = "spec:\n  inputs:\n    image: {default: $NAME/$OTHER}\n---\n"
SAY = HEADER + "say:\n  variables: {IMAGE: '$[[ inputs.image | expand_vars ]]'}\n  script: [echo image=$IMAGE]\n"


@pytest.fixture
def gitlab(tmp_path: Path) -> Iterator[Double]:
    with serve_gitlab(tmp_path / "gitlab", jobs_path(tmp_path)) as double:
        yield double


@pytest.fixture
def dana(gitlab: Double) -> User:
    return gitlab.user("dana")


@pytest.fixture
def project(gitlab: Double, dana: User) -> Project:
    made = gitlab.project("acme/shop", {dana: DEVELOPER})
    made.protected_branches.clear()
    return made


def test_masked_variables_are_not_expanded_in_inputs(gitlab: Double, dana: User, project: Project) -> None:
    project.variables["NAME"] = Variable("registry", masked=False)
    gitlab.push(project, {".gitlab-ci.yml": SAY}, user=dana)
    gitlab.settle()
    assert "image=registry/" in project.pipelines[-1].log
    project.variables["OTHER"] = Variable("secret-one", masked=True)
    gitlab.push(project, {"a": "1"}, user=dana)
    assert project.pipelines[-1].errors == ["variable expansion error: masked variables cannot be expanded"]


def test_wildcards_protect_branches_and_the_most_permissive_rule_counts(
    gitlab: Double, dana: User, project: Project
) -> None:
    project.protected_branches |= {"release/*": Protection(MAINTAINER, MAINTAINER), "*-open": Protection(NO_ONE, 30)}
    gitlab.push(project, {"a": "1"}, user=dana, branch="main")
    with pytest.raises(AssertionError, match="push"):
        gitlab.push(project, {"a": "2"}, user=dana, branch="release/1")
    assert project.protection("main") is None
    both = project.protection("release/1-open")
    assert both
    assert (both.push, both.merge) == (MAINTAINER, DEVELOPER)
    project.protected_branches["release/1-*"] = Protection(DEVELOPER, DEVELOPER)
    gitlab.push(project, {"a": "2"}, user=dana, branch="release/1-open")
    project.pipelines.clear()
    say: dict[str, str | None] = {".gitlab-ci.yml": "say: {script: [echo $CI_COMMIT_REF_PROTECTED]}\n"}
    for branch in ("x", "release/1-open"):
        gitlab.push(project, say, user=dana, branch=branch)
    gitlab.settle()
    assert [one.log.strip() for one in project.pipelines] == ["false", "true"]


def test_a_push_rewrites_what_is_not_protected(gitlab: Double, dana: User, project: Project) -> None:
    project.protected_branches["kept"] = Protection(DEVELOPER, DEVELOPER)
    base = gitlab.push(project, {"a": "1"}, user=dana)
    for branch in ("mine", "kept"):
        gitlab.push(project, {"a": "2"}, user=dana, branch=branch)
    again = gitlab.push(project, {"a": "3"}, user=dana, branch="mine", base=base)
    with pytest.raises(AssertionError, match="not allowed to force push code to a protected branch"):
        gitlab.push(project, {"a": "3"}, user=dana, branch="kept", base=base)
    found = refs(project)
    assert found["refs/heads/mine"] == again
    assert gitlab.show(project, "a", found["refs/heads/kept"]) == "2"


def test_refs_are_where_git_says(gitlab: Double, dana: User, project: Project) -> None:
    gitlab.push(project, {"a": "1"}, user=dana, tag="v1")
    named = ("-c", "user.name=x", "-c", "user.email=x@example.com", "tag", "--annotate", "--message=x")
    git(project, *named, "v2", "main")
    git(project, "pack-refs", "--all")
    git(project, *named, "v3", "main")
    gitlab.push(project, {"a": "2"}, user=dana)
    gitlab.push(project, {"a": "3"}, user=dana, branch="more/deeper")
    git(project, "update-ref", "-d", "refs/tags/v1")
    found = refs(project)
    assert list(found) == git(project, "for-each-ref", "--format=%(refname)").split("\n")
    assert found == {name: git(project, "rev-parse", f"{name}^{{commit}}") for name in found}
    assert len(found) == 4


# --- what is not modelled

SCRIPT = "script: [echo x]"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f"a: {{{SCRIPT}, parallel: {{matrix: [{{A: [x, y]}}]}}}}", "a: parallel: matrix"),
        (f"a: {{{SCRIPT}, rules: [{{changes: {{paths: [x], compare_to: main}}}}]}}", "a: rules: changes: compare_to"),
        (f"a: {{{SCRIPT}, rules: [{{exists: [a]}}]}}", "a: rules: exists"),
        (f"a: {{{SCRIPT}, rules: [{{variables: {{A: b}}}}]}}", "a: rules: variables"),
        (f"a: {{{SCRIPT}, rules: [{{when: delayed, start_in: 1 hour}}]}}", "a: rules: start_in"),
        (f"a: {{{SCRIPT}, when: manual}}", "a: when: manual"),
        (f"a: {{{SCRIPT}, when: on_failure}}", "a: when: on_failure"),
        (f"a: {{{SCRIPT}, only: [main]}}", "a: only"),
        (f"a: {{{SCRIPT}, environment: dev}}", "a: environment"),
        (f"a: {{{SCRIPT}, resource_group: x}}", "a: resource_group"),
        (f"a: {{{SCRIPT}, after_script: [echo y]}}", "a: after_script"),
        (f"a: {{{SCRIPT}, inherit: {{variables: false}}}}", "a: inherit: variables"),
        (f"a: {{{SCRIPT}, variables: {{A: {{value: b, expand: false}}}}}}", "a: variables: A"),
        (f"a: {{{SCRIPT}, artifacts: {{untracked: true}}}}", "a: artifacts: untracked"),
        (f"b: {{{SCRIPT}}}\na: {{{SCRIPT}, needs: [{{job: b, optional: true}}]}}", "a: needs: optional"),
        (f"b: {{{SCRIPT}}}\na: {{{SCRIPT}, needs: [{{project: x, job: b, ref: main}}]}}", "a: needs: project"),
        ("a: {trigger: {include: child.yml}}", "a: trigger: include"),
        ("a: {trigger: {project: x/y, forward: {pipeline_variables: true}}}", "a: trigger:forward: pipeline_variables"),
        (f"workflow: {{auto_cancel: {{on_new_commit: interruptible}}}}\na: {{{SCRIPT}}}", "interruptible"),
        (f"workflow: {{rules: [{{changes: [x]}}]}}\na: {{{SCRIPT}}}", "workflow:rules: changes"),
        (f"include: [{{remote: 'https://example.com/x.yml'}}]\na: {{{SCRIPT}}}", "include: remote"),
        (f"include: x.yml\na: {{{SCRIPT}}}", "an include that is a text"),
        (f"spec: {{inputs: {{a: {{default: b, hidden: true}}}}}}\n---\na: {{{SCRIPT}}}", "spec:inputs:a: hidden"),
        (f"spec: {{inputs: {{a: {{rules: [{{default: b}}]}}}}}}\n---\na: {{{SCRIPT}}}", "spec:inputs:a: rules"),
    ],
)
def test_what_is_not_modelled_is_refused_by_name(
    gitlab: Double, dana: User, project: Project, text: str, what: str
) -> None:
    write_commit(project.folder, "refs/heads/main", "", {".gitlab-ci.yml": f"{text}\n"}, "dana", "Begin")
    with pytest.raises(NotModelledError, match="the double does not model") as raised:
        make(gitlab, project, "main", "web", dana)
    assert what in str(raised.value)


@pytest.mark.parametrize("path", ["groups/7/members", "projects/{}/merge_trains", "projects/{}/share", "projects/{}/x"])
def test_a_call_that_is_not_modelled_is_no_404(tmp_path: Path, path: str) -> None:
    """What asks for members of groups, merge trains or groups that are let in would take a 404 for GitLab's word."""
    with pytest.raises(AssertionError, match="the double does not model GET"), serve_gitlab(tmp_path) as double:  # noqa: PT012
        dana = double.user("dana")
        project = double.project("acme/shop", {dana: DEVELOPER})
        token = {"Private-Token": double.token(dana, "api")}
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{double.url}/api/v4/{path.format(project.id)}", headers=token, timeout=30)


def test_a_call_that_is_newer_than_the_version_is_a_404(gitlab: Double, dana: User, project: Project) -> None:
    gitlab.push(project, {".gitlab-ci.yml": f"a: {{{SCRIPT}}}\n"}, user=dana)
    (pipeline,) = project.pipelines
    address = f"{gitlab.url}/api/v4/projects/{project.id}/pipelines/{pipeline.id}/trigger_jobs"
    found = []
    for gitlab.version in ("19.1.0", "19.2.0"):
        found.append(
            requests.get(address, headers={"Private-Token": gitlab.token(dana, "api")}, timeout=30).status_code
        )
    assert found == [404, 200]


# --- jobs side by side


@pytest.mark.long
def test_jobs_of_a_stage_run_side_by_side_and_one_that_fails_ends_none_of_them(
    gitlab: Double, dana: User, project: Project, tmp_path: Path
) -> None:
    """Each of the two waits for the other: one after another they would never end."""
    meet = "for i in $(seq 100); do [ -e {there} ] && exit {code}; sleep 0.1; done; exit 9"
    marks = {name: tmp_path / name for name in ("a", "b")}
    text = "stages: [test, deploy]\n"
    for name, other, code in (("a", "b", 1), ("b", "a", 0)):
        text += f"{name}: {{script: ['touch {marks[name]}', '{meet.format(there=marks[other], code=code)}']}}\n"
    text += f"after: {{stage: deploy, {SCRIPT}}}\nat once: {{stage: deploy, needs: [b], {SCRIPT}}}\n"
    gitlab.push(project, {".gitlab-ci.yml": text}, user=dana)
    gitlab.settle()
    (ran,) = project.pipelines
    assert {job.name: job.status for job in ran.jobs} == {
        "a": "failed",
        "b": "success",
        "after": "skipped",
        "at once": "success",
    }
    assert ran.status == "failed"


# --- shared by several tests


def test_what_a_test_does_is_taken_back(gitlab: Double, dana: User, project: Project) -> None:
    gitlab.push(project, {"a": "1"}, user=dana)
    project.protected_branches["main"] = Protection(MAINTAINER, MAINTAINER)
    project.variables["A"] = Variable("secret-one")
    before = (refs(project), gitlab.version, list(gitlab.tokens), list(project.events))
    with put_back(gitlab):
        gitlab.version = "19.3.0"
        project.protected_branches["main"].push = DEVELOPER
        project.variables["A"].value = "another-one"
        project.members[gitlab.user("max").id] = MAINTAINER
        for branch in ("main", "x"):
            gitlab.push(project, {"a": "2"}, user=dana, branch=branch)
        assert refs(project) != before[0]
    assert (refs(project), gitlab.version, gitlab.tokens, project.events) == before
    assert (gitlab.users, project.members) == ([dana], {dana.id: DEVELOPER})
    assert project.protected_branches["main"].push == MAINTAINER
    assert project.variables["A"].value == "secret-one"


@pytest.mark.skipif(not CONTRACT, reason="GitLab's OpenAPI document is not here")
@pytest.mark.parametrize(
    ("request_line", "body", "answer", "told"),
    [
        ("GET merge_requests?state=opened&per_page=5", b"", [{"iid": 1, "title": None}], ""),
        ("GET merge_request", b"", [], "GitLab's document has no such path"),
        ("DELETE merge_requests", b"", None, "GitLab's document has no such method"),
        ("GET merge_requests?status=opened", b"", [], "no parameter status"),
        ("GET merge_requests?state=open", b"", [], "state: 'open' is not one of ['opened', 'closed'"),
        ("GET merge_requests?author_id=me", b"", [], "author_id: 'me' is not of type 'integer'"),
        ("GET merge_requests?created_after=today", b"", [], "created_after: 'today' is not a 'date-time'"),
        ("GET merge_requests", b"", [{"number": 1}], "0: Additional properties are not allowed ('number' was"),
        ("GET merge_requests", b"", [{"iid": "1"}], "0.iid: '1' is not of type 'integer'"),
        ("POST merge_requests", b'{"source_branch": "a", "target_branch": "b"}', {}, "'title' is a required property"),
        (
            "POST merge_requests",
            b'{"source_branch": "a", "target_branch": "b", "title": 1}',
            {},
            "title: 1 is not of type 'string'",
        ),
    ],
)
def test_what_breaks_gitlabs_contract_is_told(request_line: str, body: bytes, answer: object, told: str) -> None:
    method, _, path = request_line.partition(" ")
    where, _, query = path.partition("?")
    headers = {"content-type": "application/json"}
    asked = Request(method, f"/api/v4/projects/7/{where}", {}, headers, body, query)
    found = check_exchange(asked, Answer(200, answer))
    assert len(found) == bool(told), found
    assert all(told in one for one in found)
