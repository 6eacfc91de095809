from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from headgate.errors import ConfigError
from headgate.model import Settings
from headgate.registry.credentials import RegistryAccess, access, credentials, registry_host

SECRET = "s3cret-of-robot"
AUTH = base64.b64encode(f"robot:{SECRET}".encode()).decode()
GITLAB = {
    "HEADGATE_READ_TOKEN": "read-token",
    "CI_DEPLOY_USER": "gitlab+deploy-token-1",
    "CI_DEPLOY_PASSWORD": "deploy-token",
    "CI_JOB_TOKEN": "job-token",
}


def docker(auths: Any) -> dict[str, str]:
    return {"DOCKER_AUTH_CONFIG": json.dumps({"auths": auths})}


def settings(**more: Any) -> Settings:
    return Settings.model_validate({"version": 1, "environments": {"dev": {"delivery": "commit"}}, **more})


def told(found: Any) -> list[tuple[str, str, str, str]]:
    return [(one.name, one.host, one.user, one.secret) for one in found]


@pytest.mark.parametrize(
    ("spelling", "host"),
    [
        ("registry.example.com", "registry.example.com"),
        ("Registry.example.com:5050", "registry.example.com:5050"),
        ("https://registry.example.com", "registry.example.com"),
        ("https://registry.example.com:443/v2/", "registry.example.com"),
        ("http://127.0.0.1:5000/", "127.0.0.1:5000"),
        ("registry.example.com/acme/shop", "registry.example.com"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
    ],
)
def test_a_host_is_the_same_however_it_is_spelled(spelling: str, host: str) -> None:
    assert registry_host(spelling) == host
    assert told(credentials(docker({spelling: {"auth": AUTH}}))) == [("DOCKER_AUTH_CONFIG", host, "robot", SECRET)]


def test_a_login_is_read_from_user_name_and_password_too() -> None:
    found = credentials(docker({"a.example.com": {"username": "robot", "password": "a:b"}}))
    assert told(found) == [("DOCKER_AUTH_CONFIG", "a.example.com", "robot", "a:b")]


def test_a_password_may_hold_colons() -> None:
    auth = base64.b64encode(b"robot:a:b:c").decode()
    assert credentials(docker({"a.example.com": {"auth": auth}}))[0].secret == "a:b:c"


def test_logins_for_gitlab_go_to_gitlabs_registry_in_this_order() -> None:
    found = RegistryAccess(
        credentials({**docker({"registry.example.com": {"auth": AUTH}}), **GITLAB}, "registry.example.com")
    )
    assert told(found.logins("registry.example.com")) == [
        ("DOCKER_AUTH_CONFIG", "registry.example.com", "robot", SECRET),
        ("HEADGATE_READ_TOKEN", "registry.example.com", "headgate", "read-token"),
        ("the deploy token", "registry.example.com", "gitlab+deploy-token-1", "deploy-token"),
        ("the job token", "registry.example.com", "gitlab-ci-token", "job-token"),
    ]
    assert found.logins("elsewhere.example.com") == ()


def test_tokens_of_gitlab_go_nowhere_without_a_registry_in_headgate_yaml() -> None:
    assert credentials({**GITLAB, "CI_REGISTRY": "registry.example.com"}) == ()


@pytest.mark.parametrize("left_out", ["CI_DEPLOY_USER", "CI_DEPLOY_PASSWORD"])
def test_half_a_deploy_token_is_none(left_out: str) -> None:
    found = credentials({**GITLAB, left_out: ""}, "registry.example.com")
    assert [one.name for one in found] == ["HEADGATE_READ_TOKEN", "the job token"]


def test_secrets_are_not_shown() -> None:
    found = access(
        settings(gitlab={"url": "https://g.example.com", "project": "a/b", "registry": "r.example.com"}),
        {**docker({"a.example.com": {"auth": AUTH}}), **GITLAB},
    )
    assert len(found.credentials) == 4
    for secret in (SECRET, AUTH, "read-token", "deploy-token'", "job-token'"):
        assert secret not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        f"robot:{SECRET}",
        f'["{SECRET}"]',
        f'{{"auths": ["{SECRET}"]}}',
        json.dumps({"auths": {"a.example.com": SECRET}}),
        json.dumps({"auths": {"a.example.com": {"auth": f"{SECRET}!"}}}),
        json.dumps({"auths": {"a.example.com": {"auth": [SECRET]}}}),
        "[" * 100_000,
    ],
)
def test_what_is_no_docker_config_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ConfigError, match="DOCKER_AUTH_CONFIG") as caught:
        credentials({"DOCKER_AUTH_CONFIG": text})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", " \n", "{}", '{"auths": null}', '{"auths": {"a": {}}, "credHelpers": {"a": "b"}}']
)
def test_a_docker_config_without_logins_is_none(text: str) -> None:
    assert credentials({"DOCKER_AUTH_CONFIG": text}) == ()


def test_gitlab_may_be_asked_for_tokens_of_its_own_registry_and_of_no_other() -> None:
    found = access(
        settings(
            gitlab={"url": "https://gitlab.example.com/sub", "project": "a/b", "registry": "registry.example.com"},
            registries={"harbor.example.com": {"realms": ["login.example.com:8443"]}},
        ),
        {},
    )
    assert found.realms_of("registry.example.com") == {"gitlab.example.com"}
    assert found.realms_of("harbor.example.com") == {"login.example.com:8443"}
    assert found.realms_of("docker.io") == {"auth.docker.io"}
    assert found.realms_of("quay.io") == frozenset()


def test_realms_of_gitlabs_registry_can_be_added_to() -> None:
    found = access(
        settings(
            gitlab={"url": "https://gitlab.example.com", "project": "a/b", "registry": "registry.example.com"},
            registries={"registry.example.com": {"realms": ["other.example.com"]}, "docker.io": {}},
        ),
        {},
    )
    assert found.realms_of("registry.example.com") == {"gitlab.example.com", "other.example.com"}
    assert found.realms_of("docker.io") == {"auth.docker.io"}
