"""``headgate hand-off``: a trigger token starts the other side, and never shows."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator

import pytest

from headgate.commands import hand_off
from headgate.errors import ConfigError, GitLabError, HeadgateError, RefusedError, UntrustedError
from headgate.gitlab.claim import parse_claim
from support.answers import Answers, serve_answers

COMMIT = "3f" * 20
SECRET = "glptt-0123456789abcdef0123"
IMAGE = "registry.example.com/acme/shop"
TRIGGER = "POST /projects/acme/manifests/trigger/pipeline"
PIPELINE = "GET /projects/acme/manifests/pipelines/55"


def id_token(seconds: float = 300) -> str:
    """Return something of an id_token's shape that ends so many seconds from now."""
    parts = ({"alg": "RS256"}, {"exp": time.time() + seconds})
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts), "c2ln"]
    )


@pytest.fixture
def gitlab() -> Iterator[Answers]:
    with serve_answers() as answers:
        answers.set(TRIGGER, 201, {"id": 55, "web_url": f"{answers.url}/acme/manifests/-/pipelines/55"})
        answers.set(PIPELINE, 200, {"id": 55, "status": "success"})
        yield answers


def job(gitlab: Answers, **more: str) -> dict[str, str]:
    """Return the environment of a job of the component ``deliver`` with ``transport: token``."""
    return {
        "HEADGATE_SERVER": gitlab.url,
        "HEADGATE_MANIFESTS": "acme/manifests",
        "HEADGATE_BRANCH": "main",
        "HEADGATE_IMAGES": f"{IMAGE}:{COMMIT[:8]}@sha256:{'1' * 64}, {IMAGE}-worker:{COMMIT[:8]}",
        "HEADGATE_TRIGGER_TOKEN": SECRET,
        "HEADGATE_ID_TOKEN": id_token(),
        "CI_JOB_TOKEN": "glcbt-job",
        "CI_PROJECT_ID": "7",
        "CI_COMMIT_SHA": COMMIT,
        "CI_SERVER_URL": gitlab.url,
        "CI_API_V4_URL": f"{gitlab.url}/api/v4",
        "CI_PROJECT_URL": f"{gitlab.url}/acme/shop",
        **more,
    }


def refused(environ: dict[str, str]) -> HeadgateError:
    """Run it, expect an error, and return that; the secret is in none."""
    with pytest.raises(HeadgateError) as caught:
        hand_off.run(environ, pause=0)
    assert SECRET not in f"{caught.value}"
    return caught.value


def test_it_hands_off_what_the_job_says(gitlab: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    environ = job(gitlab)
    assert hand_off.run(environ, pause=0) == 0
    sent, *_ = gitlab.asked
    assert sent.target == "/api/v4/projects/acme%2Fmanifests/trigger/pipeline"
    body = json.loads(sent.body)
    assert (body["token"], body["ref"], list(body["inputs"])) == (SECRET, "main", ["handoff"])
    assert "variables" not in body
    claim = parse_claim(body["inputs"]["handoff"])
    assert (claim.project, claim.commit, claim.token) == (7, COMMIT, environ["HEADGATE_ID_TOKEN"])
    assert [(one.repository, one.tag, one.digest) for one in claim.images] == [
        (IMAGE, COMMIT[:8], f"sha256:{'1' * 64}"),
        (f"{IMAGE}-worker", COMMIT[:8], ""),
    ]
    assert f"{gitlab.url}/acme/manifests/-/pipelines/55" in capsys.readouterr().out


def test_the_trigger_token_is_in_one_body_and_nowhere_else(gitlab: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    hand_off.run(job(gitlab), pause=0)
    assert [SECRET.encode() in one.body for one in gitlab.asked] == [True, False]
    assert not any(SECRET in one.target or SECRET in str(one.headers) for one in gitlab.asked)
    told = capsys.readouterr()
    assert SECRET not in told.out + told.err


def test_it_runs_until_the_other_side_has_ended(gitlab: Answers) -> None:
    states = iter(["created", "pending", "running", "success"])
    gitlab.prepared[PIPELINE] = lambda: (200, {"id": 55, "status": next(states)})
    assert hand_off.run(job(gitlab), pause=0) == 0
    assert next(states, "") == ""
    assert {one.headers.get("JOB-TOKEN") for one in gitlab.asked[1:]} == {"glcbt-job"}


@pytest.mark.parametrize("state", ["failed", "canceled", "skipped"])
def test_what_fails_there_fails_here(gitlab: Answers, state: str) -> None:
    gitlab.set(PIPELINE, 200, {"id": 55, "status": state})
    error = refused(job(gitlab))
    assert isinstance(error, RefusedError)
    assert f"ended as '{state}'" in str(error)
    assert f"{gitlab.url}/acme/manifests/-/pipelines/55" in error.hint


@pytest.mark.long
@pytest.mark.parametrize("status", [403, 404])
def test_where_it_may_not_look_it_waits_while_its_token_is_good(
    gitlab: Answers, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    gitlab.set(PIPELINE, status, {"message": "no"})
    start = time.monotonic()
    assert hand_off.run(job(gitlab, HEADGATE_ID_TOKEN=id_token(1.5)), pause=0) == 0
    assert 0.5 < time.monotonic() - start < 10
    assert "does not show this job its pipelines" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("status", "content", "words", "hint"),
    [
        (404, {"message": "404 Not Found"}, "404 Not Found", "is not one of its trigger tokens"),
        (
            *(400, {"message": {"base": ["`handoff` input: provided value does not match required RegEx pattern"]}}),
            *("`handoff` input: provided value does not match required RegEx pattern", "the same major version"),
        ),
        (400, {"message": {"base": ["unknown input arguments: handoff"]}}, "unknown input arguments", "major version"),
        (400, {"message": {"base": ["Reference not found"]}}, "Reference not found", "the branch there"),
        (403, {"message": "403 Forbidden"}, "403 Forbidden", "may not run pipelines there"),
    ],
)
def test_gitlabs_words_and_the_way_out(gitlab: Answers, status: int, content: object, words: str, hint: str) -> None:
    gitlab.set(TRIGGER, status, content)
    error = refused(job(gitlab))
    assert isinstance(error, GitLabError)
    assert error.status == status
    assert words in error.what
    assert hint in error.hint


@pytest.mark.parametrize(("status", "content"), [(502, b"<html>Bad gateway</html>"), (302, {}), (201, b"[]")])
def test_an_answer_that_is_none(gitlab: Answers, status: int, content: object) -> None:
    """It is asked once, and not where a redirect leads."""
    gitlab.set(TRIGGER, status, content)
    assert isinstance(refused(job(gitlab)), GitLabError)
    assert len(gitlab.asked) == 1


def test_nobody_there() -> None:
    with serve_answers() as gone:
        pass
    assert isinstance(refused(job(gone)), GitLabError)


@pytest.mark.parametrize("name", ["HEADGATE_TRIGGER_TOKEN", "HEADGATE_ID_TOKEN", "HEADGATE_BRANCH", "CI_JOB_TOKEN"])
def test_what_is_missing_is_said_before_anything_is_sent(gitlab: Answers, name: str) -> None:
    error = refused({**job(gitlab), name: ""})
    assert isinstance(error, ConfigError)
    assert name in error.what
    assert gitlab.asked == []


def test_an_image_with_a_variable_that_nothing_filled_in(gitlab: Answers) -> None:
    error = refused(job(gitlab, HEADGATE_IMAGES="$SHOP_IMAGE"))
    assert isinstance(error, ConfigError)
    assert "dotenv" in error.hint
    assert gitlab.asked == []


def test_no_image_is_a_hand_off_of_config_alone(gitlab: Answers) -> None:
    assert hand_off.run(job(gitlab, HEADGATE_IMAGES=""), pause=0) == 0
    assert parse_claim(json.loads(gitlab.asked[0].body)["inputs"]["handoff"]).images == ()


def test_another_server_gets_no_token(gitlab: Answers) -> None:
    with serve_answers() as other:
        error = refused(job(gitlab, HEADGATE_SERVER=other.url))
        assert isinstance(error, UntrustedError)
        assert other.asked == gitlab.asked == []
