"""What people ask for with the form: to promote, to roll back."""

from __future__ import annotations

import pytest

from support.live.acme import App, make_app
from support.live.api import RefusedError, below, post
from support.live.looks import commits, merge, proposals, statuses
from support.live.pipelines import log, pipeline_of, run_form, succeeded

pytestmark = pytest.mark.long


def test_release_is_promoted_merged_and_another_rolled_back_until_it_is_unpinned(shop: App) -> None:
    acme, maxi = shop.acme, shop.acme.home.max
    app = make_app(acme, "till", own_config=True)
    first = app.deliver()
    acme.form(action="promote", app="till", environment="production", from_="dev")
    (request,) = proposals(maxi, acme.manifests, app.proposed)
    assert first[:8] in request["description"]
    assert statuses(maxi, app.project, first)["headgate: production"] == "pending"
    merged = merge(maxi, acme.manifests, request)
    succeeded(maxi, pipeline_of(maxi, acme.manifests, merged))
    assert first[:8] in app.deployed("production")
    assert statuses(maxi, app.project, first)["headgate: production"] == "success"

    second = app.deliver()
    assert second[:8] in app.deployed()
    assert first[:8] in app.deployed("production")
    acme.form(action="roll-back", app="till", environment="dev", reason="it is slow")
    assert first[:8] in app.deployed()
    assert "it is slow" in commits(maxi, acme.manifests)[0]["message"]
    third = app.deliver()  # waits, since the roll-back sticks
    assert first[:8] in app.deployed()
    acme.form(action="unpin", app="till", environment="dev")
    assert third[:8] in app.deployed()


def test_developer_may_not_promote(shop: App) -> None:
    acme, dana = shop.acme, shop.acme.home.dana
    wanted = {"action": "promote", "app": "shop", "environment": "production", "from": "dev"}
    asked = run_form(dana, acme.manifests, wanted)
    assert asked["status"] == "failed"
    assert f"{dana.name} may not promote in production" in log(acme.home.max, asked)
    assert proposals(acme.home.max, acme.manifests, shop.proposed) == []


def test_form_takes_no_variables(shop: App) -> None:
    acme = shop.acme
    told = {"key": "HEADGATE_ACTION", "value": "promote"}
    with pytest.raises(RefusedError, match="Insufficient permissions to set pipeline variables"):
        post(acme.home.max, below(acme.manifests, "/pipeline"), ref="main", variables=[told])
