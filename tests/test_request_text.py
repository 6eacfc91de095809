"""What a reviewer reads in a merge request on a GitLab: verdict, what merging does, commits, where the page is."""

from __future__ import annotations

import json
import re

import pytest

from support.gitlab.gitside import refs
from support.gitlab.mergeside import merge
from support.reviewing import DEPLOYMENT, Scene, quiet


def second(scene: Scene, files: dict[str, str | None] | None = None) -> str:
    """Return the description of a second version's merge request, after the first one was merged."""
    scene.hand_off()
    merge(scene.gitlab, scene.the_request(), scene.person)
    assert scene.new_version(files).code == 0
    return scene.the_request().description


def test_a_new_image_is_routine_and_links_to_its_commits_and_to_the_page_of_its_job(scene: Scene) -> None:
    old = refs(scene.app)["refs/heads/main"]
    text = second(scene)
    assert ":white_check_mark: **Routine**: only images and versions change" in text
    assert "After the merge, Flux applies it in production, from main." in text
    assert "restarts its pods (image web)" in text

    assert f"/compare/{old}...{refs(scene.app)['refs/heads/main']}" in text
    assert text.count("\n  - `Change`") == 2  # of the image and of the config

    job = [job for pipeline in scene.manifests.pipelines for job in pipeline.jobs][-1]
    page = f"{scene.gitlab.url}/platform/manifests/-/jobs/{job.id}/artifacts/file/headgate-report/report.html"
    assert f"[Side by side]({page})" in text
    folder = scene.folder / "headgate-report"
    assert "Routine" in (folder / "report.html").read_text()
    assert json.loads((folder / "review.json").read_text())["verdict"]["word"] == "routine"
    quiet(scene)


@pytest.mark.long
def test_a_change_of_the_apps_config_is_not(scene: Scene) -> None:
    text = second(scene, {"deploy/web.yaml": DEPLOYMENT.replace("replicas: 2", "replicas: 0")})
    assert ":mag: **Look at this**: 1 risk, 1 object changes in more than images and versions" in text
    assert re.search(r":warning: `Deployment [^`]*`: scales from 2 to 0 \(the app's config and image web\)", text)


@pytest.mark.long
def test_titles_that_the_token_may_not_read_are_left_out(scene: Scene) -> None:
    scene.gitlab.fail("GET", "/repository/commits$", 403)
    text = second(scene)
    assert "**Routine**" in text
    assert "`Change`" not in text
