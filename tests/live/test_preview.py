"""An app's merge request is told what the final YAML would become."""

from __future__ import annotations

import pytest

from support.live.acme import App, make_app
from support.live.checkout import checkout
from support.live.looks import file, head, notes, propose
from support.live.pipelines import log, pipeline_of, succeeded
from support.live.settings import allow_jobs, set_variable

pytestmark = pytest.mark.long
INCLUDE = """
  - component: $CI_SERVER_FQDN/{}/preview@{}
    inputs:
      manifests: {}
"""


def test_merge_request_of_an_app_gets_one_note_and_nothing_is_changed(shop: App) -> None:
    acme, home = shop.acme, shop.acme.home
    app = make_app(acme, "wiki", own_config=True)
    app.deliver()
    allow_jobs(home.max, acme.manifests, app.project)
    set_variable(home.max, app.project, "HEADGATE_BRANCH_TOKEN", home.dana.token, protected=False)
    ci = file(home.dana, app.project, ".gitlab-ci.yml")
    ci += INCLUDE.format(home.components.path, home.version, acme.manifests.path).removeprefix("\n")
    own = app.config.replace("spec:\n  sel", "spec:\n  replicas: 5\n  sel")
    before = head(home.max, acme.manifests)
    with checkout(home.dana, app.project, "more") as clone:
        files = {".gitlab-ci.yml": ci, "deploy/app.yaml": own}
        commit = clone.commit(files, "More of it")
        clone.push("more")
    request = propose(home.dana, app.project, "more", "More of it")
    shown = succeeded(home.max, pipeline_of(home.dana, app.project, commit, "merge_request_event"))
    assert "replicas" in log(home.dana, shown)
    (note,) = notes(home.dana, app.project, request)
    assert "replicas" in note
    assert head(home.max, acme.manifests) == before
