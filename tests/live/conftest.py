"""A GitLab for tests that know it by its API and git alone: the real one that the environment names, or the double."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from support.live.acme import App, Home, make_home, set_up
from support.live.target import addresses, named, serve_double
from support.network import only

TARGET = named(os.environ)  # now: no test sees the variables


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Make a group with people and Headgate's components, and delete it in the end."""
    with ExitStack() as stack:
        target = TARGET or stack.enter_context(serve_double(tmp_path_factory.mktemp("gitlab")))
        yield stack.enter_context(make_home(target))


@pytest.fixture(scope="session")
def shop(home: Home) -> App:
    """Return the first app of a manifest project, set up directly."""
    return set_up(home, "direct", "dev:commit", "production:review")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    """Let this process reach loopback, and the GitLab that is named with its registry, and nothing else."""
    registry = home.components.images.partition("/")[0]
    reached = addresses(home.place.admin.gitlab.host) | addresses(registry) if TARGET else frozenset()
    only(monkeypatch, reached)
