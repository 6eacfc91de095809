"""The components in the image, run by gitlab-ci-local with its Docker executor, as people try a pipeline by hand."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.acme import ROOT, Acme
from support.ci_local import by_gitlab_ci_local
from support.gitlab.state import Variable

pytestmark = pytest.mark.image
MakeAcme = Callable[..., Acme]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return gitlab-ci-local's home, and see to what it calls."""
    subprocess.run([ROOT / "image" / "installed", "rsync"], check=True)
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def test_hydrate(make: MakeAcme, home: Path) -> None:
    acme = make()
    acme.gitlab.execute = by_gitlab_ci_local(home, acme.gitlab.token(acme.max, "read_repository"))
    commit = acme.build()
    (ran,) = acme.hydrations()
    assert ran.status == "success", ran.log
    assert f"{acme.image}:{commit[:8]}@sha256:" in acme.deployed()
    promoted = acme.form(acme.max, action="promote", app="shop", environment="production", from_="dev")
    assert promoted.status == "success", promoted.log
    (request,) = acme.gitlab.open_requests(acme.manifests)
    assert commit[:8] in acme.deployed("production", request.source)


def test_deliver_by_token(make: MakeAcme, home: Path) -> None:
    acme = make(setup="token")
    trigger = acme.gitlab.trigger_token(acme.manifests, acme.bot)
    acme.shop.variables["HEADGATE_TRIGGER_TOKEN"] = Variable(trigger, protected=True)
    acme.manifests.allowlist.add("acme/shop")
    ci = acme.gitlab.show(acme.shop, ".gitlab-ci.yml") + "\n      transport: token\n"
    acme.gitlab.push(acme.shop, {".gitlab-ci.yml": ci}, user=acme.dana, message="By token [skip ci]")
    acme.gitlab.execute = by_gitlab_ci_local(home, acme.gitlab.token(acme.max, "read_repository"))
    commit = acme.build()
    assert all(one.status in ("success", "skipped") for one in acme.shop.pipelines), acme.shop.pipelines[-1].log
    assert commit[:8] in acme.deployed()
