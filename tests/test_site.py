"""``headgate site``: pages that show what runs where, whole without a script, and safe whatever others wrote."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.errors import ArgumentError
from headgate.flux.verdict import Health
from headgate.model import FreezeRecord, PinRecord, Release, ReleasedImage
from headgate.report.site_app import app_json, app_page
from headgate.report.site_facts import AppFacts, RequestLink, SiteFacts
from headgate.report.site_overview import overview, overview_to_json
from headgate.repository.gitlog import LogEntry
from headgate.state.proposals import Proposed
from headgate.state.status import AppStatus
from support.browser import BROWSER, dom_of
from support.cli import headgate
from support.manifests import COMMIT, DEPLOYMENT, DIGEST, ManifestRepository, git
from support.reviewing import make_scene
from test_html import HOSTILE, Page

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
IMAGE = "registry.example.com/acme/web"
APP = f"images: {{web: {IMAGE}}}\nproject: acme/web\ntemplate: web\n"
PART: dict[str, Any] = {"project": "acme/web", "commit": COMMIT, "ref": "refs/heads/main"}


def entry(name: str) -> LogEntry:
    who = f"{name} <x@example.com>"
    return LogEntry(commit=COMMIT, parent="", time=NOW.replace(day=18), who=who, subject="", actors=(), files=())


def facts(name: str = "ada", requests: dict[str, RequestLink] | None = None) -> SiteFacts:
    """Return one app in two environments, in which everything that somebody wrote is ``name``."""
    # Built without checks: a page must be safe whatever is in the records.
    image = ReleasedImage.model_construct(**PART, repository=IMAGE, tag="1.0", digest=DIGEST, actor=name)
    pin = PinRecord.model_construct(by=name, reason=f"reason {name}", since=COMMIT)
    release = Release.model_construct(images={"web": image}, pin=pin)
    dev = AppStatus(
        app="web",
        environment="dev",
        release=release,
        state="current",
        last_change=entry(name),
        edited=True,
        health=Health(state="failed", reason=f"health {name}", since=NOW.replace(hour=10)),
    )
    production = AppStatus(
        app="web",
        environment="production",
        release=None,
        state="empty",
        freeze=FreezeRecord.model_construct(by=name, reason=f"frozen {name}", since=COMMIT),
        closed="outside of its windows",
        waits_for=(f"image {name}",),
        proposed=Proposed("headgate/production/web", COMMIT, release),
    )
    return SiteFacts(
        made=NOW,
        commit=COMMIT,
        environments=("dev", "production"),
        apps={"web": {"dev": dev, "production": production}},
        notes=(f"note {name}",),
        url="https://gitlab.example.com",
        project="acme/manifests",
        requests=requests or {},
    )


def test_the_first_page_says_it_all_without_its_script() -> None:
    page = Page(overview(facts(requests={"headgate/production/web": RequestLink(name="!12", url="https://x/12")})))
    text = " ".join(page.text.split())
    for words in (
        "1 app, 2 app-environments",
        "As of 2026-11-20 12:00 UTC, commit aaaaaaaaaaaa of acme/manifests",
        "note ada",
        "production is frozen by ada: frozen ada",
        "production: outside of its windows",
        "dev 1.0 2d aaaaaaaa ada failed 2h",
        "pinned by ada: reason ada",
        "edited by hand",
        "failed in the cluster: health ada",
        "waits for image ada",
        "proposed: 1.0 !12",
    ):
        assert words in text, words
    found = dict(page.attributes)
    assert DIGEST in (found["data-find"] or "")
    assert ("href", "https://x/12") in page.attributes
    assert ("href", "apps/web/index.html") in page.attributes
    data = json.loads(overview_to_json(facts()))
    assert data["version"] == 1
    dev = data["apps"][0]["environments"]["dev"]
    assert dev["parts"]["web"]["image"] == f"{IMAGE}:1.0@{DIGEST}"
    assert (dev["health"], dev["landed"]["by"]) == ("failed", "ada")


@settings(max_examples=30)
@given(st.one_of(st.text(), st.sampled_from([*HOSTILE, "$body", "javascript:alert(1)"])))
def test_whatever_others_write_is_text(name: str) -> None:
    own = AppFacts(app="web", history={}, comparisons=())
    for write in (overview, lambda found: app_page(found, own)):
        harmless, page = (Page(write(facts(text))) for text in ("a1z", f"a{name}z"))
        assert page.tags == harmless.tags
        assert {key for key, _ in page.attributes} == {key for key, _ in harmless.attributes}
    json.loads(overview_to_json(facts(name)))
    json.loads(app_json(facts(name), own))


def test_the_policy_lets_its_own_style_and_script_through_and_nothing_else() -> None:
    text = overview(facts())
    page = Page(text)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    style, script = (
        base64.b64encode(hashlib.sha256(page.inline[name].encode()).digest()).decode() for name in ("style", "script")
    )
    nothing = "default-src 'none'; base-uri 'none'; form-action 'none'"
    assert policy == f"{nothing}; style-src 'sha256-{style}'; script-src 'sha256-{script}'"
    assert not {"link", "img", "iframe", "object"} & {*page.tags}
    assert not [key for key, _ in page.attributes if key in ("src", "style") or key.startswith("on")]


def make_fleet(manifests: ManifestRepository) -> ManifestRepository:
    """Hydrate two apps, one of which differs between its environments."""
    manifests.write({"templates/web/web.yaml": DEPLOYMENT})
    for name in ("api", "web"):
        manifests.app(name, APP)
        for environment in ("dev", "production"):
            manifests.release(name, environment, images={"web": IMAGE})
    file = manifests.path / "apps/web/releases/dev/release.yaml"
    release = yaml.safe_load(file.read_text())
    release["images"]["web"] |= {"tag": "2.0", "digest": "sha256:" + "2" * 64}
    file.write_text(yaml.safe_dump(release))
    assert manifests.hydrate().code == 0
    return manifests.commit("Begin")


def test_pages_of_a_repository(manifests: ManifestRepository, tmp_path: Path) -> None:
    make_fleet(manifests)
    out = tmp_path / "public"
    ran = headgate("site", str(out), "--manifests", str(manifests.path))
    assert ran.code == 0, ran.err
    assert "wrote 4 pages for 2 apps" in ran.out
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()) == [
        ".headgate-site",
        *(f"apps/api/index.{kind}" for kind in ("html", "json")),
        "apps/web/dev-production.html",
        *(f"apps/web/index.{kind}" for kind in ("html", "json")),
        "index.html",
        "index.json",
    ]
    text = " ".join(Page((out / "apps/web/index.html").read_text()).text.split())
    assert f"{IMAGE}:2.0@sha256:{'2' * 64}" in text
    assert "production and dev differ: 1 changed" in text
    assert "History in dev" in text
    assert "production and dev are equal" in Page((out / "apps/api/index.html").read_text()).text
    compared = Page((out / "apps/web/dev-production.html").read_text()).text
    assert "web: production differs from dev" in compared
    assert f"image: {IMAGE}:1.0@{DIGEST}" in compared
    data = json.loads((out / "apps/web/index.json").read_text())
    assert data["history"]["dev"][0]["release"]["images"]["web"]["tag"] == "2.0"
    assert data["differences"][0]["apps"][0]["objects"][0]["kind"] == "Deployment"

    git(manifests.path, "rm", "-r", "--quiet", "apps/api")
    manifests.commit("Remove")
    assert headgate("site", str(out), "--overview", "--manifests", str(manifests.path)).code == 0
    assert sorted(path.name for path in out.iterdir()) == [".headgate-site", "index.html", "index.json"]
    assert "left over from a removed app or environment: deploy/dev/api" in (out / "index.html").read_text()

    (out / ".headgate-site").unlink()
    refused = headgate("site", str(out), "--manifests", str(manifests.path))
    assert refused.code == ArgumentError.code
    assert "holds files that 'headgate site' did not write" in refused.err


def test_a_list_of_files_never_leads_out_of_the_folder(manifests: ManifestRepository, tmp_path: Path) -> None:
    make_fleet(manifests)
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "public").mkdir()
    (tmp_path / "public/.headgate-site").write_text("../precious\n")
    assert headgate("site", str(tmp_path / "public"), "--overview", "--manifests", str(manifests.path)).code == 0
    assert (tmp_path / "precious").read_text() == "mine"


def test_links_to_merge_requests_need_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with make_scene(tmp_path) as scene:
        assert scene.hand_off().code == 0
        address = scene.manifests.folder.as_uri()
        without = headgate("site", str(tmp_path / "without"), "--overview", "--manifests", address)
        assert "links to merge requests are unknown: HEADGATE_TOKEN holds no token" in without.out
        assert "links to merge requests are unknown" in (tmp_path / "without/index.html").read_text()
        monkeypatch.setenv("HEADGATE_TOKEN", scene.token)
        assert headgate("site", str(tmp_path / "with"), "--overview", "--manifests", address).code == 0
        page = (tmp_path / "with/index.html").read_text()
        assert re.search(r'<a href="http[^"]*/merge_requests/1" rel="noreferrer">!1</a>', page)
        assert "links to merge requests" not in page
        monkeypatch.setenv("HEADGATE_TOKEN", "glpat-wrong")
        wrong = headgate("site", str(tmp_path / "wrong"), "--overview", "--manifests", address)
        assert "links to merge requests are unknown: " in wrong.out
        assert "glpat-wrong" not in wrong.out + (tmp_path / "wrong/index.html").read_text()


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_a_browser_runs_its_script(tmp_path: Path) -> None:
    file = tmp_path / "index.html"
    file.write_text(overview(facts()))
    dom = dom_of(file)
    assert ">1 of 1 apps</output>" in dom
    assert '<form id="filter">' in dom
