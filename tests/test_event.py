"""What a job's environment tells, and what is refused before any token is sent anywhere."""

from __future__ import annotations

import pytest

from headgate.errors import ConfigError, UntrustedError
from headgate.gitlab.event import read_event

SURROUNDINGS = {
    "HEADGATE_SERVER": "https://gitlab.example.com",
    "HEADGATE_MANIFESTS": "acme/manifests",
    "CI_JOB_TOKEN": "job-secret",
    "CI_SERVER_URL": "https://gitlab.example.com",
    "CI_API_V4_URL": "https://gitlab.example.com/api/v4",
    "CI_PROJECT_URL": "https://gitlab.example.com/acme/manifests",
}


def test_what_the_component_and_gitlab_set_is_read() -> None:
    event = read_event(
        {
            **SURROUNDINGS,
            "HEADGATE_ACTION": "promote",
            "HEADGATE_SOURCE": "dev",
            "CI_UPSTREAM_PIPELINE_ID": "42",
            "HEADGATE_READ_TOKEN": "read-secret",
            "CI_REGISTRY": "registry.example.com",
        }
    )
    assert event.registry_variables == {
        "CI_JOB_TOKEN": "job-secret",
        "HEADGATE_READ_TOKEN": "read-secret",
        "CI_REGISTRY": "registry.example.com",
    }
    assert (event.server, event.manifests, event.upstream) == ("https://gitlab.example.com", "acme/manifests", 42)
    assert (event.form.action, event.form.source, event.form.app) == ("promote", "dev", "")
    assert (event.tokens.job, event.tokens.read, event.tokens.write) == ("job-secret", "read-secret", "")


def test_no_token_shows_in_a_record_that_is_printed() -> None:
    event = read_event({**SURROUNDINGS, "HEADGATE_TOKEN": "write-secret", "DOCKER_AUTH_CONFIG": "docker-secret"})
    assert "secret" not in repr(event)


@pytest.mark.parametrize("name", ["HEADGATE_SERVER", "HEADGATE_MANIFESTS", "CI_JOB_TOKEN"])
def test_missing_variable_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is not set"):
        read_event({key: value for key, value in SURROUNDINGS.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CI_API_V4_URL", "https://evil.example.net/api/v4"),
        ("CI_API_V4_URL", "https://gitlab.example.com.evil.example.net/api/v4"),
        ("CI_API_V4_URL", "https://gitlab.example.com@evil.example.net/api/v4"),
        ("CI_SERVER_URL", "http://gitlab.example.com"),
        ("CI_SERVER_URL", "https://gitlab.example.com:8443"),
        ("CI_PROJECT_URL", "https://evil.example.net/acme/manifests"),
        ("HEADGATE_SERVER", "https://evil.example.net"),
        ("HEADGATE_SERVER", "https://user:password@gitlab.example.com"),
        ("HEADGATE_SERVER", "file:///etc"),
    ],
)
def test_address_set_from_outside_is_refused(name: str, value: str) -> None:
    with pytest.raises(UntrustedError):
        read_event({**SURROUNDINGS, name: value})


def test_gitlab_below_a_path_is_fine() -> None:
    below = {name: value.replace("example.com", "example.com/git") for name, value in SURROUNDINGS.items()}
    assert read_event(below).server == "https://gitlab.example.com/git"


@pytest.mark.parametrize("value", ["", "x", "1; rm", "9" * 30])
def test_number_of_the_upstream_pipeline_is_only_a_hint(value: str) -> None:
    assert read_event({**SURROUNDINGS, "CI_UPSTREAM_PIPELINE_ID": value}).upstream == 0
