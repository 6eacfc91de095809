"""The four ways of working: configured with its code or by a shared template, deployed at once or reviewed."""

from __future__ import annotations

import pytest

from support.live.acme import App, make_app
from support.live.looks import deployments, merge, proposals, statuses
from support.live.pipelines import pipeline_of, succeeded, triggered

pytestmark = pytest.mark.long


@pytest.mark.parametrize("own_config", [True, False], ids=["own config", "shared template"])
def test_push_is_deployed_in_dev_and_reviewed_for_production(shop: App, *, own_config: bool) -> None:
    acme, maxi = shop.acme, shop.acme.home.max
    app = make_app(acme, "cart" if own_config else "blog", own_config=own_config, everywhere=True)
    commit, pipeline = app.build()
    run = triggered(maxi, succeeded(maxi, pipeline))
    assert (run["source"], run["user"]["id"]) == ("pipeline", acme.home.dana.id)

    assert f"{app.project.images}:{commit[:8]}@sha256:" in app.deployed()
    assert ("replicas: 2" in app.deployed()) != own_config  # granted
    assert deployments(maxi, app.project, commit) == [("dev", "success")]
    (request,) = proposals(maxi, acme.manifests, app.proposed)
    assert request["target_branch"] == "main"
    assert commit[:8] in request["description"]
    proposed = app.deployed("production", app.proposed)
    assert commit[:8] in proposed
    assert statuses(maxi, app.project, commit) == {"headgate: dev": "success", "headgate: production": "pending"}

    if own_config:  # a second one takes the place of the first in the same merge request
        commit = app.deliver()
        (updated,) = proposals(maxi, acme.manifests, app.proposed)
        assert updated["id"] == request["id"]
        assert commit[:8] in updated["description"]
        proposed = app.deployed("production", app.proposed)
        assert commit[:8] in proposed

    merged = merge(maxi, acme.manifests, request)
    succeeded(maxi, pipeline_of(maxi, acme.manifests, merged))
    assert app.deployed("production") == proposed
    assert proposals(maxi, acme.manifests, app.proposed) == []
    assert statuses(maxi, app.project, commit) == {"headgate: dev": "success", "headgate: production": "success"}
    assert sorted(deployments(maxi, app.project, commit)) == [("dev", "success"), ("production", "success")]
