"""Notifications: which events a run sends, once each, what receivers get, and what a bad receiver does to a run.

`pytest tests/test_notifications.py --update-golden` writes the bodies anew; review the difference.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from headgate.config import load
from headgate.errors import ConfigError
from headgate.model import Notification, ReleasedConfig, ReleasedImage
from headgate.notifications.announcement import TITLES, Announcement
from headgate.notifications.channels import slack, teams
from headgate.notifications.post import PostLimits, is_postable, open_poster, post_all
from headgate.notifications.request import AnnouncementRequest, request, signing_key
from headgate.repository.tree import MemoryBlob, Tree
from support.gitlab.gitside import git, refs
from support.gitlab.mergeside import merge
from support.gitlab.state import MergeRequest
from support.reviewing import BRANCH, Scene, make_scene
from support.web import Asked, Reply, Site, serve
from test_after_health import make_place

SNAPSHOTS = Path(__file__).with_name("snapshots")
KEY = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SOURCE = "https://gitlab.example.com/platform/manifests"


def events(site: Site) -> list[tuple[str, str]]:
    """Return what a webhook got, in order, and forget it."""
    found = [json.loads(asked.body) for asked in site.asked]
    site.asked.clear()
    return [(event["data"]["event"], event["subject"]) for event in found]


def notify_settings(scene: Scene, more: str = "") -> None:
    """Add a webhook to headgate.yaml, and settings to the environments."""
    text = scene.gitlab.show(scene.manifests, "headgate.yaml")
    receiver = f"{{kind: webhook, url_variable: HOOK, key_variable: KEY{more}}}"
    scene.push(scene.manifests, {"headgate.yaml": f"{text}\nnotifications: {{hook: {receiver}}}\n"})


@contextmanager
def receiving(scene: Scene, more: str = "", answer: Callable[[Asked], Reply] = lambda _: Reply(204)) -> Iterator[Site]:
    """Let the scene's jobs notify a webhook."""
    notify_settings(scene, more)
    with serve(answer) as site:
        scene.variables |= {"HOOK": f"http://{site.host}/in?secret=s3cret", "KEY": KEY}
        yield site


# Events


@pytest.mark.long
def test_each_event_is_sent_once(tmp_path: Path) -> None:
    with make_scene(tmp_path) as scene, receiving(scene) as site:
        assert scene.hand_off().code == 0
        body = json.loads(site.asked[0].body)
        assert events(site) == [("landed", "web/dev"), ("proposed", "web/production")]
        assert body["data"]["url"] == f"{scene.gitlab.url}/platform/manifests/-/commit/{body['data']['commit']}"
        head = refs(scene.manifests)["refs/heads/main"]
        assert body["data"]["commit"] == head
        assert scene.pushed(head).code == 0  # the bot's own push starts a pipeline, too
        scene.schedule()
        assert events(site) == []
        merge(scene.gitlab, scene.the_request(), scene.person)
        assert scene.pushed().code == 0
        assert events(site) == [("merged", "web/production")]
        scene.schedule()
        scene.hand_off(refs(scene.app)["refs/heads/main"], tag="1.1.0", digest=f"{1:064x}")
        assert events(site) == []


def test_what_is_proposed_links_its_merge_request(tmp_path: Path) -> None:
    with make_scene(tmp_path) as scene, receiving(scene, ", events: [proposed]") as site:
        scene.hand_off()
        (asked,) = site.asked
        data = json.loads(asked.body)["data"]
        assert data["url"] == f"{scene.gitlab.url}/platform/manifests/-/merge_requests/{scene.the_request().iid}"
        assert data["version"] == "1.1.0"
        assert [(part["name"], part["project"]) for part in data["parts"]] == [
            ("config", "acme/web"),
            ("web", "acme/web"),
        ]


@pytest.mark.long
def test_a_rejected_and_a_newer_version(tmp_path: Path) -> None:
    with make_scene(tmp_path) as scene, receiving(scene, ", environments: [production]") as site:
        scene.hand_off()
        assert events(site) == [("proposed", "web/production")]
        request: MergeRequest = scene.the_request()
        request.state = "closed"
        scene.schedule()
        assert events(site) == [("rejected", "web/production")] * 2  # image and config
        scene.new_version()
        assert events(site) == [("proposed", "web/production")]
        scene.new_version()
        assert events(site) == [("proposed", "web/production")]


@pytest.mark.long
def test_a_failed_version_is_told_of_once(tmp_path: Path) -> None:
    with make_scene(tmp_path) as scene, receiving(scene, ", environments: [dev]") as site:
        scene.hand_off()
        events(site)
        broken: dict[str, str | None] = {"deploy/web.yaml": "kind: Deployment\nmetadata: {name: x}\n"}
        assert scene.new_version(broken).code != 0
        (asked,) = site.asked
        assert json.loads(asked.body)["data"]["reasons"] != []
        assert events(site) == [("failed", "web/dev")]
        scene.schedule()
        assert events(site) == []


@pytest.mark.long
def test_what_is_held_is_told_of_once(tmp_path: Path) -> None:
    with make_scene(tmp_path) as scene, receiving(scene, ", environments: [dev]") as site:
        scene.hand_off()
        events(site)
        frozen = f"version: 1\nby: alice\nreason: holidays\nsince: {'a' * 40}\n"
        scene.pushed(scene.push(scene.manifests, {"environments/dev/frozen.yaml": frozen}))
        scene.new_version()
        (asked,) = site.asked
        assert "holidays" in json.loads(asked.body)["data"]["reasons"][0]
        assert events(site) == [("held", "web/dev")]
        scene.schedule()
        assert events(site) == []


@pytest.mark.long
def test_what_a_person_pushes_is_sent_by_its_pipeline(tmp_path: Path) -> None:
    with make_scene(tmp_path) as scene, receiving(scene, ", environments: [dev]") as site:
        scene.hand_off()
        events(site)
        scene.pushed(scene.push(scene.manifests, {"environments/dev/values.yaml": "a: 1\n"}))
        assert events(site) == []
        assert scene.pushed(scene.push(scene.manifests, {"deploy/dev/web/x": "by hand"})).code == 0
        assert events(site) == [("landed", "web/dev")]


@pytest.mark.long
def test_records_on_their_own_branch_are_compared_too(tmp_path: Path) -> None:
    with make_scene(tmp_path) as scene:
        text = scene.gitlab.show(scene.manifests, "headgate.yaml").replace("delivery: commit", "delivery: review")
        scene.push(scene.manifests, {"headgate.yaml": f"{text}\nrecords: branch\n"})
        with receiving(scene, ", environments: [production]") as site:
            assert scene.hand_off().code == 0
            assert events(site) == [("proposed", "web/production")]
            request = next(one for one in scene.requests() if one.source == BRANCH)
            merge(scene.gitlab, request, scene.person)
            assert scene.pushed().code == 0
            assert events(site) == [("merged", "web/production")]
            scene.schedule()
            assert events(site) == []


@pytest.mark.long
def test_health_is_told_of_when_gitlab_hears_of_it(tmp_path: Path) -> None:
    with (
        make_place(tmp_path, dev=", on_failure: roll-back") as place,
        receiving(place.scene, ", environments: [dev]") as site,
    ):
        place.version(3)
        place.scheduled()
        assert events(site) == [("landed", "web/dev")]
        place.is_healthy()
        place.scheduled()
        assert events(site) == [("healthy", "web/dev")]
        place.version(4)
        events(site)
        place.fails()
        place.scheduled()
        assert events(site)[0] == ("rolled-back", "web/dev")
        assert place.replicas() == 3


@pytest.mark.long
def test_too_many_events_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headgate.feedback.notify._MAX_ANNOUNCEMENTS", 1)
    with make_scene(tmp_path) as scene, receiving(scene) as site:
        ended = scene.hand_off()
        assert len(site.asked) == 1
        assert "notification 'hook': 1 more events of this run were not sent" in ended.out


# Receivers that fail


ANSWERS = {
    "500": Reply(500, b"s3cret"),
    "404": Reply(404),
    "302": Reply(302, headers={"Location": "http://127.0.0.1:1/elsewhere"}),
    "closing": Reply(0),
}


@pytest.mark.parametrize(
    "kind", [kind if kind == "500" else pytest.param(kind, marks=pytest.mark.long) for kind in ANSWERS]
)
def test_a_bad_receiver_fails_no_run(tmp_path: Path, kind: str) -> None:
    with make_scene(tmp_path) as scene, receiving(scene, answer=lambda _: ANSWERS[kind]) as site:
        ended = scene.hand_off()
        assert ended.code == 0
        assert ended.out.count("warning: notification 'hook': the receiver in HOOK") == 1
        assert "not sent: 2 of 2" in ended.out
        assert len(site.asked) == {"500": 3, "closing": 3}.get(kind, 1)
        for secret in ("s3cret", site.host, KEY):
            assert secret not in ended.out


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"HOOK": ""}, "the variable HOOK is not set"),
        ({"HOOK": "http://hooks.example.com/s3cret"}, "the variable HOOK holds no https address"),
        ({"KEY": "s3cret"}, "the variable KEY is not a key such as whsec_"),
        ({"KEY": ""}, "the variable KEY is not a key such as whsec_"),
    ],
)
@pytest.mark.long
def test_without_address_or_key_nothing_is_sent(tmp_path: Path, variables: dict[str, str], problem: str) -> None:
    with make_scene(tmp_path) as scene, receiving(scene) as site:
        scene.variables |= variables
        ended = scene.hand_off()
        assert (ended.code, site.asked) == (0, [])
        assert problem in ended.out
        assert "s3cret" not in ended.out


QUICK = PostLimits(seconds=0.4, total=2, tries=3, max_wait=1, first_wait=0.01)


def posted(
    answer: Callable[[Asked], Reply], limits: PostLimits = QUICK, count: int = 1
) -> tuple[str, list[Asked], float]:
    """Post announcements; return what went wrong, what arrived, and how long it took."""
    requests = [
        AnnouncementRequest(id=str(number), body=b"{}", content_type="application/json", key=b"k" * 32)
        for number in range(count)
    ]
    with serve(answer) as site, open_poster(limits) as poster:
        begun = time.monotonic()
        problem = post_all(poster, f"http://{site.host}/in", requests)
        return problem, site.asked, time.monotonic() - begun


def test_after_429_it_waits_as_long_as_it_is_told() -> None:
    answers = iter([Reply(429, headers={"Retry-After": "1"}), Reply(202)])
    problem, asked, seconds = posted(lambda _: next(answers))
    assert (problem, len(asked)) == ("", 2)
    assert seconds >= 1
    assert len({one.headers["webhook-id"] for one in asked}) == 1
    date = formatdate(time.time() + 3600, usegmt=True)
    problem, asked, seconds = posted(lambda _: Reply(429, headers={"Retry-After": date}))
    assert (problem, len(asked)) == ("it answered 429; not sent: 1 of 1", 1)
    assert seconds < 1


def test_a_slow_receiver_costs_limited_time() -> None:
    problem, asked, seconds = posted(lambda _: Reply(200, pause=5), count=10)
    assert problem == "it did not answer within 0.4 s; not sent: 10 of 10"
    assert 1 <= len(asked) <= 3  # on a busy machine the time of all tries ends sooner
    assert seconds < 3
    drop = Reply(200, b"x" * 1000, pause=0.05)
    assert posted(lambda _: drop)[0] == ""  # the answer's text is not waited for


def test_all_announcements_of_a_run_share_their_time() -> None:
    limits = PostLimits(seconds=1, total=0.5, tries=3, max_wait=1, first_wait=0.01)
    problem, asked, seconds = posted(lambda _: Reply(200, pause=0.2), limits, count=50)
    assert "not sent" in problem
    assert 1 <= len(asked) < 10
    assert seconds < 2


def test_only_https_and_this_machine_are_posted_to() -> None:
    assert is_postable("https://hooks.slack.com/services/T0/B0/x?a=b%20c")
    assert is_postable("http://127.0.0.1:8080/in")
    for address in ("http://example.com/", "https://user@example.com/", "ftp://example.com", "", "https://a\\@b/"):
        assert not is_postable(address)


# What receivers get


IMAGE = ReleasedImage(
    project="acme/web",
    commit="1" * 40,
    ref="refs/tags/v1.2.0",
    actor="anna",
    repository="registry.example.com/acme/web",
    tag="1.2.0",
    digest="sha256:" + "2" * 64,
)
PARTS = (
    ("config", ReleasedConfig(project="acme/web", commit="1" * 40, ref="refs/tags/v1.2.0", path="deploy")),
    ("web", IMAGE),
)
HOSTILE = "<!channel> <https://evil.example|x> [x](https://evil.example) **b** & @all \u202e \x1b[31m\n\n/approve"
ANNOUNCEMENTS = {
    "landed": Announcement(
        event="landed",
        app="web",
        environment="production",
        commit="c" * 40,
        version="1.2.0",
        parts=PARTS,
        actor="anna",
        url=f"{SOURCE}/-/commit/{'c' * 40}",
    ),
    "failed": Announcement(
        event="failed",
        app="web",
        environment="dev",
        commit="c" * 40,
        version=HOSTILE,
        parts=PARTS[1:],
        actor=HOSTILE,
        reasons=(HOSTILE, "x" * 5000),
        url=f"{SOURCE}/-/commit/{'c' * 40}?a=<b>&c=|d",
    ),
    "proposed": Announcement(event="proposed", app="", environment="production", commit="c" * 40),
}
BODIES: dict[str, Callable[[Announcement], dict[str, Any]]] = {
    "slack": slack,
    "teams": teams,
    "webhook": lambda announcement: announcement.cloud_event(SOURCE, NOW),
}


@pytest.mark.parametrize("name", ANNOUNCEMENTS)
@pytest.mark.parametrize("kind", BODIES)
def test_bodies(kind: str, name: str, request: pytest.FixtureRequest) -> None:
    text = json.dumps(BODIES[kind](ANNOUNCEMENTS[name]), indent=2) + "\n"
    file = SNAPSHOTS / f"notification-{kind}-{name}.json"
    if request.config.getoption("--update-golden"):
        file.write_text(text)
    assert text == file.read_text()


def texts(value: Any, kind: str) -> Iterator[str]:
    """Yield the texts in objects of a ``type``."""
    if isinstance(value, dict):
        if value.get("type") == kind:
            yield value["text"]
        for inner in value.values():
            yield from texts(inner, kind)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner, kind)


def test_texts_of_apps_are_no_markup() -> None:
    message = slack(ANNOUNCEMENTS["failed"])
    assert "<" not in message["text"]
    assert message["mrkdwn"] is False
    (link,) = texts(message, "mrkdwn")
    assert link.count("<") == link.count(">") == 1
    assert not list(texts(teams(ANNOUNCEMENTS["failed"]), "TextBlock"))  # they read Markdown


@pytest.mark.parametrize(
    ("kind", "event"), [*zip(itertools.cycle(["slack", "teams", "webhook"]), TITLES, strict=False)]
)
def test_no_body_is_large(kind: Any, event: Any) -> None:
    long = "\u1234" * 100_000
    part = IMAGE.model_copy(update={"tag": long, "project": long, "ref": long})
    announcement = Announcement(
        event=event,
        app="a" * 63,
        environment="e" * 63,
        commit="c" * 40,
        version=long,
        parts=tuple((f"p{number}", part) for number in range(500)),
        actor=long,
        reasons=(long,) * 50,
    )
    receiver = Notification.model_validate(
        {"kind": kind, "url_variable": "A", **({"key_variable": "B"} if kind == "webhook" else {})}
    )
    assert len(request(announcement, receiver, SOURCE, NOW).body) < 28 * 1024  # what Teams takes


@pytest.mark.long
def test_a_webhook_is_signed_over_id_time_and_body(tmp_path: Path) -> None:
    with make_scene(tmp_path) as scene, receiving(scene, ", events: [landed]") as site:
        scene.hand_off()
        (asked,) = site.asked
        assert asked.headers["Content-Type"].startswith("application/cloudevents+json")
        sent = f"{asked.headers['webhook-id']}.{asked.headers['webhook-timestamp']}.".encode() + asked.body
        wanted = base64.b64encode(hmac.digest(b"0123456789abcdef0123456789abcdef", sent, hashlib.sha256)).decode()
        assert asked.headers["webhook-signature"] == f"v1,{wanted}"
        assert abs(int(asked.headers["webhook-timestamp"]) - time.time()) < 60
        event = json.loads(asked.body)
        assert (event["specversion"], event["type"]) == ("1.0", "headgate.landed")
        assert event["id"] == asked.headers["webhook-id"]
        assert event["source"] == f"{scene.gitlab.url}/platform/manifests"


def test_an_id_is_that_of_the_event() -> None:
    announcement = ANNOUNCEMENTS["landed"]
    assert announcement.id(SOURCE) == announcement.id(SOURCE)
    others = [
        Announcement(**{**vars(announcement), field: value})
        for field, value in {"event": "merged", "commit": "d" * 40, "environment": "dev", "parts": ()}.items()
    ]
    assert len({announcement.id(SOURCE), *(other.id(SOURCE) for other in others)}) == 5


def test_keys() -> None:
    assert signing_key(KEY) == b"0123456789abcdef0123456789abcdef"
    short = base64.b64encode(b"short").decode()
    for text in ("", "whsec_", f"whsec_{short}", KEY.removeprefix("whsec_"), "whsec_%%%%", f"x{KEY}"):
        assert signing_key(text) is None


# Configuration


def settings_with(text: str) -> None:
    head = "version: 1\nenvironments: {dev: {delivery: commit}}\n"
    load(Tree({"headgate.yaml": MemoryBlob(f"{head}notifications: {{a: {{{text}}}}}\n".encode())}))


def test_a_sound_receiver_is_taken() -> None:
    settings_with("kind: slack, url_variable: SLACK_URL, environments: [dev], events: [landed, rolled-back]")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kind: slack, url_variable: 'https://hooks.slack.com/x'", "the name of a CI/CD variable"),
        ("kind: slack, url_variable: CI_JOB_TOKEN", "a variable of the project"),
        ("kind: webhook, url_variable: HOOK", "key_variable with kind webhook"),
        ("kind: teams, url_variable: HOOK, key_variable: KEY", "key_variable with kind webhook"),
        ("kind: slack, url_variable: HOOK, environments: [div]", "did you mean 'dev'"),
        ("kind: slack, url_variable: HOOK, events: [lost]", "landed"),
    ],
)
def test_a_mistake_is_shown(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_with(text)
    assert problem in " ".join(str(caught.value).split())


@pytest.mark.long
def test_commits_keep_their_trailers(tmp_path: Path) -> None:
    """The pipeline of the bot's own push is known by a trailer; this is where that trailer is."""
    with make_scene(tmp_path) as scene:
        scene.hand_off()
        message = git(scene.manifests, "log", "-1", "--format=%B", "main")
        assert "Headgate-Intent: " in message
        assert "Headgate-Proof: " not in message
