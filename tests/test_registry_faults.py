"""Registries that are broken, slow, or after somebody else's logins."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from headgate.certificates import trusted_certificates
from headgate.errors import RegistryError
from headgate.http import RetryLimits
from headgate.objects.images import Reference
from headgate.registry.artifact import OciArtifact
from headgate.registry.credentials import Credential, RegistryAccess
from headgate.registry.digests import resolve, revision
from headgate.registry.repository import open_repository
from headgate.registry.upload import push_artifact
from support.certificates import authority, server_context
from support.registry import DOCKER, OCI, REVISION, sha256
from support.web import Asked, Reply, Site, serve

COMMIT = "1a" * 20
MANIFEST = f"{OCI}manifest.v1+json"
INDEX = f"{OCI}index.v1+json"
LIMITS = RetryLimits(seconds=0.5, tries=2, max_wait=1)
SECRET = "s3cret-of-robot"

Serve = Callable[[Callable[[Asked], Reply]], Site]


@pytest.fixture
def site() -> Iterator[Serve]:
    """Start servers that answer as told."""
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(serve(answer))


def reference(host: str) -> Reference:
    return Reference(f"{host}/acme/shop", "main")


def access(host: str = "", *realms: str, login: bool = False, limits: RetryLimits = LIMITS) -> RegistryAccess:
    logins = (Credential(name="DOCKER_AUTH_CONFIG", host=host, user="robot", secret=SECRET),) if login else ()
    return RegistryAccess(logins, {host: frozenset(realms)}, limits=limits)


def manifest(body: bytes = b'{"schemaVersion": 2}', kind: str = MANIFEST, **headers: str) -> Reply:
    return Reply(200, body, {"Content-Type": kind, "Docker-Content-Digest": sha256(body), **headers})


def in_turn(*replies: Reply) -> Callable[[Asked], Reply]:
    """Answer one after the other, and the last again and again."""
    left = list(replies)
    return lambda asked: left.pop(0) if len(left) > 1 else left[0]


def verbs(site: Site) -> list[str]:
    return [one.verb for one in site.asked]


class TestTries:
    def test_too_many_requests_are_asked_again_after_the_time_that_is_told(self, site: Serve) -> None:
        there = site(in_turn(Reply(429, headers={"Retry-After": "1"}), manifest()))
        start = time.monotonic()
        assert resolve(reference(there.host), access()).digest
        assert time.monotonic() - start >= 1
        assert len(there.asked) == 2

    def test_too_many_requests_again_and_again_are_said(self, site: Serve) -> None:
        there = site(in_turn(Reply(429, headers={"Retry-After": "86400"})))
        start = time.monotonic()
        with pytest.raises(RegistryError, match=f"{there.host} limits the rate of requests") as caught:
            resolve(reference(there.host), access())
        assert caught.value.status == 429
        assert time.monotonic() - start < 10
        assert len(there.asked) == LIMITS.tries

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_a_broken_server_is_asked_again(self, site: Serve, status: int) -> None:
        there = site(in_turn(Reply(status), manifest()))
        assert resolve(reference(there.host), access()).digest
        assert len(there.asked) == 2

    def test_a_server_that_stays_broken_is_said(self, site: Serve) -> None:
        there = site(in_turn(Reply(503)))
        with pytest.raises(RegistryError, match=f"{there.host} answered 503 to several tries") as caught:
            resolve(reference(there.host), access())
        assert caught.value.status == 503
        assert len(there.asked) == LIMITS.tries

    def test_no_answer_in_time_is_said(self, site: Serve) -> None:
        there = site(in_turn(Reply(pause=3)))
        with pytest.raises(RegistryError, match=f"{there.host} timed out: no complete answer within 0.5 s"):
            resolve(reference(there.host), access())
        assert len(there.asked) == LIMITS.tries

    @pytest.mark.long
    def test_a_body_that_comes_by_drops_is_not_waited_for(self, site: Serve) -> None:
        there = site(lambda asked: Reply(200, b"" if asked.verb == "HEAD" else b"{" * 200, pause=0.1))
        start = time.monotonic()
        with pytest.raises(RegistryError, match="timed out"):
            resolve(reference(there.host), access())
        assert time.monotonic() - start < 5

    def test_a_body_that_breaks_off_is_asked_for_again(self, site: Serve) -> None:
        whole = manifest(b'{"schemaVersion": 2}')
        there = site(in_turn(Reply(200), Reply(200, b"{", whole.headers, length=20), whole))
        assert resolve(reference(there.host), access()).digest == sha256(whole.body)
        assert verbs(there) == ["HEAD", "GET", "GET"]

    def test_a_body_that_breaks_off_again_is_said(self, site: Serve) -> None:
        there = site(lambda asked: Reply(200, b"" if asked.verb == "HEAD" else b"{", length=20))
        with pytest.raises(RegistryError, match=f"cannot reach {there.host}"):
            resolve(reference(there.host), access())

    def test_nobody_there_is_said(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            host = f"127.0.0.1:{unused.getsockname()[1]}"
            with pytest.raises(RegistryError, match=f"cannot reach {host}: ConnectionRefusedError"):
                resolve(reference(host), access())

    def test_a_name_without_address_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(*args: object, **kwargs: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        with pytest.raises(RegistryError, match=r"cannot resolve registry\.example\.com"):
            resolve(reference("registry.example.com"), access(limits=RetryLimits(0.5, 1, 1)))

    def test_an_answer_without_end_is_not_read(self, site: Serve) -> None:
        there = site(lambda asked: Reply(200, b"" if asked.verb == "HEAD" else b" " * 5_000_000))
        with pytest.raises(RegistryError, match="sends more than 4096 KiB"):
            resolve(reference(there.host), access(limits=RetryLimits(10, 1, 1)))

    @pytest.mark.parametrize("status", [400, 405, 416])
    def test_an_answer_that_the_specification_does_not_know_is_said(self, site: Serve, status: int) -> None:
        there = site(in_turn(Reply(status)))
        with pytest.raises(RegistryError, match=f"{there.host} answered {status}"):
            resolve(reference(there.host), access())


class TestDigests:
    @pytest.mark.parametrize("head", [Reply(200), Reply(405), manifest(kind="application/json"), Reply(204)])
    def test_without_a_digest_in_the_answer_the_bytes_are_read(self, site: Serve, head: Reply) -> None:
        body = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST}).encode()
        there = site(lambda asked: head if asked.verb == "HEAD" else Reply(200, body))
        found = resolve(reference(there.host), access())
        assert found.digest == sha256(body)
        assert verbs(there) == ["HEAD", "GET"]

    def test_another_digest_in_the_header_than_of_the_bytes_is_refused(self, site: Serve) -> None:
        wrong = f"sha256:{'0' * 64}"
        get = manifest(b"{}", **{"Docker-Content-Digest": wrong})
        there = site(lambda asked: Reply(200) if asked.verb == "HEAD" else get)
        with pytest.raises(RegistryError, match="contradicts itself") as caught:
            resolve(reference(there.host), access())
        assert wrong in str(caught.value)
        assert sha256(b"{}") in str(caught.value)

    def test_another_digest_than_was_asked_for_is_refused(self, site: Serve) -> None:
        there = site(in_turn(manifest()))
        with pytest.raises(RegistryError, match="contradicts itself"):
            resolve(Reference(f"{there.host}/acme/shop", "", f"sha256:{'0' * 64}"), access())

    def test_all_kinds_of_manifests_are_asked_for(self, site: Serve) -> None:
        there = site(in_turn(manifest()))
        resolve(reference(there.host), access())
        accepted = set(there.asked[0].headers["Accept"].split(", "))
        assert accepted == {MANIFEST, INDEX, f"{DOCKER}v2+json", f"{DOCKER}list.v2+json"}
        assert there.asked[0].headers["Accept-Encoding"] == "identity", "a digest is of the bytes that were stored"

    @pytest.mark.parametrize(
        "reply",
        [
            manifest(kind=f"{DOCKER}v1+prettyjws"),
            manifest(kind=f"{DOCKER}v1+json; charset=utf-8"),
            Reply(200, b'{"schemaVersion": 1}'),
        ],
    )
    def test_schema_1_is_refused(self, site: Serve, reply: Reply) -> None:
        there = site(in_turn(reply))
        with pytest.raises(RegistryError, match="is an image of Docker's schema 1"):
            resolve(reference(there.host), access())

    @pytest.mark.parametrize(
        "body",
        [b"", b"[]", b"\xff", b"[" * 100_000, b'{"schemaVersion": 2}', b'{"mediaType": ["a"]}', b"<html></html>"],
    )
    def test_what_is_no_manifest_is_refused(self, site: Serve, body: bytes) -> None:
        there = site(lambda asked: Reply(200, b"" if asked.verb == "HEAD" else body))
        with pytest.raises(RegistryError, match="is not an image"):
            resolve(reference(there.host), access())


def stored(*contents: bytes, kind: str = MANIFEST) -> Callable[[Asked], Reply]:
    """Answer with contents by their digests."""
    by_digest = {sha256(one): one for one in contents}

    def answer(asked: Asked) -> Reply:
        digest = asked.path.rsplit("/", 1)[1]
        if digest not in by_digest:
            return Reply(404)
        return Reply(200, by_digest[digest], {"Content-Type": kind})

    return answer


def resolved(host: str, content: bytes) -> Reference:
    return Reference(f"{host}/acme/shop", "main", sha256(content))


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


CONFIG = encoded({"config": {"Labels": {REVISION: COMMIT}}})
IMAGE = encoded({"schemaVersion": 2, "config": {"digest": sha256(CONFIG)}})


class TestRevision:
    def test_other_bytes_than_the_digest_says_are_refused(self, site: Serve) -> None:
        good = site(stored(IMAGE, CONFIG))
        assert revision(resolved(good.host, IMAGE), access()) == COMMIT
        for name, forged in (("manifests", IMAGE), ("blobs", CONFIG)):

            def answer(asked: Asked, name: str = name, forged: bytes = forged) -> Reply:
                body = forged + b" " if f"/{name}/" in asked.path else stored(IMAGE, CONFIG)(asked).body
                return Reply(200, body, {"Content-Type": MANIFEST})

            there = site(answer)
            with pytest.raises(RegistryError, match="contradicts itself"):
                revision(resolved(there.host, IMAGE), access())

    @pytest.mark.parametrize(
        "content",
        [
            {},
            {"config": None},
            {"config": {"digest": 5}},
            {"config": {"digest": "../../../secret"}},
            {"config": {"digest": "sha256:00"}},
            {"config": [sha256(CONFIG)]},
        ],
    )
    def test_a_manifest_without_a_usable_configuration_is_refused(self, site: Serve, content: Any) -> None:
        there = site(stored(encoded(content)))
        with pytest.raises(RegistryError, match=r"expected sha256"):
            revision(resolved(there.host, encoded(content)), access())

    @pytest.mark.parametrize(
        "config",
        [{}, {"config": None}, {"config": {"Labels": [REVISION]}}, {"config": {"Labels": {REVISION: 5}}}],
    )
    def test_a_configuration_without_labels_says_nothing(self, site: Serve, config: Any) -> None:
        image = encoded({"config": {"digest": sha256(encoded(config))}, "annotations": [REVISION]})
        there = site(stored(image, encoded(config)))
        assert revision(resolved(there.host, image), access()) is None

    def test_an_image_that_is_gone_since_is_said(self, site: Serve) -> None:
        there = site(stored(IMAGE))
        with pytest.raises(RegistryError, match="not found"):
            revision(resolved(there.host, IMAGE), access())

    def test_of_an_index_with_many_entries_nothing_is_fetched(self, site: Serve) -> None:
        index = encoded({"mediaType": INDEX, "manifests": [{"digest": sha256(IMAGE)}] * 51})
        there = site(stored(index, IMAGE, CONFIG, kind=INDEX))
        assert revision(resolved(there.host, index), access()) is None
        assert len(there.asked) == 1


def wants(realm: str) -> Reply:
    return Reply(401, headers={"WWW-Authenticate": f'Bearer realm="{realm}",service="s",scope="a,b"'})


def behind_token(realm: Callable[[], str]) -> Callable[[Asked], Reply]:
    """Answer with an image to who has the token."""
    return lambda asked: manifest() if asked.headers.get("Authorization") == "Bearer t0ken" else wants(realm())


TOKEN = Reply(200, b'{"token": "t0ken"}')
BASIC = "Basic " + base64.b64encode(f"robot:{SECRET}".encode()).decode()


class TestLogins:
    def test_are_not_sent_to_a_realm_elsewhere(self, site: Serve) -> None:
        thief = site(in_turn(Reply(403)))
        there = site(in_turn(wants(f"http://{thief.host}/token")))
        with pytest.raises(RegistryError, match=f"at another host, {thief.host}; nothing was sent") as caught:
            resolve(reference(there.host), access(there.host, login=True))
        assert (thief.logins, there.logins) == ([], [])
        assert len(thief.asked) == 1, "it was asked for a token for everybody"
        assert SECRET not in str(caught.value)

    def test_are_sent_to_a_realm_that_headgate_yaml_names(self, site: Serve) -> None:
        realm = site(in_turn(TOKEN))
        there = site(behind_token(lambda: f"http://{realm.host}/token?account=a"))
        assert resolve(reference(there.host), access(there.host, realm.host, login=True)).digest
        assert realm.logins == [BASIC]
        assert realm.asked[0].query == {"account": ["a"], "scope": ["repository:acme/shop:pull"], "service": ["s"]}
        assert there.logins == ["Bearer t0ken"]

    @pytest.mark.parametrize(
        "query", ["scope=repository:acme/other:push", "scope=a&scope=b&service=x", "offline_token=true"]
    )
    def test_a_realm_asks_for_no_more_by_its_own_query(self, site: Serve, query: str) -> None:
        realm = site(in_turn(TOKEN))
        there = site(behind_token(lambda: f"http://{realm.host}/token?account=a&{query}"))
        assert resolve(reference(there.host), access(there.host, realm.host, login=True)).digest
        assert realm.asked[0].query == {"account": ["a"], "scope": ["repository:acme/shop:pull"], "service": ["s"]}

    def test_are_sent_to_a_realm_on_the_registrys_own_host(self, site: Serve) -> None:
        there: list[Site] = []

        def answer(asked: Asked) -> Reply:
            behind = behind_token(lambda: f"http://{there[0].host}/token")
            return TOKEN if asked.path == "/token" else behind(asked)

        there.append(site(answer))
        assert resolve(reference(there[0].host), access(there[0].host, login=True)).digest
        assert there[0].logins == [BASIC, "Bearer t0ken"]

    def test_of_another_registry_are_not_sent(self, site: Serve) -> None:
        there = site(in_turn(Reply(401, headers={"WWW-Authenticate": 'Basic realm="x"'})))
        with pytest.raises(RegistryError, match="tried without a login"):
            resolve(reference(there.host), access("registry.example.com", login=True))
        assert there.logins == []

    @pytest.mark.parametrize(
        "realm",
        [
            "http://registry.example.com/token",
            "https://user@127.0.0.1/token",
            "https://127.0.0.1\\\\@registry.example.com/token",
            "https://127.0.0.1 .example.com/token",
            "https://registry.example.com\t/token",
            "ftp://127.0.0.1/token",
            "file:///etc/passwd",
            "//127.0.0.1/token",
            "/token",
        ],
    )
    def test_are_not_sent_to_what_is_not_clearly_an_https_address(self, site: Serve, realm: str) -> None:
        there = site(in_turn(wants(realm)))
        with pytest.raises(RegistryError, match="which is not an https address"):
            resolve(reference(there.host), access(there.host, "registry.example.com", "127.0.0.1", login=True))
        assert len(there.asked) == 1
        assert there.logins == []

    def test_do_not_follow_a_realm_that_leads_elsewhere(self, site: Serve) -> None:
        thief = site(in_turn(TOKEN))
        realm = site(in_turn(Reply(307, headers={"Location": f"http://{thief.host}/token"})))
        there = site(behind_token(lambda: f"http://{realm.host}/token"))
        with pytest.raises(RegistryError, match="it answered 307"):
            resolve(reference(there.host), access(there.host, realm.host, login=True))
        assert thief.asked == []

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_do_not_follow_an_image_that_is_elsewhere(self, site: Serve, status: int) -> None:
        store = site(in_turn(manifest()))
        there = site(
            lambda asked: (
                Reply(status, headers={"Location": f"http://{store.host}/signed?by=us"})
                if asked.headers.get("Authorization") == BASIC
                else Reply(401, headers={"WWW-Authenticate": "Basic"})
            )
        )
        assert resolve(reference(there.host), access(there.host, login=True)).digest
        assert store.logins == []
        assert [one.query for one in store.asked] == [{"by": ["us"]}]

    def test_follow_an_image_on_the_same_host(self, site: Serve) -> None:
        def answer(asked: Asked) -> Reply:
            if asked.headers.get("Authorization") != BASIC:
                return Reply(401, headers={"WWW-Authenticate": "Basic"})
            return manifest() if asked.path == "/other" else Reply(307, headers={"Location": "/other"})

        there = site(answer)
        assert resolve(reference(there.host), access(there.host, login=True)).digest
        assert there.logins == [BASIC, BASIC]

    def test_are_not_taken_from_netrc(self, site: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / ".netrc").write_text(f"default login robot password {SECRET}\n")
        (tmp_path / ".netrc").chmod(0o600)
        monkeypatch.setenv("HOME", str(tmp_path))
        there = site(in_turn(manifest()))
        assert resolve(reference(there.host), access()).digest
        assert there.logins == []

    @pytest.mark.parametrize(
        "answer", [b"", b"[]", b"{}", b'{"token": ""}', b'{"token": "a\\r\\nX: y"}', b'{"token": null}', b"[" * 100_000]
    )
    def test_an_answer_without_a_token_is_said(self, site: Serve, answer: bytes) -> None:
        realm = site(in_turn(Reply(200, answer)))
        there = site(behind_token(lambda: f"http://{realm.host}/token"))
        with pytest.raises(RegistryError, match=f"cannot get a token of http://{realm.host}/token"):
            resolve(reference(there.host), access(there.host))

    def test_an_access_token_is_a_token(self, site: Serve) -> None:
        realm = site(in_turn(Reply(200, b'{"access_token": "t0ken"}')))
        there = site(behind_token(lambda: f"http://{realm.host}/token"))
        assert resolve(reference(there.host), access()).digest

    @pytest.mark.parametrize("header", ["", "Negotiate", 'Bearer service="s"', "nonsense, =,"])
    def test_are_not_sent_where_it_is_not_known_how(self, site: Serve, header: str) -> None:
        there = site(in_turn(Reply(401, headers={"WWW-Authenticate": header})))
        with pytest.raises(RegistryError, match=r"denied acme/shop \(401\)"):
            resolve(reference(there.host), access(there.host, login=True))
        assert there.logins == []


class TestAddresses:
    @pytest.mark.parametrize(
        ("repository", "address"),
        [
            ("registry.example.com/acme/shop", "https://registry.example.com/v2/acme/shop"),
            ("registry.example.com:5050/acme/shop", "https://registry.example.com:5050/v2/acme/shop"),
            ("localhost:5000/shop", "http://localhost:5000/v2/shop"),
            ("127.0.0.1:5000/shop", "http://127.0.0.1:5000/v2/shop"),
            ("127.0.0.1.example.com/shop", "https://127.0.0.1.example.com/v2/shop"),
            ("10.0.0.1/shop", "https://10.0.0.1/v2/shop"),
            ("nginx", "https://registry-1.docker.io/v2/library/nginx"),
            ("docker.io/acme/shop", "https://registry-1.docker.io/v2/acme/shop"),
        ],
    )
    def test_are_https_but_on_this_machine(self, repository: str, address: str) -> None:
        with open_repository(repository, RegistryAccess()) as found:
            assert found.address == address

    @pytest.mark.parametrize(
        "location",
        [
            "http://registry.example.com/",
            "ftp://127.0.0.1/",
            "https://a@127.0.0.1/",
            "https://[",
            "//[a",
            "https://a:b",
        ],
    )
    def test_that_are_not_https_are_not_followed(self, site: Serve, location: str) -> None:
        there = site(in_turn(Reply(307, headers={"Location": location})))
        with pytest.raises(RegistryError, match="redirects to an address that is not https"):
            resolve(reference(there.host), access())

    @pytest.mark.parametrize("location", ["https://evil.example.com/up?state=1", "https://[", "https://a@127.0.0.1/"])
    def test_an_upload_stays_at_its_registry(self, site: Serve, location: str) -> None:
        there = site(in_turn(Reply(404), Reply(202, headers={"Location": location})))
        artifact = OciArtifact(blobs=(b"x",), manifest=b"{}")
        with (
            open_repository(f"{there.host}/acme/shop", access(), "pull,push") as repository,
            pytest.raises(RegistryError, match="wants an upload at another host"),
        ):
            push_artifact(repository, artifact, ("1.0",))
        assert [one.verb for one in there.asked] == ["HEAD", "POST"]

    def test_that_lead_on_without_end_are_left(self, site: Serve) -> None:
        there = site(in_turn(Reply(307, headers={"Location": "/again"})))
        with pytest.raises(RegistryError, match=f"{there.host} answered 307"):
            resolve(reference(there.host), access())
        assert len(there.asked) == 12, "five redirects of HEAD, and five of GET"

    def test_are_reached_by_a_proxy_where_one_is_set(self, site: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        proxy = site(in_turn(manifest()))
        monkeypatch.setenv("http_proxy", f"http://{proxy.host}")
        assert resolve(reference("127.0.0.1:1"), access()).digest
        assert [one.headers["Host"] for one in proxy.asked] == ["127.0.0.1:1"]


class TestCertificates:
    @pytest.fixture
    def host(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
        """Serve registry.example.com here, by https, with a certificate of an authority that nobody knows."""
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
            monkeypatch.delenv(name, raising=False)
        known = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more, **named: known("127.0.0.1", *more, **named))
        with serve(lambda asked: manifest(), server_context(tmp_path, "registry.example.com")) as running:
            yield running.host.replace("127.0.0.1", "registry.example.com")

    def test_of_an_unknown_authority_are_not_trusted(self, host: str) -> None:
        start = time.monotonic()
        with pytest.raises(RegistryError, match=f"cannot trust {host}: unable to get local issuer") as caught:
            resolve(reference(host), access(limits=RetryLimits(5, 5, 20)))
        assert "SSL_CERT_FILE" in caught.value.hint
        assert time.monotonic() - start < 5, "it is not asked again: pauses alone would take seven seconds"

    @pytest.mark.parametrize("header", ["Location", "WWW-Authenticate"])
    def test_are_not_given_up_for_what_listens_on_this_machine(
        self, site: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: str
    ) -> None:
        local = site(in_turn(manifest()))
        there = f"http://{local.host}/"
        reply = wants(there) if header != "Location" else Reply(307, headers={"Location": there})
        known = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more, **named: known("127.0.0.1", *more, **named))
        with serve(lambda asked: reply, server_context(tmp_path, "registry.example.com")) as running:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority(tmp_path)))
            with pytest.raises(RegistryError, match=r"an https address|not https"):
                resolve(reference(running.host.replace("127.0.0.1", "registry.example.com")), access())
        assert local.asked == []

    @pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO", "CI_SERVER_TLS_CA_FILE"])
    def test_of_an_own_authority_are_trusted_where_it_is_named(self, host: str, tmp_path: Path, name: str) -> None:
        with trusted_certificates({name: str(authority(tmp_path))}):
            assert resolve(reference(host), access()).digest

    def test_of_another_host_are_not_trusted(self, host: str, tmp_path: Path) -> None:
        with (
            trusted_certificates({"SSL_CERT_FILE": str(authority(tmp_path))}),
            pytest.raises(RegistryError, match=r"cannot trust .*: Hostname mismatch"),
        ):
            resolve(reference(host.replace("registry.", "other.")), access())

    def test_are_wanted(self, site: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        plain = site(in_turn(manifest()))
        known = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more, **named: known("127.0.0.1", *more, **named))
        with pytest.raises(RegistryError, match="cannot trust") as caught:
            resolve(reference(plain.host.replace("127.0.0.1", "registry.example.com")), access())
        assert "without TLS" in caught.value.hint
        assert plain.asked == []
