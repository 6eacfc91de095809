"""What the live tests make of a GitLab, and leave of it: on the double, which has GitLab's rules for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from support.live.api import RefusedError, below, get, part, post
from support.live.checkout import PushRefusedError, checkout
from support.live.images import push_small_image
from support.live.looks import file, head
from support.live.place import DEVELOPER, MAINTAINER, REPORTER, make_person, make_place, make_project
from support.live.settings import protect
from support.live.target import Target, named, serve_double

URL = {"HEADGATE_TEST_GITLAB_URL": "https://gitlab.example.com/"}
REST = {"HEADGATE_TEST_GITLAB_TOKEN": "t", "HEADGATE_TEST_IMAGE": "registry.example.com/headgate:1"}


@pytest.fixture
def gitlab(tmp_path: Path) -> Iterator[Target]:
    with serve_double(tmp_path / "gitlab") as target:
        yield target


def test_double_is_taken_unless_a_gitlab_is_named() -> None:
    assert named({}) is None
    assert named({**URL, **REST}) == Target("https://gitlab.example.com", "t", "", "registry.example.com/headgate:1")
    for missing in REST:
        with pytest.raises(ValueError, match=missing):
            named({**URL, **REST, missing: ""})


def test_nothing_is_left_but_a_marked_group_at_the_top(gitlab: Target) -> None:
    with make_place(gitlab) as place:
        dana = make_person(place, "dana")
        shop = make_project(place, "shop", {dana: DEVELOPER})
        assert get(dana, below(shop))["path_with_namespace"] == f"{place.group['full_path']}/shop"
    admin = place.admin
    with pytest.raises(RefusedError, match="404"):
        get(admin, below(shop))
    with pytest.raises(RefusedError, match="401"):
        get(dana, "/user")
    assert get(admin, "/users", username=dana.name) == []
    assert get(admin, f"/groups/{place.group['id']}")["marked_for_deletion_on"]


def test_group_below_another_is_gone_too(gitlab: Target) -> None:
    with make_place(gitlab) as above:
        with make_place(replace(gitlab, group=above.group["full_path"])) as place:
            assert place.group["full_path"].startswith(f"{above.group['full_path']}/headgate-test-")
        with pytest.raises(RefusedError, match="404"):
            get(above.admin, f"/groups/{part(place.group['full_path'])}")


def test_what_was_made_is_removed_when_a_test_fails(gitlab: Target) -> None:
    with suppress(RefusedError), make_place(gitlab) as place:
        shop = make_project(place, "shop", {})
        make_project(place, "shop", {})  # its path is taken
    with pytest.raises(RefusedError, match="404"):
        get(place.admin, below(shop))


def test_roles_hold_and_tokens_are_in_no_file_of_a_checkout(gitlab: Target) -> None:
    with make_place(gitlab) as place:
        dana, maxi = make_person(place, "dana"), make_person(place, "max")
        shop = make_project(place, "shop", {dana: DEVELOPER, maxi: MAINTAINER})
        hidden = make_project(place, "hidden", {maxi: REPORTER})
        with checkout(maxi, shop) as clone:
            commit = clone.commit({"a/b.txt": "one\n"}, "Begin")
            clone.push()
            files = [one.read_bytes() for one in clone.folder.rglob("*") if one.is_file()]
            assert files
            assert not any(maxi.token.encode() in one for one in files)
        assert head(dana, shop) == commit
        assert file(dana, shop, "a/b.txt") == "one\n"
        with checkout(dana, shop) as clone:
            clone.commit({"a/b.txt": "two\n"}, "Change")
            with pytest.raises(PushRefusedError, match="protected branches"):
                clone.push()
            protect(maxi, shop, push=DEVELOPER, merge=DEVELOPER)
            clone.push()
        with pytest.raises(RefusedError, match="404"):
            get(dana, below(hidden))
        with pytest.raises(RefusedError, match="403"):
            post(dana, "/users", username="eve")


def test_image_is_pushed_by_who_may(gitlab: Target) -> None:
    with make_place(gitlab) as place:
        dana, maxi = make_person(place, "dana"), make_person(place, "max")
        shop = make_project(place, "shop", {dana: REPORTER, maxi: DEVELOPER})
        assert push_small_image(maxi, shop, "1").startswith("sha256:")
        with pytest.raises(AssertionError, match="401"):
            push_small_image(dana, shop, "2")
