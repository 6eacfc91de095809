"""Merge requests on a GitLab: one per app and environment, whatever happens in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.reviewing import Scene, make_scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with make_scene(tmp_path) as made:
        yield made


def test_a_hand_off_opens_one_merge_request(scene: Scene) -> None:
    ended = scene.hand_off()
    print(ended.out)
    assert ended.code == 0
    one = scene.the_request()
    print(one)
    print(scene.written(), scene.app.statuses, scene.app.deployments)
    again = scene.schedule()
    print(again.out, scene.written())
    assert 0
