"""The set-up *intake*: apps' people hand off what they may not push."""

from __future__ import annotations

import pytest

from support.live.acme import App, Home, set_up
from support.live.api import RefusedError
from support.live.checkout import PushRefusedError, checkout
from support.live.looks import head, proposals
from support.live.pipelines import run_form, succeeded, triggered

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def app(home: Home) -> App:
    return set_up(home, "intake", "dev:commit", "production:review")


def test_push_is_deployed_by_the_intake_then_promoted(app: App) -> None:
    acme, home = app.acme, app.acme.home
    commit, pipeline = app.build()
    run = triggered(home.max, succeeded(home.max, pipeline))
    assert acme.intake
    assert (run["project_id"], run["source"], run["user"]["id"]) == (acme.intake.id, "pipeline", home.dana.id)
    assert f"{app.project.images}:{commit[:8]}@sha256:" in app.deployed()
    acme.form(action="promote", app="shop", environment="production", from_="dev")
    (request,) = proposals(home.max, acme.manifests, app.proposed)
    assert commit[:8] in app.deployed("production", request["source_branch"])


def test_developer_of_an_app_can_neither_push_nor_start_anything(app: App) -> None:
    acme, dana, maxi = app.acme, app.acme.home.dana, app.acme.home.max
    assert acme.intake
    for project in (acme.manifests, acme.intake):
        before = head(maxi, project)
        with checkout(dana, project) as clone:
            clone.commit({"deploy/dev/evil.yaml": "a: 1\n", ".gitlab-ci.yml": "steal: {script: [env]}\n"}, "Evil")
            with pytest.raises(PushRefusedError, match=r"403|not allowed"):
                clone.push()
        assert head(maxi, project) == before
        with pytest.raises(RefusedError, match=r"403|[Ii]nsufficient permission|sufficient permission|filtered out"):
            run_form(dana, project, {"action": "rehydrate"})
