"""Files of other hosts: whom is asked, what is sent along, and what comes back."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.dependencies.download import DownloadAccess, download, host_of
from headgate.errors import DependencyError, Location, TooLargeError
from headgate.http import RetryLimits
from headgate.repository.tree import MEBI
from support.fileserver import FileServer, serve_files
from support.web import Asked, Reply

PLACE = Location("deploy/Chart.lock")
SECRET = "Basic " + base64.b64encode(b"me:secret").decode()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait no time between tries."""
    monkeypatch.setattr("headgate.dependencies.download.LIMITS", RetryLimits(max_wait=0))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    """Return a server with one file."""
    (tmp_path / "served").mkdir()
    (tmp_path / "served/a").write_bytes(b"content")
    with serve_files(tmp_path / "served") as running:
        yield running


@pytest.fixture
def other(tmp_path: Path) -> Iterator[FileServer]:
    """Return another server, with another file."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other/b").write_bytes(b"other content")
    with serve_files(tmp_path / "other") as running:
        yield running


def allow(*servers: FileServer, logins: tuple[FileServer, ...] = ()) -> DownloadAccess:
    """Return access to these servers, with a password to some."""
    return DownloadAccess(frozenset(one.host for one in servers), {one.host: ("me", "secret") for one in logins})


def get(server: FileServer, path: str, access: DownloadAccess | None = None, most: int = MEBI) -> bytes:
    """Download."""
    return download(f"{server.url}{path}", access or allow(server), PLACE, max_bytes=most)


def test_a_file_comes_as_it_is(server: FileServer) -> None:
    server.replies["/packed"] = lambda _: Reply(200, b"\x1f\x8b not for us", {"Content-Encoding": "gzip"})
    assert get(server, "/a") == b"content"
    assert get(server, "/packed") == b"\x1f\x8b not for us"
    assert server.asked[0].headers["Accept-Encoding"] == "identity"


def test_it_is_tried_again_where_that_may_help(server: FileServer) -> None:
    replies = [Reply(429, headers={"Retry-After": "0"}), Reply(503), Reply(200, b"short", length=9)]

    def reply(_: Asked) -> Reply:
        return replies.pop(0) if replies else Reply(200, b"in the end")

    server.replies["/flaky"] = reply
    assert get(server, "/flaky") == b"in the end"
    assert len(server.asked) == 4


def test_it_is_not_tried_for_ever(server: FileServer) -> None:
    server.replies["/down"] = lambda _: Reply(500)
    with pytest.raises(DependencyError, match="/down did not answer: 500"):
        get(server, "/down")
    assert len(server.asked) == 4


def test_a_host_that_is_gone(server: FileServer) -> None:
    access = DownloadAccess(frozenset({"127.0.0.1:9"}))
    with pytest.raises(DependencyError, match="did not answer: ConnectionError"):
        download("http://127.0.0.1:9/a", access, PLACE, max_bytes=MEBI)


@pytest.mark.parametrize(
    ("status", "hint"), [(401, "requires a password"), (403, "access is denied"), (404, "the file is missing")]
)
def test_what_is_refused_is_not_tried_again(server: FileServer, status: int, hint: str) -> None:
    server.replies["/no"] = lambda _: Reply(status)
    with pytest.raises(DependencyError, match=f"/no answered {status}") as refused:
        get(server, "/no")
    assert hint in refused.value.hint
    assert refused.value.where == PLACE
    assert len(server.asked) == 1


def test_a_file_that_is_too_large(server: FileServer) -> None:
    server.replies["/large"] = lambda _: Reply(200, bytes(2 * MEBI))
    with pytest.raises(TooLargeError, match="/large is larger than 1 MiB"):
        get(server, "/large")


def test_redirects_lead_to_allowed_hosts(server: FileServer, other: FileServer) -> None:
    server.replies["/there"] = lambda _: Reply(302, headers={"Location": f"{other.url}/b"})
    server.replies["/here"] = lambda _: Reply(307, headers={"Location": "a"})
    assert get(server, "/here") == b"content"
    assert get(server, "/there", allow(server, other)) == b"other content"
    other.asked.clear()
    with pytest.raises(DependencyError, match=f"host {other.host} is not allowed"):
        get(server, "/there")
    assert other.asked == []


def test_redirects_without_end(server: FileServer) -> None:
    server.replies["/round"] = lambda _: Reply(301, headers={"Location": "/round"})
    with pytest.raises(DependencyError, match="more than 5 redirects"):
        get(server, "/round")


def test_redirects_to_what_is_no_https(server: FileServer) -> None:
    for target in (
        "http://charts.example.com/a",
        "file:///etc/passwd",
        "gopher://x/",
        "https://[",
        "//[a",
        "https://a:b/",
    ):
        server.replies["/away"] = lambda _, target=target: Reply(302, headers={"Location": target})  # type: ignore[misc]
        with pytest.raises(DependencyError, match="cannot read from"):
            get(server, "/away", DownloadAccess(frozenset({server.host, "charts.example.com"})))


def test_a_password_goes_to_its_host_only(server: FileServer, other: FileServer) -> None:
    server.replies["/there"] = lambda _: Reply(302, headers={"Location": f"{other.url}/b"})
    both = allow(server, other, logins=(server,))
    assert get(server, "/there", both) == b"other content"
    assert server.asked[0].headers["Authorization"] == SECRET
    assert "Authorization" not in other.asked[-1].headers
    assert "secret" not in repr(both)


def test_no_password_is_taken_from_the_users_netrc(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert get(server, "/a") == b"content"
    assert "Authorization" not in server.asked[0].headers


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://charts.example.com/x", "charts.example.com"),
        ("https://Charts.Example.com:443/x", "charts.example.com"),
        ("https://charts.example.com:8443", "charts.example.com:8443"),
        ("http://127.0.0.1:5000/x", "127.0.0.1:5000"),
        ("http://localhost/x", "localhost"),
    ],
)
def test_the_host_of_an_address(url: str, host: str) -> None:
    assert host_of(url, PLACE) == host


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://charts.example.com",
            "http://127.0.0.1.example.com",
            "ftp://charts.example.com",
            "charts.example.com",
        ),
        *("https://me:secret@charts.example.com/", "https://me@charts.example.com", "https://", "https://a:99999/"),
        *("https://charts.example.com\\@evil.example.com", "https://charts.example.com/a\nb", "https://[::1"),
    ],
)
def test_addresses_of_other_kinds(url: str) -> None:
    with pytest.raises(DependencyError, match="cannot read from") as refused:
        host_of(url, PLACE)
    assert "secret" not in str(refused.value)
