"""A place of its own on a GitLab: a group, people and projects in it, all of it deleted afterwards.

The people are users that an administrator makes, since the tests are about roles that differ from project to project:
the account of a project's or group's access token cannot be made a member of another project
(https://docs.gitlab.com/user/project/settings/project_access_tokens/#bot-users-for-projects).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from support.live.api import Account, Project, RefusedError, ask, below, get, listed, part, post, until
from support.live.pipelines import ENDED
from support.live.target import Target

# https://docs.gitlab.com/api/access_requests/#valid-access-levels
NO_ONE, REPORTER, DEVELOPER, MAINTAINER = 0, 20, 30, 40


@dataclass(frozen=True)
class Place:
    """A group, and the administrator who made it. ``projects`` and ``people`` are what is to be deleted."""

    admin: Account
    group: Mapping[str, Any]
    suffix: str
    projects: list[Project] = field(default_factory=list)
    people: list[Account] = field(default_factory=list)


@contextmanager
def make_place(target: Target) -> Iterator[Place]:
    """Make a group for as long as the block lasts."""
    unnamed = Account(target, "administrator", 0, target.token)
    admin = Account(target, (told := get(unnamed, "/user"))["username"], told["id"], target.token)
    suffix = secrets.token_hex(4)
    above = {"parent_id": get(admin, f"/groups/{part(target.group)}")["id"]} if target.group else {}
    name = f"headgate-test-{suffix}"
    group = post(admin, "/groups", name=name, path=name, visibility="private", **above)
    place = Place(admin, group, suffix)
    try:
        yield place
    finally:
        _remove(place)


def make_person(place: Place, name: str) -> Account:
    """Make a user, and a token for it."""
    admin, login = place.admin, f"{name}-{place.suffix}"
    mail = f"{login}@example.com"
    flags = {"force_random_password": True, "skip_confirmation": True}
    made = post(admin, "/users", username=login, name=name.title(), email=mail, **flags)
    token = post(admin, f"/users/{made['id']}/personal_access_tokens", name="tests", scopes=["api", "write_repository"])
    place.people.append(Account(admin.gitlab, login, made["id"], token["token"]))
    return place.people[-1]


def make_project(place: Place, name: str, members: Mapping[Account, int]) -> Project:
    """Make an empty project with these members. Raises AssertionError where GitLab has no container registry."""
    told = post(place.admin, "/projects", name=name, path=name, namespace_id=place.group["id"], visibility="private")
    images = told.get("container_registry_image_prefix")
    assert images, "this GitLab has no container registry; the tests push images there"
    made = Project(told["id"], told["path_with_namespace"], images)
    place.projects.append(made)
    for account, level in members.items():
        post(place.admin, below(made, "/members"), user_id=account.id, access_level=level)
    return made


def _remove(place: Place) -> None:
    """Delete what was made. What fails is told after all the rest was tried."""
    failed = [*_quiet(place)]
    for one in reversed(place.projects):
        failed += _deleted(place.admin, below(one), "path_with_namespace")
    failed += _deleted(place.admin, f"/groups/{place.group['id']}", "full_path")
    for person in place.people:
        try:
            ask(place.admin, "DELETE", f"/users/{person.id}", hard_delete="true")
        except RefusedError as error:
            failed.append(str(error))
    assert not failed, "\n".join(failed)


def _quiet(place: Place) -> Iterator[str]:
    """Wait until no pipeline runs or waits; yield what ran for too long."""

    def is_quiet() -> bool | None:
        found = [one for project in place.projects for one in listed(place.admin, below(project, "/pipelines"))]
        return None if any(one["status"] not in ENDED for one in found) else True

    try:
        until(place.admin, "all pipelines to end", is_quiet)
    except AssertionError as error:
        yield str(error)


def _deleted(account: Account, path: str, name: str) -> Iterator[str]:
    """Delete a project or a group; yield why that failed.

    Since 18.0, GitLab marks it first; asked again by its path of then, it deletes it at once, other than a group at
    the top: https://docs.gitlab.com/api/projects/#delete-a-project and https://docs.gitlab.com/api/groups/#delete-a-group.
    """
    try:
        ask(account, "DELETE", path)
        with suppress(RefusedError):  # it is gone already, or a group at the top
            ask(account, "DELETE", path, permanently_remove="true", full_path=get(account, path)[name])
    except RefusedError as error:
        yield str(error)
