"""What tests of the image share: the engine's services, and a GitLab whose jobs run in the image."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from headgate import __version__, tools
from support.acme import ROOT, Acme, make_acme
from support.containers import IMAGE, docker, in_container
from support.gitlab import serve_gitlab
from support.registry import Registry

if TYPE_CHECKING:
    from pytest_docker.plugin import Services


@pytest.fixture(scope="session")
def docker_compose_command() -> str:
    """Return how Compose is called here."""
    return str(ROOT / "image" / "compose")


@pytest.fixture(scope="session")
def docker_setup() -> list[str]:
    """Return how Compose starts the services; nothing is built or pulled."""
    return ["up -d"]


@pytest.fixture(scope="session")
def docker_compose_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the services' file, with the settings that it names in the environment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    settings = tmp_path_factory.mktemp("registry") / "registry.json"
    storage = {"filesystem": {"rootdirectory": "/var/lib/registry"}, "delete": {"enabled": True}}
    settings.write_text(json.dumps({"version": 0.1, "storage": storage, "http": {"addr": host, "secret": "of-a-test"}}))
    settings.chmod(0o644)
    os.environ |= {
        "BASE": os.environ.get("HEADGATE_BASE", "debian:trixie-slim"),
        "REGISTRY_PROGRAM": str(tools.own_folder() / "registry"),
        "REGISTRY_SETTINGS": str(settings),
        "REGISTRY_HOST": host,
    }
    return str(Path(__file__).parent / "compose.yml")


@pytest.fixture(scope="session")
def served(docker_services: Services) -> Registry:
    """Return the registry, as soon as it answers."""
    host = os.environ["REGISTRY_HOST"]

    def answers() -> bool:
        try:
            return requests.get(f"http://{host}/v2/", timeout=5).ok
        except requests.ConnectionError:
            return False

    docker_services.wait_until_responsive(answers, timeout=30, pause=0.1)
    return Registry(host)


MakeAcme = Callable[..., Acme]


@pytest.fixture
def make(tmp_path: Path, served: Registry) -> Iterator[MakeAcme]:
    """Return what makes a GitLab whose jobs run in the image, by the name that the components give it."""
    with ExitStack() as stack:

        def made(*options: str, **more: Any) -> Acme:
            gitlab = stack.enter_context(serve_gitlab(tmp_path / "gitlab"))
            gitlab.execute = in_container(*options)
            acme = make_acme(gitlab, served, tmp_path, **more)
            for project in gitlab.projects:
                project.pipelines.clear()
            commit = acme.gitlab.commit(acme.headgate, __version__)
            name = f"{served.host}/headgate/headgate:{commit}"
            subprocess.run([docker(), "tag", IMAGE, name], check=True)
            stack.callback(subprocess.run, [docker(), "rmi", name], check=True, capture_output=True)
            return acme

        yield made
