"""What is refused, changes nothing, and says why."""

from __future__ import annotations

import pytest

from support.live.acme import App, make_app
from support.live.api import Account
from support.live.looks import file, head
from support.live.pipelines import Pipeline, log, triggered

pytestmark = pytest.mark.long


def refused(account: Account, pipeline: Pipeline) -> str:
    """Check that a hand-off failed, in the app's pipeline too, and return what was said."""
    assert pipeline["status"] == "failed"
    run = triggered(account, pipeline)
    assert run["status"] == "failed"
    return log(account, run)


def test_project_that_claims_the_image_of_another_app_is_refused(shop: App) -> None:
    acme, maxi = shop.acme, shop.acme.home.max
    thief = make_app(acme, "thief", own_config=True)
    before = head(maxi, acme.manifests)
    stolen = file(maxi, thief.project, ".gitlab-ci.yml").replace(thief.project.images, shop.project.images)
    _, pipeline = thief.build({".gitlab-ci.yml": stolen})
    assert "no app takes the image" in refused(maxi, pipeline)
    assert head(maxi, acme.manifests) == before


def test_branch_that_is_not_protected_is_refused(shop: App) -> None:
    acme, maxi = shop.acme, shop.acme.home.max
    ci = file(maxi, shop.project, ".gitlab-ci.yml").rstrip("\n")
    always = f'{ci}\n      rules:\n        - if: $CI_PIPELINE_SOURCE == "push"\n'
    before = head(maxi, acme.manifests)
    _, pipeline = shop.build({".gitlab-ci.yml": always}, branch="mine")
    assert "which is not protected" in refused(maxi, pipeline)
    assert head(maxi, acme.manifests) == before
