"""Against a real registry."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from headgate.errors import ConfigError, RegistryError
from headgate.model import Settings
from headgate.objects.images import Reference, parse_reference
from headgate.registry.credentials import Credential, RegistryAccess, access
from headgate.registry.digests import resolve, revision
from support.registry import (
    OCI,
    REVISION,
    ROBOT,
    Registry,
    htpasswd,
    push_image,
    push_index,
    push_manifest,
    serve_registry,
)
from support.tokens import SERVICE, Guarded, serve_guarded

COMMIT, OTHER = "1a" * 20, "2b" * 20
ANYBODY = RegistryAccess()


def image(registry: Registry, name: str = "main") -> Reference:
    return parse_reference(f"{registry.host}/acme/shop{'@' if name.startswith('sha256:') else ':'}{name}")


def said(registry: Registry, name: str = "main") -> str | None:
    return revision(resolve(image(registry, name), ANYBODY), ANYBODY)


@pytest.mark.parametrize("is_docker", [False, True])
def test_a_tag_becomes_the_digest_of_what_was_pushed(registry: Registry, is_docker: bool) -> None:
    digest = push_image(registry, "acme/shop", "main", is_docker=is_docker)
    found = resolve(image(registry), ANYBODY)
    assert found == Reference(f"{registry.host}/acme/shop", "main", digest)


@pytest.mark.parametrize("is_docker", [False, True])
def test_an_index_is_kept_whole(registry: Registry, is_docker: bool) -> None:
    images = {
        f"linux/{one}": push_image(registry, "acme/shop", "", is_docker=is_docker, architecture=one)
        for one in ("amd64", "arm64")
    }
    digest = push_index(registry, "acme/shop", "main", images, is_docker=is_docker)
    found = resolve(image(registry), ANYBODY)
    assert found.digest == digest
    assert digest not in images.values()


def test_a_digest_without_a_tag_must_be_there(registry: Registry) -> None:
    digest = push_image(registry, "acme/shop", "main")
    assert resolve(image(registry, digest), ANYBODY) == image(registry, digest)
    absent = f"sha256:{'0' * 64}"
    with pytest.raises(RegistryError, match=f"image {registry.host}/acme/shop@{absent} not found") as caught:
        resolve(image(registry, absent), ANYBODY)
    assert caught.value.status == 404


def test_a_tag_must_point_to_the_digest_beside_it(registry: Registry) -> None:
    first = push_image(registry, "acme/shop", "main", {"build": "1"})
    both = Reference(f"{registry.host}/acme/shop", "main", first)
    assert resolve(both, ANYBODY) == both
    second = push_image(registry, "acme/shop", "main", {"build": "2"})
    with pytest.raises(RegistryError, match="points to") as caught:
        resolve(both, ANYBODY)
    assert first in str(caught.value)
    assert second in str(caught.value)
    assert first != second


def test_a_tag_that_is_gone_does_not_vouch_for_a_digest(registry: Registry) -> None:
    digest = push_image(registry, "acme/shop", "main")
    with pytest.raises(RegistryError, match=f"image {registry.host}/acme/shop:gone not found"):
        resolve(Reference(f"{registry.host}/acme/shop", "gone", digest), ANYBODY)


@pytest.mark.parametrize("name", ["acme/shop:other", "acme/nothing:main"])
def test_an_image_that_is_not_there_is_said_to_be_missing(registry: Registry, name: str) -> None:
    push_image(registry, "acme/shop", "main")
    with pytest.raises(RegistryError, match=f"image {registry.host}/{name}") as caught:
        resolve(parse_reference(f"{registry.host}/{name}"), ANYBODY)
    assert "before the hand-off" in caught.value.hint


@pytest.mark.parametrize("name", ["acme/shop", f"acme/shop@sha512:{'0' * 128}", "acme/../shop:main", "Acme/shop:main"])
def test_what_no_registry_can_have_is_not_asked_for(registry: Registry, name: str) -> None:
    with pytest.raises(ConfigError):
        resolve(parse_reference(f"{registry.host}/{name}"), ANYBODY)


class TestRevision:
    def test_is_read_from_the_label(self, registry: Registry) -> None:
        push_image(registry, "acme/shop", "main", {REVISION: COMMIT})
        assert said(registry) == COMMIT

    def test_is_read_from_a_docker_image(self, registry: Registry) -> None:
        push_image(registry, "acme/shop", "main", {REVISION: COMMIT}, is_docker=True)
        assert said(registry) == COMMIT

    def test_is_read_from_the_annotation_before_the_label_of_a_base_image(self, registry: Registry) -> None:
        push_image(registry, "acme/shop", "main", {REVISION: OTHER}, annotations={REVISION: COMMIT})
        assert said(registry) == COMMIT

    def test_is_none_without_label(self, registry: Registry) -> None:
        push_image(registry, "acme/shop", "main", {"maintainer": "acme"})
        assert said(registry) is None

    def test_is_that_of_the_digest_and_not_of_where_the_tag_points_by_now(self, registry: Registry) -> None:
        push_image(registry, "acme/shop", "main", {REVISION: COMMIT})
        resolved = resolve(image(registry), ANYBODY)
        push_image(registry, "acme/shop", "main", {REVISION: OTHER})
        assert revision(resolved, ANYBODY) == COMMIT

    @pytest.mark.long
    @pytest.mark.parametrize(
        ("labels", "expected"),
        [
            ((COMMIT, COMMIT), COMMIT),
            ((COMMIT, OTHER), None),
            ((COMMIT, ""), None),
            (("", COMMIT), None),
            (("", ""), None),
        ],
    )
    def test_of_an_index_every_platform_must_agree(
        self, registry: Registry, labels: tuple[str, str], expected: str | None
    ) -> None:
        platforms = zip(("amd64", "arm64"), labels, strict=True)
        images = {
            f"linux/{one}": push_image(registry, "acme/shop", "", {REVISION: label} if label else {}, architecture=one)
            for one, label in platforms
        }
        push_index(registry, "acme/shop", "main", images)
        assert said(registry) == expected

    def test_of_an_index_may_be_its_own_annotation(self, registry: Registry) -> None:
        images = {"linux/amd64": push_image(registry, "acme/shop", "", {REVISION: OTHER})}
        push_index(registry, "acme/shop", "main", images, annotations={REVISION: COMMIT})
        assert said(registry) == COMMIT

    def test_is_not_asked_of_attestations(self, registry: Registry) -> None:
        images = {"linux/amd64": push_image(registry, "acme/shop", "", {REVISION: COMMIT})}
        attestation = push_image(registry, "acme/shop", "", {}, architecture="unknown")
        push_index(registry, "acme/shop", "main", images, attestations=[attestation])
        assert said(registry) == COMMIT

    def test_of_attestations_alone_is_none(self, registry: Registry) -> None:
        attestation = push_image(registry, "acme/shop", "", {REVISION: COMMIT}, architecture="unknown")
        push_index(registry, "acme/shop", "main", {}, attestations=[attestation])
        assert said(registry) is None

    def test_of_an_index_within_an_index_is_not_searched_for(self, registry: Registry) -> None:
        digest = push_image(registry, "acme/shop", "", {REVISION: COMMIT})
        inner = push_index(registry, "acme/shop", "inner", {"linux/amd64": digest})
        entry = {"mediaType": f"{OCI}index.v1+json", "digest": inner, "size": 1}
        outer = {"schemaVersion": 2, "mediaType": f"{OCI}index.v1+json", "manifests": [entry]}
        push_manifest(registry, "acme/shop", "main", outer)
        assert (said(registry, "inner"), said(registry)) == (COMMIT, None)


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Registry]:
    auth, headers = htpasswd(tmp_path / "locked")
    with serve_registry(tmp_path / "locked", auth, headers) as running:
        push_image(running, "acme/shop", "main", {REVISION: COMMIT})
        yield running


def login(registry: Registry, secret: str = ROBOT[1], name: str = "DOCKER_AUTH_CONFIG") -> Credential:
    return Credential(name=name, host=registry.host, user=ROBOT[0], secret=secret)


class TestPassword:
    def test_opens(self, locked: Registry) -> None:
        reach = RegistryAccess((login(locked),))
        assert revision(resolve(image(locked), reach), reach) == COMMIT

    def test_that_is_denied_gives_way_to_the_next(self, locked: Registry) -> None:
        reach = RegistryAccess((login(locked, "wr0ng-one"), login(locked, name="HEADGATE_READ_TOKEN")))
        assert resolve(image(locked), reach).digest

    def test_is_asked_for_where_there_is_none(self, locked: Registry) -> None:
        with pytest.raises(RegistryError, match="tried without a login") as caught:
            resolve(image(locked), RegistryAccess((replace(login(locked), host="elsewhere.example.com"),)))
        assert f"add a login for {locked.host} in DOCKER_AUTH_CONFIG" in caught.value.hint

    def test_that_is_wrong_is_named_and_not_shown(self, locked: Registry) -> None:
        reach = RegistryAccess((login(locked, "wr0ng-one"), login(locked, "wr0ng-two", "the job token")))
        with pytest.raises(
            RegistryError, match="with DOCKER_AUTH_CONFIG, the job token, and without a login"
        ) as caught:
            resolve(image(locked), reach)
        assert caught.value.status == 401
        assert "wr0ng" not in str(caught.value)
        assert "Job token permissions" in caught.value.hint


JOB = ("gitlab-ci-token", "job-token-of-a-test")
DEPLOY = ("gitlab+deploy-token-1", "deploy-token-of-a-test")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    with serve_guarded(tmp_path / "guarded", {JOB: "acme/", DEPLOY: "team/"}) as running:
        for repository in ("acme/shop", "team/tool", "public/base"):
            push_image(running.registry, repository, "main", {REVISION: COMMIT})
        yield running


def with_logins(guarded: Guarded, *logins: tuple[str, str], realms: bool = True) -> RegistryAccess:
    host = guarded.registry.host
    names = {JOB: "the job token", DEPLOY: "the deploy token"}
    return RegistryAccess(
        tuple(
            Credential(name=names.get((user, secret), "DOCKER_AUTH_CONFIG"), host=host, user=user, secret=secret)
            for user, secret in logins
        ),
        {host: frozenset({guarded.tokens.host})} if realms else {},
    )


class TestToken:
    def test_is_had_for_the_job_token(self, guarded: Guarded) -> None:
        reach = with_logins(guarded, JOB)
        assert revision(resolve(image(guarded.registry), reach), reach) == COMMIT

    def test_is_asked_for_one_repository_and_for_pulling_only(self, guarded: Guarded) -> None:
        resolve(image(guarded.registry), with_logins(guarded, JOB))
        assert [one.query for one in guarded.tokens.asked] == [
            {"scope": ["repository:acme/shop:pull"], "service": [SERVICE]}
        ]

    def test_is_asked_for_once_for_several_questions(self, guarded: Guarded) -> None:
        reach = with_logins(guarded, JOB)
        resolved = resolve(image(guarded.registry), reach)
        guarded.tokens.asked.clear()
        assert revision(resolved, reach) == COMMIT
        assert len(guarded.tokens.asked) == 1

    @pytest.mark.parametrize("first", [("robot", "expired"), JOB])
    def test_is_had_for_the_next_login_when_one_is_denied(self, guarded: Guarded, first: tuple[str, str]) -> None:
        # The one is unknown there, which denies the token; the other gets one that opens another repository.
        reference = parse_reference(f"{guarded.registry.host}/team/tool:main")
        assert resolve(reference, with_logins(guarded, first, DEPLOY)).digest

    def test_for_everybody_needs_no_login(self, guarded: Guarded) -> None:
        reference = parse_reference(f"{guarded.registry.host}/public/base:main")
        assert resolve(reference, with_logins(guarded, realms=False)).digest
        assert resolve(reference, with_logins(guarded, ("robot", "expired"))).digest

    def test_that_opens_nothing_is_denied_by_name(self, guarded: Guarded) -> None:
        with pytest.raises(RegistryError, match="denied team/tool") as caught:
            resolve(parse_reference(f"{guarded.registry.host}/team/tool:main"), with_logins(guarded, JOB))
        assert "the job token" in caught.value.what
        assert JOB[1] not in str(caught.value)

    def test_is_asked_of_gitlab_for_its_registry_with_the_first_login_that_it_takes(self, guarded: Guarded) -> None:
        host, wrong = guarded.registry.host, base64.b64encode(b"robot:expired").decode()
        settings = Settings.model_validate(
            {
                "version": 1,
                "environments": {"dev": {"delivery": "commit"}},
                "gitlab": {"url": f"http://{guarded.tokens.host}", "project": "acme/manifests", "registry": host},
            }
        )
        docker = json.dumps({"auths": {f"http://{host}/v2/": {"auth": wrong}}})
        variables = {"CI_JOB_TOKEN": JOB[1], "HEADGATE_READ_TOKEN": "no-scope", "DOCKER_AUTH_CONFIG": docker}
        assert resolve(image(guarded.registry), access(settings, variables)).digest
        sent = [base64.b64decode(one.removeprefix("Basic ")).decode() for one in guarded.tokens.logins]
        assert sent == ["robot:expired", "headgate:no-scope", ":".join(JOB)]

    def test_is_not_asked_of_another_host_with_a_login(self, guarded: Guarded) -> None:
        with pytest.raises(RegistryError, match=f"at another host, {guarded.tokens.host}; nothing was sent") as caught:
            resolve(image(guarded.registry), with_logins(guarded, JOB, realms=False))
        assert guarded.tokens.logins == []
        assert f'registries: {{"{guarded.registry.host}": {{realms: ["{guarded.tokens.host}"]}}}}' in caught.value.hint

    def test_for_everybody_is_asked_of_another_host_without_the_login(self, guarded: Guarded) -> None:
        reference = parse_reference(f"{guarded.registry.host}/public/base:main")
        assert resolve(reference, with_logins(guarded, JOB, realms=False)).digest
        assert guarded.tokens.logins == []
        assert guarded.tokens.asked
