"""From a push to an app's repository to a commit or a merge request in the manifest repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.acme import Acme, jobs_path, make_acme
from support.gitlab import serve_gitlab
from support.registry import Registry


@pytest.fixture
def acme(tmp_path: Path, registry: Registry) -> Iterator[Acme]:
    with serve_gitlab(tmp_path / "gitlab", jobs_path(tmp_path)) as gitlab:
        yield make_acme(gitlab, registry, tmp_path)


def test_push_to_the_app_is_deployed(acme: Acme) -> None:
    commit = acme.build()
    (run,) = acme.hydrations()
    print(run.log, [(p.source, p.status, p.errors, p.log) for p in acme.shop.pipelines])
    assert run.status == "success", run.log
    assert f"{acme.image}:{commit[:8]}@sha256:" in acme.deployed()
