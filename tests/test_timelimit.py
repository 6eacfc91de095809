"""A host that answers a byte now and then: in headers, in bodies, while TLS is agreed on, and by a proxy."""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from headgate.dependencies import basefetch, download
from headgate.dependencies.bases import RemoteBase
from headgate.dependencies.download import DownloadAccess
from headgate.errors import DependencyError, Location
from headgate.http import HttpRequest, NoAnswerError, RetryLimits, open_http
from support.web import trickling

BEGINNINGS = {
    "body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
    "chunked body": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
    "headers": b"HTTP/1.1 200 OK\r\nX-Slow: ",
    "status line": b"HTTP/1.1 200 ",
}
LIMIT, MOST = 1.5, 8.0


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Leave nothing to the tests that follow: urllib3 drops a socket that was shut down before TLS began unclosed."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for seconds only."""
    monkeypatch.setattr(download, "LIMITS", RetryLimits(tries=1, total=LIMIT))


@contextmanager
def in_time() -> Iterator[None]:
    """Check that it takes no longer than the limit and what ending takes."""
    began = time.monotonic()
    yield
    assert LIMIT * 0.9 < time.monotonic() - began < MOST


@pytest.mark.long
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_download_ends_in_time(beginning: str) -> None:
    with trickling(BEGINNINGS[beginning]) as host:
        access = download.DownloadAccess(frozenset({host}))
        with in_time(), pytest.raises(DependencyError) as caught:
            download.download(f"http://{host}/index.yaml", access, Location("Chart.yaml"), max_bytes=10**7)
    assert f"takes longer than {LIMIT} seconds" in str(caught.value)


@pytest.mark.long
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("way", ["tls", "proxy"])
def test_what_is_agreed_on_before_the_answer_counts_too(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with trickling(b"\x16\x03\x03\x40\x00" if way == "tls" else b"HTTP/1.1 200 ") as host:
        address = f"https://{host}/a"
        if way == "proxy":
            monkeypatch.setenv("HTTPS_PROXY", f"http://{host}")
            address = "https://charts.example.com/a"
        known = download.DownloadAccess(frozenset({host, "charts.example.com"}))
        with in_time(), pytest.raises(DependencyError):
            download.download(address, known, Location("Chart.yaml"), max_bytes=10**7)


@pytest.mark.parametrize(
    "beginning", [pytest.param(name, marks=pytest.mark.long if at else ()) for at, name in enumerate(BEGINNINGS)]
)
def test_any_answer_ends_in_time(beginning: str) -> None:
    limits = RetryLimits(seconds=LIMIT, tries=1, max_wait=1)
    with trickling(BEGINNINGS[beginning]) as host, open_http(limits) as http:
        began = time.monotonic()
        with pytest.raises(NoAnswerError):
            http.exchange(HttpRequest(address=f"http://{host}/v2/", max_bytes=10**7))
        assert time.monotonic() - began < 2 * MOST


@pytest.mark.long
@pytest.mark.parametrize("beginning", ["body", "headers"])
def test_a_base_in_git_ends_in_time(monkeypatch: pytest.MonkeyPatch, beginning: str) -> None:
    monkeypatch.setattr(basefetch, "_SLOW_SECONDS", 1)
    with trickling(BEGINNINGS[beginning]) as host:
        base = RemoteBase(address=f"http://{host}/acme/base.git", path="", commit="a" * 40)
        began = time.monotonic()
        with pytest.raises(DependencyError, match="Operation too slow"):
            basefetch.fetch_bases([(base, Location("kustomization.yaml"))], DownloadAccess(frozenset({host})), "shop")
        assert time.monotonic() - began < 10 * MOST, "four tries, one after another"


@pytest.mark.long
def test_what_comes_in_time_is_whole_and_the_next_one_has_its_own_time() -> None:
    body = b"x" * 100000
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + body
    limits = RetryLimits(seconds=LIMIT, tries=1, max_wait=1)
    with trickling(whole) as host, open_http(limits) as http:
        for _ in range(3):
            assert http.exchange(HttpRequest(address=f"http://{host}/v2/", max_bytes=10**7)).body == body
            time.sleep(LIMIT / 2)
