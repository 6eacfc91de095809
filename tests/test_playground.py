"""The GitLab that ``make gitlab`` runs: from a push to the app to a merge on its pages."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from support.manifests import git
from support.playground import Playground, playground

pytestmark = pytest.mark.long
_SECONDS = 120


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Playground]:
    """Run it."""
    with playground(tmp_path) as made:
        yield made


def wait_for(what: Callable[[], str], words: str) -> str:
    """Return a page when it says something."""
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        text = what()
        if re.search(words, text):
            return text
        time.sleep(0.3)
    raise AssertionError(f"not within {_SECONDS} s: {words}\n{what()}")


def page(found: Playground, path: str) -> str:
    """Open a page."""
    answer = requests.get(f"{found.acme.gitlab.url}{path}", timeout=30)
    assert answer.status_code == 200, answer.text
    assert "<script" not in answer.text
    return answer.text


def test_a_push_ends_in_a_merge_request_that_is_read_and_merged(found: Playground, tmp_path: Path) -> None:
    assert "acme/shop" in page(found, "/")
    shop = tmp_path / "shop"
    git(tmp_path, "clone", "--quiet", found.address("acme/shop", "dana"), str(shop))
    (shop / "deploy/values.yaml").write_text("replicas: 5\n")
    git(shop, "commit", "--quiet", "--all", "--message", "Five")
    git(shop, "push", "--quiet")
    commit = git(shop, "rev-parse", "--short=8", "HEAD")
    wait_for(lambda: page(found, "/acme/manifests"), "Deliver shop to dev|class='failed'")
    assert [one.log for one in found.acme.manifests.pipelines if one.status == "failed"] == []
    assert "replicas: 5" in found.acme.deployed()
    assert commit in found.acme.deployed()

    form = {"action": "promote", "app": "shop", "environment": "production", "from": "dev"}
    told = requests.post(f"{found.acme.gitlab.url}/acme/manifests/-/pipelines/new", form, timeout=30)
    assert "Pipeline #" in told.text
    wait_for(lambda: page(found, "/acme/manifests"), "!1</a><td>")
    text = page(found, "/acme/manifests/-/merge_requests/1")
    assert "<span class=added>+  replicas: 5</span>" in text
    merged = requests.post(f"{found.acme.gitlab.url}/acme/manifests/-/merge_requests/1/merge", timeout=30)
    assert "merged" in merged.text
    wait_for(lambda: found.acme.deployed("production"), "replicas: 5")


def test_what_is_not_there_is_said(found: Playground) -> None:
    for path in ("/acme/nowhere", "/acme/manifests/-/merge_requests/99", "/acme/manifests/-/pipelines/99"):
        assert requests.get(f"{found.acme.gitlab.url}{path}", timeout=30).status_code == 404
