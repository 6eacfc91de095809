"""What the schedule of a manifest repository finishes and finds, all of its pipelines run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support.acme import Acme, jobs_path, make_acme
from support.gitlab import serve_gitlab
from support.registry import Registry

pytestmark = pytest.mark.long
MakeAcme = Callable[..., Acme]


@pytest.fixture
def make(tmp_path: Path, registry: Registry) -> Iterator[MakeAcme]:
    with ExitStack() as stack:

        def made(**options: Any) -> Acme:
            gitlab = stack.enter_context(serve_gitlab(tmp_path / "gitlab", jobs_path(tmp_path)))
            return make_acme(gitlab, registry, tmp_path, **options)

        yield made


def statuses(acme: Acme, commit: str) -> dict[str, str]:
    """Return the newest statuses of a commit of the app, by name."""
    return {one["name"]: one["status"] for one in acme.shop.statuses if one["sha"] == commit}


def test_schedule_verifies_and_finishes_what_a_crash_left(make: MakeAcme) -> None:
    acme = make(environments=("dev:review",))
    commit = acme.build()
    (request,) = acme.gitlab.open_requests(acme.manifests)
    acme.manifests.merge_requests.remove(request)
    acme.shop.statuses.clear()
    ran = acme.gitlab.run_schedule(acme.manifests, acme.max)
    assert ran.status == "success", ran.log
    assert len(acme.gitlab.open_requests(acme.manifests)) == 1
    assert statuses(acme, commit) == {"headgate: dev": "pending"}


def test_schedule_says_what_was_edited_by_hand(make: MakeAcme) -> None:
    acme = make()
    acme.build()
    path = "deploy/dev/shop/deployment.apps-shop.yaml"
    edited = acme.gitlab.show(acme.manifests, path).replace("kind: Deployment", "kind: Deployment # mine")
    acme.gitlab.push(acme.manifests, {path: f"{edited}\n"}, user=acme.max, message="By hand [skip ci]")
    ran = acme.gitlab.run_schedule(acme.manifests, acme.max)
    assert ran.status == "failed"
    assert "shop in dev: edited by hand" in ran.log
