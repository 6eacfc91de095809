"""``headgate doctor``: every wrong setting is found, said with its way out, and nothing is said that is not known."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headgate.doctor import CHECKS
from headgate.report.terminal import WIDTH
from support.answers import Answers, serve_answers
from support.cli import Ran, headgate
from support.engines import unlocked
from support.manifests import make_empty

TOKEN = "glpat-0123456789abcdef0123"
M, DOOR, A = "acme/manifests", "acme/manifests-intake", "acme/shop"
MAINTAINERS = {"id": 1, "access_level": 40, "access_level_description": "Maintainers"}
DEVELOPERS = {"id": 2, "access_level": 30, "access_level_description": "Developers + Maintainers"}
OWNERS = {"id": 4, "access_level": 50, "access_level_description": "Owners"}
NO_ONE = {"id": 3, "access_level": 0, "access_level_description": "No one"}
NOT_SEEN = (404, {"message": "404 Project Not Found"})


def rule(push: list[Any], merge: list[Any], **more: Any) -> dict[str, Any]:
    """Return a protected branch as GitLab shows it."""
    return {"id": 1, "name": "main", "push_access_levels": push, "merge_access_levels": merge, **more}


def variable(key: str, **more: Any) -> dict[str, Any]:
    """Return a variable as GitLab shows it: hidden, so without its value."""
    flags = {"variable_type": "env_var", "value": None, "protected": True, "masked": True, "hidden": True}
    return {"key": key, **flags, **more}


@dataclass
class Installation:
    """An installation in which nothing is wrong, until a test says otherwise."""

    gitlab: Answers
    repo: Path
    setup: str

    def set(self, path: str, content: Any, status: int = 200) -> None:
        """Let GitLab answer something else."""
        self.gitlab.set(f"GET {path}", status, content)

    def change(self, project: str, **facts: Any) -> None:
        """Change settings of a project."""
        answer = self.gitlab.prepared[f"GET /projects/{project}"]
        assert isinstance(answer, tuple)
        self.set(f"/projects/{project}", {**answer[1], **facts})

    def let_others_push(self) -> None:
        """Let jobs of another project push."""
        self.change(M, ci_cross_project_push_for_job_token_allowed=True)
        self.set(f"/projects/{M}/job_token_scope/allowlist", [{"path_with_namespace": A}])

    def doctor(self, *args: str) -> Ran:
        """Run the doctor."""
        return headgate("doctor", "--manifests", str(self.repo), "--setup", self.setup, *args)

    def findings(self) -> dict[tuple[str, str], list[dict[str, str]]]:
        """Return what the doctor finds, by check and state."""
        ran = self.doctor("--json")
        found: dict[tuple[str, str], list[dict[str, str]]] = {}
        for one in json.loads(ran.out)["findings"]:
            found.setdefault((one["check"], one["state"]), []).append(one)
        wrong = any(state == "wrong" for _, state in found)
        assert ran.code == (1 if wrong else 0)
        return found

    def wrong(self) -> list[dict[str, str]]:
        """Return what is wrong."""
        return [one for (_, state), some in self.findings().items() if state == "wrong" for one in some]


def answer_for(gitlab: Answers, project: str, **facts: Any) -> None:
    """Prepare a project that is set as it must be."""
    at = f"GET /projects/{project}"
    shown = {
        "id": 5, "path_with_namespace": project, "default_branch": "main", "ci_config_path": "",
        "ci_pipeline_variables_minimum_override_role": "no_one_allowed",
        "ci_push_repository_for_job_token_allowed": False, "auto_cancel_pending_pipelines": "enabled",
        "container_registry_image_prefix": f"127.0.0.1.example.com/{project}",
    }  # fmt: skip
    gitlab.set(at, 200, {**shown, **facts})
    gitlab.set(f"{at}/protected_branches", 200, [rule([MAINTAINERS], [MAINTAINERS])])
    people = [("ada", 50, "active"), ("bot", 40, "active"), ("gone", 50, "blocked"), ("eve", 30, "active")]
    members = [
        {"id": number, "username": name, "access_level": level, "state": state}
        for number, (name, level, state) in enumerate(people, 1)
    ]
    gitlab.set(f"{at}/members/all", 200, members)
    gitlab.set(f"{at}/variables", 200, [variable("HEADGATE_TOKEN")])
    gitlab.set(f"{at}/protected_tags", 200, [{"name": "v*", "create_access_levels": [MAINTAINERS]}])
    gitlab.set(f"{at}/triggers", 200, [{"id": 1, "token": "glpt", "owner": {"id": 2, "username": "bot"}}])
    gitlab.set(f"{at}/job_token_scope", 200, {"inbound_enabled": True, "outbound_enabled": False})
    gitlab.set(f"{at}/job_token_scope/allowlist", 200, [{"id": 5, "path_with_namespace": project}])
    gitlab.set(f"{at}/job_token_scope/groups_allowlist", 200, [])
    gitlab.set(
        f"{at}/pipeline_schedules", 200, [{"id": 1, "ref": "refs/heads/main", "cron": "0 3 * * *", "active": True}]
    )


def install(gitlab: Answers, folder: Path, setup: str) -> Installation:
    """Set an installation up as ``headgate init`` says."""
    make_empty(folder)
    made = headgate(
        *("init", str(folder), "--server", gitlab.url, "--project", M, "--setup", setup),
        *("--registry", "127.0.0.1.example.com"),
    )
    assert made.code == 0, made.err
    gitlab.set("GET /version", 200, {"version": "18.10.0-ee", "revision": "abc"})
    answer_for(gitlab, M)
    answer_for(gitlab, A)
    gitlab.set(f"GET /projects/{A}/variables", 200, [variable("HEADGATE_TRIGGER_TOKEN")])
    runs_in = M
    if setup == "direct":
        answer_for(gitlab, M, ci_push_repository_for_job_token_allowed=True)
        gitlab.set(f"GET /projects/{M}/protected_branches", 200, [rule([DEVELOPERS], [DEVELOPERS])])
    if setup == "intake":
        runs_in = DOOR
        answer_for(gitlab, DOOR, ci_config_path=f"intake.gitlab-ci.yml@{M}")
        gitlab.set(f"GET /projects/{DOOR}/protected_branches", 200, [rule([NO_ONE], [DEVELOPERS])])
    gitlab.set(f"GET /projects/{A}/job_token_scope/allowlist", 200, [{"id": 9, "path_with_namespace": runs_in}])
    return Installation(gitlab, folder, setup)


@pytest.fixture
def gitlab() -> Iterator[Answers]:
    with serve_answers() as answers:
        yield answers


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_TOKEN", TOKEN)


@pytest.fixture(params=["direct", "intake", "token"])
def installation(request: pytest.FixtureRequest, gitlab: Answers, tmp_path: Path) -> Installation:
    return install(gitlab, tmp_path, request.param)


@pytest.fixture
def intake(gitlab: Answers, tmp_path: Path) -> Installation:
    return install(gitlab, tmp_path, "intake")


@pytest.fixture
def direct(gitlab: Answers, tmp_path: Path) -> Installation:
    return install(gitlab, tmp_path, "direct")


def test_nothing_is_wrong_in_what_init_asks_for(installation: Installation) -> None:
    ran = installation.doctor()
    assert ran.code == 0, ran.out
    states = {line[:12].strip() for line in ran.out.splitlines() if line and not line.startswith(" ")}
    assert "wrong" not in states
    assert "cannot tell" not in states
    asked = {one.headers.get("PRIVATE-TOKEN") for one in installation.gitlab.asked}
    assert asked == {TOKEN}
    assert TOKEN not in ran.out + ran.err


def test_every_check_says_something(intake: Installation) -> None:
    names = {check for check, _ in intake.findings()}
    # Some speak up only where there is something. 'sandbox' is of this machine.
    silent = ["visible", "two_users", "mirrors", "titles", "live_tokens", "writer", "reporter", "triggers"]
    silent += ["reviewers", "approvals", "approvers", "unapproved", "pipelines", "trains", "squash", "images"]
    assert set(silent) <= {check.__name__ for check in CHECKS}
    assert len(names - {"sandbox"}) == len(CHECKS) - len(silent)


@pytest.mark.parametrize(
    ("locked", "sandbox", "state", "told"),
    [
        (True, "required", "ok", "the engine locks itself in (seccomp)"),
        (True, "optional", "ok", "the engine locks itself in (seccomp)"),
        (False, "required", "wrong", "cannot lock itself in (switched off), so apps' files are refused"),
        (False, "optional", "cannot tell", "(switched off), and headgate.yaml says 'sandbox: optional'"),
    ],
)
def test_it_says_whether_the_engine_is_locked_in(
    intake: Installation, monkeypatch: pytest.MonkeyPatch, *, locked: bool, sandbox: str, state: str, told: str
) -> None:
    path = intake.repo / "headgate.yaml"
    path.write_text(f"{path.read_text()}\nsandbox: {sandbox}\n")
    with nullcontext() if locked else unlocked(monkeypatch, intake.repo / "tools"):
        ran = intake.doctor()
        (found,) = intake.findings()["sandbox", state]
    assert told in found["told"]
    assert ran.code == (1 if state == "wrong" else 0)
    assert ("sandbox: optional" in found["hint"]) == (state == "wrong")


def test_it_names_who_could_push_past_the_review(installation: Installation) -> None:
    found = installation.findings()["who may push", "ok"]
    if installation.setup == "direct":
        assert found[0]["told"] == "Developers and above (ada, bot, eve) may bypass the review by a push"
    else:
        assert found[0]["told"] == "Maintainers and above (ada, bot) may bypass the review by a push"


WRONG: list[tuple[str, Callable[[Installation], object], str, str, str]] = [
    ("version", lambda on: on.set("/version", {"version": "18.9.9"}), "", "18.9.9 is too old", "18.10 or newer"),
    *(
        (
            *("pipeline variables", lambda on, role=role, at=at: on.change(at, **{ROLE: role})),
            *(at, f"the role {role} may set", "No one allowed"),
        )
        for at in (M, DOOR)
        for role in ("developer", "maintainer", "owner")
    ),
    (
        *("protected branch", lambda on: on.set(f"/projects/{M}/protected_branches", []), M),
        *("main is not protected", "Settings > Repository > Protected branches"),
    ),
    (
        "protected branch",
        lambda on: on.set(f"/projects/{M}/protected_branches", [{**rule([MAINTAINERS], []), "name": "release/*"}]),
        *(M, "main is not protected", ""),
    ),
    (
        "protected branch",
        lambda on: on.set(f"/projects/{M}/protected_branches", [rule([], [], allow_force_push=True)]),
        *(M, "allows force pushes", "'Allowed to force push': off"),
    ),
    (
        "who may push",
        lambda on: on.set(f"/projects/{M}/protected_branches", [rule([DEVELOPERS], [MAINTAINERS])]),
        *(M, "Developers and above (ada, bot, eve) may bypass the review by a push", "'Allowed to push and merge'"),
    ),
    (
        "who may push",
        lambda on: on.set(
            f"/projects/{M}/protected_branches",
            [rule([MAINTAINERS], []), {**rule([DEVELOPERS], []), "name": "ma*"}],  # a pattern that allows more
        ),
        *(M, "Developers and above", ""),
    ),
    (
        "who may push",
        lambda on: on.set(
            f"/projects/{M}/protected_branches",
            [rule([{"access_level": 40, "access_level_description": "laptop", "deploy_key_id": 4}], [])],
        ),
        *(M, "the deploy key 'laptop' may bypass the review by a push", ""),
    ),
    (
        "who may merge",
        lambda on: on.set(f"/projects/{M}/protected_branches", [rule([MAINTAINERS], [DEVELOPERS])]),
        *(M, "Developers and above (ada, bot, eve) may merge, their own", "'Allowed to merge'"),
    ),
    (
        "push by jobs",
        lambda on: on.let_others_push(),
        *(M, "jobs of projects on its allowlist may bypass the review by a push: acme/shop", "cross-project"),
    ),
    *(
        (
            "tokens",
            lambda on, at=at: on.set(f"/projects/{at}/variables", [variable("HEADGATE_TOKEN", protected=False)]),
            *(at, "HEADGATE_TOKEN is shown to every branch", "'Protect variable' on, and make a new token"),
        )
        for at in (M, DOOR)
    ),
    (
        "tokens",
        lambda on: on.set(f"/projects/{M}/variables", [variable("HEADGATE_READ_TOKEN", masked=False, hidden=False)]),
        *(M, "HEADGATE_READ_TOKEN is not masked", "'Masked and hidden'"),
    ),
    (
        "tokens",
        lambda on: on.set(f"/projects/{M}/variables", [variable("HEADGATE_BRANCH_TOKEN")]),
        *(M, "HEADGATE_BRANCH_TOKEN is protected, so pipelines of merge requests", "'Protect variable' off"),
    ),
    (
        "job token allowlist",
        lambda on: on.set(f"/projects/{M}/job_token_scope", {"inbound_enabled": False}),
        *(M, "jobs of every project may use their tokens here", "Only this project"),
    ),
    (
        "job token allowlist",
        lambda on: on.set(f"/projects/{A}/job_token_scope/allowlist", [{"path_with_namespace": A}]),
        *(A, f"jobs of {DOOR} may not read it", f"add {DOOR}"),
    ),
    (
        "auto-cancel",
        lambda on: (on.repo / ".gitlab-ci.yml").write_text("spec:\n  inputs: {}\n---\nworkflow: {rules: []}\n"),
        *(M, "cancels hand-offs that wait", "on_new_commit: none"),
    ),
    (
        "auto-cancel",
        lambda on: (on.repo / "intake.gitlab-ci.yml").write_text("build: {script: [make]}\n"),
        *(DOOR, "cancels hand-offs that wait", "in intake.gitlab-ci.yml"),
    ),
    (
        "registry",
        lambda on: on.change(M, container_registry_image_prefix="images.example.com/acme/manifests"),
        *(M, "GitLab says images.example.com", "registry: images.example.com"),
    ),
    (
        "schedule",
        lambda on: on.set(f"/projects/{M}/pipeline_schedules", [{"ref": "main", "active": False}]),
        *(M, "nothing is verified", "Build > Pipeline schedules"),
    ),
    ("schedule", lambda on: on.set(f"/projects/{M}/pipeline_schedules", []), M, "no pipeline of main runs", ""),
    (
        *("intake", lambda on: on.change(DOOR, ci_config_path=""), DOOR),
        *("which its own people can change", f"intake.gitlab-ci.yml@{M}"),
    ),
    (
        *("intake", lambda on: on.change(DOOR, ci_config_path=f"intake.gitlab-ci.yml@{A}"), DOOR),
        *("which its own people can change", ""),
    ),
    (
        "intake",
        lambda on: on.set(f"/projects/{DOOR}/protected_branches", [rule([MAINTAINERS], [MAINTAINERS])]),
        *(DOOR, "no app can hand off", "Developers + Maintainers"),
    ),
    (
        "intake",
        lambda on: on.set(
            f"/projects/{DOOR}/members/all", [{"id": 4, "username": "eve", "access_level": 40, "state": "active"}]
        ),
        *(DOOR, "eve can change its settings, and so use HEADGATE_TOKEN", f"who have it in {M}"),
    ),
    (
        "visible",
        lambda on: on.set(f"/projects/{DOOR}", NOT_SEEN[1], 404),
        DOOR,
        "there is no such project",
        "a role there",
    ),
]
ROLE = "ci_pipeline_variables_minimum_override_role"


def in_one_line(text: str) -> str:
    """Return a text without its line breaks."""
    return " ".join(text.split())


@pytest.mark.parametrize(("check", "spoil", "project", "told", "hint"), WRONG)
def test_what_is_wrong_is_found(
    intake: Installation, check: str, spoil: Callable[[Installation], object], project: str, told: str, hint: str
) -> None:
    spoil(intake)
    (found,) = [one for one in intake.wrong() if told in one["told"]]
    assert (found["check"], found["project"]) == (check, project)
    assert hint in found["hint"]
    assert found["hint"]
    ran = intake.doctor()
    assert ran.code == 1
    assert f"wrong       {check}: " in ran.out
    assert found["hint"] in in_one_line(ran.out)
    assert all(len(line) <= WIDTH for line in ran.out.splitlines())


@pytest.mark.long
@pytest.mark.parametrize(
    ("path", "checks"),
    [
        (f"/projects/{M}/protected_branches", {"protected branch", "records"}),
        (f"/projects/{M}/members/all", {"intake", "who hands off"}),
        (f"/projects/{A}/members/all", {"who hands off"}),
        (f"/projects/{A}/protected_branches", {"protected refs", "who hands off"}),
        (f"/projects/{M}/variables", {"tokens"}),
        (f"/projects/{A}/job_token_scope/allowlist", {"job token allowlist"}),
        (f"/projects/{A}/job_token_scope", {"job token allowlist"}),
        (f"/projects/{M}/pipeline_schedules", {"schedule"}),
        (f"/projects/{A}", {"visible"}),
    ],
)
@pytest.mark.parametrize("status", [403, 404])
def test_what_the_token_may_not_see_is_not_guessed(
    intake: Installation, path: str, checks: set[str], status: int
) -> None:
    intake.set(path, {"message": "no"}, status)
    found = intake.findings()
    assert {check for check, state in found if state == "cannot tell"} == checks
    assert not [check for check, state in found if state == "wrong"]


def test_a_token_of_a_developer_is_told_little(intake: Installation) -> None:
    """GitLab leaves a project's CI settings out for who may not change them."""
    for project in (M, DOOR):
        intake.set(f"/projects/{project}", {"id": 5, "path_with_namespace": project, "default_branch": "main"})
    unknown = {check for check, state in intake.findings() if state == "cannot tell"}
    assert {"pipeline variables", "push by jobs", "registry", "intake"} <= unknown


def test_a_read_token_reads_the_apps(intake: Installation) -> None:
    intake.set(f"/projects/{A}/job_token_scope/allowlist", [])
    intake.set(f"/projects/{DOOR}/variables", [variable("HEADGATE_TOKEN"), variable("HEADGATE_READ_TOKEN")])
    assert intake.wrong() == []


def test_a_group_on_the_allowlist_counts(intake: Installation) -> None:
    intake.set(f"/projects/{A}/job_token_scope/allowlist", [])
    intake.set(f"/projects/{A}/job_token_scope/groups_allowlist", [{"id": 2, "full_path": "acme", "path": "acme"}])
    assert intake.wrong() == []
    intake.set(f"/projects/{A}/job_token_scope/groups_allowlist", [{"id": 2, "full_path": "ac", "path": "ac"}])
    assert len(intake.wrong()) == 1


@pytest.mark.long
def test_a_mirror_must_be_protected_as_the_default_branch_is(installation: Installation) -> None:
    """A cluster runs what is pushed there: https://docs.gitlab.com/user/project/repository/branches/protected/."""
    path, rules = installation.repo / "headgate.yaml", f"/projects/{M}/protected_branches"
    own = installation.gitlab.prepared[f"GET {rules}"]
    assert isinstance(own, tuple)
    text = path.read_text()
    path.write_text(
        text.replace(
            "    delivery: review\n", "    delivery: review\n    output: {mirror: {branch: 'env/{environment}'}}\n"
        )
    )
    assert path.read_text() != text
    (found,) = installation.wrong()
    assert (found["check"], found["project"]) == ("mirrors", M)
    assert found["told"].startswith(
        "the mirror env/production is not protected: whatever a Developer pushes there runs"
    )
    installation.set(rules, [*own[1], {**rule([MAINTAINERS], []), "name": "env/*"}])
    assert installation.wrong() == []
    assert ("mirrors", "ok") in installation.findings()
    installation.set(rules, [*own[1], {**rule([DEVELOPERS], []), "name": "env/*"}])
    told = [one["told"] for one in installation.wrong()]
    assert ["may push to the mirror env/production" in one for one in told] == [True] * (installation.setup != "direct")
    installation.set(rules, {"message": "no"}, 403)
    assert ("mirrors", "cannot tell") in installation.findings()


@pytest.mark.long
def test_what_is_pending_needs_a_branch_that_the_bot_may_push(installation: Installation) -> None:
    path, rules = installation.repo / "headgate.yaml", f"/projects/{M}/protected_branches"
    own = installation.gitlab.prepared[f"GET {rules}"]
    assert isinstance(own, tuple)
    nobody = {"access_level": 0, "access_level_description": "No one"}
    closed = [{**one, "push_access_levels": [nobody]} for one in own[1]]
    installation.set(rules, closed)
    (found,) = [one for one in installation.wrong() if one["check"] == "records"]
    assert found["told"] == "nobody may push main, so what is pending cannot be stored there"
    assert "'records: branch' in headgate.yaml" in found["hint"]
    path.write_text(path.read_text() + "records: branch\n")
    (found,) = [one for one in installation.wrong() if one["check"] == "records"]
    assert found["told"].startswith("headgate/_state is not protected")
    installation.set(rules, [*closed, {**rule([MAINTAINERS], []), "name": "headgate/_state"}])
    assert ("records", "ok") in installation.findings()


@pytest.mark.long
@pytest.mark.parametrize(
    ("proofs", "state", "words"),
    [
        ("trigger-jobs, id-token", "ok", "hand-offs are proved by"),
        ("trigger-jobs", "by setup", "id-token does not count"),
        ("id-token", "by setup", "trigger-jobs or upstream does not count"),
        ("upstream", "wrong", ""),
    ],
)
def test_what_proves_the_sender_must_count(installation: Installation, proofs: str, state: str, words: str) -> None:
    path = installation.repo / "headgate.yaml"
    path.write_text(re.sub(r"(\ngitlab:.*\n(  .*\n)*)", rf"\1  proofs: [{proofs}]\n", f"\n{path.read_text()}"))
    found = [one for ones in installation.findings().values() for one in ones if one["check"] == "proof of sender"]
    assert len(found) == 1
    fits = (installation.setup == "token") == (proofs == "id-token")
    expected = ("ok" if fits else "wrong") if state == "by setup" else state
    assert found[0]["state"] == expected, found
    if expected == state or not fits:
        assert words in found[0]["told"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("pattern", "state"), [("^(Deliver|Hydrate) ", "ok"), ("^[A-Z]+-[0-9]+: ", "wrong"), ("(?P<", "cannot tell")]
)
def test_titles_must_fit_what_the_project_merges(installation: Installation, pattern: str, state: str) -> None:
    installation.change(M, merge_request_title_regex=pattern)
    assert ("merge request titles", state) in installation.findings()
    if state == "wrong":
        path = installation.repo / "headgate.yaml"
        path.write_text(f"{path.read_text()}commits: {{message: 'OPS-1: {{action}} {{apps}}'}}\n")
        assert ("merge request titles", "ok") in installation.findings()


@pytest.mark.long
def test_two_tokens_of_one_user_are_told_where_their_values_are_shown(installation: Installation) -> None:
    installation.set("/user", {"id": 7, "username": "bot"})
    two = [variable("HEADGATE_TOKEN"), variable("HEADGATE_BRANCH_TOKEN", protected=False)]
    installation.set(f"/projects/{M}/variables", two)
    assert not [one for one in installation.wrong() if "same user" in one["told"]], "hidden, as they should be"
    installation.set(f"/projects/{M}/variables", [{**one, "value": f"s3cret-{one['key']}"} for one in two])
    (found,) = [one for one in installation.wrong() if "same user" in one["told"]]
    assert found["told"] == "HEADGATE_BRANCH_TOKEN and HEADGATE_TOKEN belong to the same user"
    assert "s3cret" not in installation.doctor().out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"protected_branches": [rule([OWNERS], [OWNERS])]}, "the branch main"),
        pytest.param(
            {"protected_tags": [{"name": "v*", "create_access_levels": [OWNERS]}]}, "the tag v*", marks=pytest.mark.long
        ),
    ],
)
def test_whose_statuses_gitlab_refuses_is_named(intake: Installation, change: dict[str, Any], words: str) -> None:
    path = intake.repo / "headgate.yaml"
    path.write_text(
        path.read_text().replace("takes: {branch: main}", "takes: [{branch: main}, {tag: 'v*', order: semver}]")
    )
    intake.set("/user", {"id": 2, "username": "bot"})
    intake.set(f"/projects/{DOOR}/variables", [variable("HEADGATE_TOKEN", value="s3cret-token")])
    told = [one["told"] for one in intake.findings()["the bot", "ok"] if one["project"] == A]
    assert told == ["the user of HEADGATE_TOKEN may set statuses of its commits"]
    for name, answer in change.items():
        intake.set(f"/projects/{A}/{name}", answer)
    (lacking,) = [one["told"] for one in intake.findings()["the bot", "ok"] if one["project"] == A]
    assert f"the user of HEADGATE_TOKEN may not update {words} (Settings > Repository > Protected branches" in lacking
    assert json.loads(intake.doctor("--json").out)["hand_offs"] == "ok"


@pytest.mark.parametrize(
    ("named", "stopped"),
    [({"user_id": 4}, False), ({"user_id": 2}, True), ({"group_id": 9}, False), ({"deploy_key_id": 7}, True)],
)
def test_who_is_named_by_a_rule_needs_no_role(intake: Installation, named: dict[str, int], *, stopped: bool) -> None:
    """With Premium an entry is for somebody; it has a level all the same, which is nobody else's."""
    intake.set(f"/projects/{A}/protected_branches", [rule([DEVELOPERS], [DEVELOPERS])])
    entry = {"id": 9, "access_level": 40, "access_level_description": "somebody", **named}
    intake.set(f"/projects/{DOOR}/protected_branches", [rule([NO_ONE], [entry])])
    found = [one for one in intake.wrong() if one["check"] == "who hands off"]
    assert [one["told"] for one in found if "eve" in one["told"]] == [
        "eve may not run pipelines of acme/manifests-intake on main, so what eve merges in acme/shop is not handed off"
    ] * stopped


@pytest.mark.long
@pytest.mark.parametrize(
    ("status", "words", "state"),
    [(401, "HEADGATE_TOKEN is expired, revoked or mistyped", "wrong"), (403, "lacks the scope api", "wrong")],
)
def test_a_token_that_is_none_any_more_stops_hand_offs(
    intake: Installation, status: int, words: str, state: str
) -> None:
    assert json.loads(intake.doctor("--json").out)["hand_offs"] == "ok"
    assert intake.doctor().out.endswith("hand-offs go through\n")
    intake.set("/user", {"message": "no"}, status)
    intake.set(f"/projects/{DOOR}/variables", [variable("HEADGATE_TOKEN", value="s3cret-token")])
    assert words in " ".join(one["told"] for one in intake.wrong())
    assert json.loads(intake.doctor("--json").out)["hand_offs"] == state
    ran = intake.doctor()
    assert ran.out.endswith("hand-offs do not go through\n")
    assert "s3cret" not in ran.out


def test_a_fine_grained_token_that_says_nothing_of_itself_is_not_called_useless(intake: Installation) -> None:
    intake.set("/user", {"error": "insufficient_granular_scope", "error_description": "requires [User: Read]"}, 403)
    intake.set(f"/projects/{DOOR}/variables", [variable("HEADGATE_TOKEN", value="s3cret-token")])
    (found,) = intake.findings()["tokens", "cannot tell"]
    assert "HEADGATE_TOKEN is fine-grained and may not read its own user" in found["told"]
    assert "User: Read" in found["hint"]
    assert json.loads(intake.doctor("--json").out)["hand_offs"] == "ok"


def test_windows_need_a_schedule(installation: Installation) -> None:
    path = installation.repo / "headgate.yaml"
    window = "windows: {days: mon-thu, from: '09:00', to: '16:00'}"
    path.write_text(path.read_text().replace("    delivery: review\n", f"    delivery: review\n    {window}\n"))
    assert ("schedule", "ok") in installation.findings()
    installation.set(f"/projects/{M}/pipeline_schedules", [])
    (found,) = installation.wrong()
    assert found["told"].endswith("versions held by the windows of production wait for the next push")


def test_direct_needs_that_jobs_push(direct: Installation) -> None:
    direct.change(M, ci_push_repository_for_job_token_allowed=False)
    assert direct.wrong() == []  # the bot does
    direct.set(f"/projects/{M}/variables", [])
    (found,) = direct.wrong()
    assert found["check"] == "push by jobs"
    assert "'Allow Git push requests to the repository'" in found["hint"]


def test_a_missing_bot_may_be_a_groups(intake: Installation) -> None:
    intake.set(f"/projects/{DOOR}/variables", [])
    (found,) = intake.findings()["tokens", "cannot tell"]
    assert found["told"] == "HEADGATE_TOKEN is not among its variables; a group may give it"


def test_without_a_set_up_it_is_strict(direct: Installation) -> None:
    ran = headgate("doctor", "--manifests", str(direct.repo))
    assert ran.code == 1
    assert "if these people are trusted with this repository: --setup direct" in in_one_line(ran.out)


def test_without_a_checkout_it_asks_for_what_is_named(intake: Installation, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    args = ("doctor", "--manifests", str(empty), "--setup", "intake", "--server", intake.gitlab.url, "--project", M)
    ran = headgate(*args, "--intake", DOOR)
    assert ran.code == 0, ran.out
    assert "cannot tell auto-cancel: acme/manifests: .gitlab-ci.yml not found" in in_one_line(ran.out)
    nothing = headgate("doctor", "--manifests", str(empty))
    assert nothing.code == 10
    assert "--server URL --project PATH" in nothing.err


def test_the_token_comes_from_a_variable(intake: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADGATE_TOKEN")
    ran = intake.doctor()
    assert ran.code == 10
    assert "HEADGATE_TOKEN is not set" in ran.err
    monkeypatch.setenv("MINE", TOKEN)
    assert intake.doctor("--token-env", "MINE").code == 0


def test_a_token_that_is_none(intake: Installation) -> None:
    intake.set("/version", {"message": "401 Unauthorized"}, 401)
    ran = intake.doctor()
    assert ran.code == 28
    assert "the token is wrong, expired or revoked" in ran.err
    assert TOKEN not in ran.err


def test_another_project_than_headgate_yaml_names(intake: Installation) -> None:
    answer_for(intake.gitlab, "acme/other")
    ran = intake.doctor("--project", "acme/other", "--intake", DOOR)
    assert "wrong headgate.yaml: acme/other: headgate.yaml is of acme/manifests" in in_one_line(ran.out)
