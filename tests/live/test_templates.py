"""A template changes, on main and in a merge request."""

from __future__ import annotations

import pytest

from support.live.acme import App, make_app
from support.live.checkout import checkout
from support.live.looks import commits, file, head, merge, notes, proposals, propose
from support.live.pipelines import pipeline_of, succeeded

pytestmark = pytest.mark.long
SLOWER = "minReadySeconds: 7"


def change_template(app: App, branch: str) -> str:
    """Let the Deployment of an app's template wait longer, as who keeps the manifests; return the commit."""
    acme = app.acme
    path = f"templates/{app.name}/templates/deployment.yaml"
    changed = file(acme.home.max, acme.manifests, path).replace("  replicas:", f"  {SLOWER}\n  replicas:")
    with checkout(acme.home.max, acme.manifests, branch) as clone:
        commit = clone.commit({path: changed}, "Take it slower")
        clone.push(branch)
    return commit


def test_change_on_main_is_committed_in_dev_and_proposed_for_production(shop: App) -> None:
    acme, maxi = shop.acme, shop.acme.home.max
    app = make_app(acme, "mail", own_template=True, everywhere=True)
    commit = app.deliver()
    merged = merge(maxi, acme.manifests, proposals(maxi, acme.manifests, app.proposed)[0])
    succeeded(maxi, pipeline_of(maxi, acme.manifests, merged))

    changed = change_template(app, "main")
    succeeded(maxi, pipeline_of(maxi, acme.manifests, changed))
    assert SLOWER in app.deployed()
    assert SLOWER not in app.deployed("production")
    (request,) = proposals(maxi, acme.manifests, "headgate/production/_rehydrate")
    proposed = app.deployed("production", request["source_branch"])
    assert SLOWER in proposed
    assert commit[:8] in proposed


def test_change_in_a_merge_request_is_hydrated_onto_its_branch(shop: App) -> None:
    acme, maxi = shop.acme, shop.acme.home.max
    app = make_app(acme, "news", own_template=True)
    app.deliver()
    changed = change_template(app, "slower")
    request = propose(maxi, acme.manifests, "slower", "Take it slower")
    succeeded(maxi, pipeline_of(maxi, acme.manifests, changed, "merge_request_event"))
    hydrated = head(maxi, acme.manifests, "slower")
    assert hydrated != changed
    succeeded(maxi, pipeline_of(maxi, acme.manifests, hydrated, "merge_request_event"))
    assert SLOWER in app.deployed(revision="slower")
    assert SLOWER not in app.deployed()
    (note,) = notes(maxi, acme.manifests, request)
    assert "minReadySeconds" in note

    merged = merge(maxi, acme.manifests, request)
    succeeded(maxi, pipeline_of(maxi, acme.manifests, merged))
    assert SLOWER in app.deployed()
    listed = commits(maxi, acme.manifests)
    since = listed[: [one["id"] for one in listed].index(merged)]
    assert not any("Headgate-App: news" in one["message"] for one in since)  # nothing was left to hydrate
