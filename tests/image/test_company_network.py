"""The image's build in a company's network: its own servers and authority, reached by its proxy alone."""

from __future__ import annotations

import io
import os
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.acme import ROOT
from support.certificates import authority, server_context
from support.containers import docker
from support.proxy import Proxy, serve_proxy
from support.web import Asked, Reply, Site, serve

pytestmark = pytest.mark.image
HOST = "mirror.company.example"  # nobody but the proxy knows it
STAGE, RESULT = "headgate:build-stage", "headgate:company"
WHEEL = "company_package-1.0-py3-none-any.whl"


def wheel() -> bytes:
    """Return a Python package with nothing in it."""
    about = "company_package-1.0.dist-info"
    metadata = "Metadata-Version: 2.1\nName: company-package\nVersion: 1.0\n"
    tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in (("METADATA", metadata), ("WHEEL", tags), ("RECORD", "")):
            archive.writestr(f"{about}/{name}", text)
    return out.getvalue()


@contextmanager
def company(folder: Path) -> Iterator[tuple[Site, Proxy]]:
    """Serve the package by https, with a certificate of an authority that nobody else knows, behind a proxy."""
    index = f'<a href="/files/{WHEEL}">{WHEEL}</a>'.encode()
    files = {
        "/simple/company-package/": Reply(200, index, {"Content-Type": "text/html"}),
        f"/files/{WHEEL}": Reply(200, wheel()),
    }

    def answer(asked: Asked) -> Reply:
        return files.get(asked.path, Reply(404, b"not here"))

    with serve(answer, server_context(folder, HOST)) as site, serve_proxy() as proxy:
        yield site, proxy


def build(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run image/build with more in its environment."""
    return subprocess.run(
        ["image/build", *args], cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def stage() -> Iterator[str]:
    """Return the stage that all that fetch begin with, as an image: it was built with the image under test."""
    done = build("--target", "build", HEADGATE_IMAGE=STAGE)
    assert done.returncode == 0, done.stderr
    yield STAGE
    subprocess.run([docker(), "rmi", STAGE], check=True, capture_output=True)


def from_company(stage: str, site: Site, proxy: Proxy, **env: str) -> subprocess.CompletedProcess[str]:
    address = f"https://{HOST}:{site.host.rsplit(':', 1)[1]}"
    return build(
        *("--file", "tests/image/company.Dockerfile", "--no-cache"),
        HEADGATE_BASE=stage,
        HEADGATE_IMAGE=RESULT,
        HTTPS_PROXY=proxy.url,
        UV_DEFAULT_INDEX=f"{address}/simple",
        DEBIAN_MIRROR=f"{address}/debian",
        **env,
    )


@pytest.mark.parametrize("name", ["CI_SERVER_TLS_CA_FILE", "SSL_CERT_FILE"])
def test_packages_come_by_the_proxy_from_a_server_that_a_file_makes_trusted(
    tmp_path: Path, stage: str, name: str
) -> None:
    with company(tmp_path) as (site, proxy):
        done = from_company(stage, site, proxy, **{name: str(authority(tmp_path))})
        paths = [one.path for one in site.asked]
    assert done.returncode == 0, done.stderr
    subprocess.run([docker(), "rmi", RESULT], check=True, capture_output=True)
    assert f"/files/{WHEEL}" in paths
    assert any(path.startswith("/debian/dists/") for path in paths)
    assert {one.partition(":")[0] for one in proxy.asked} == {f"CONNECT {HOST}"}


def test_without_that_file_they_are_refused(tmp_path: Path, stage: str) -> None:
    with company(tmp_path) as (site, proxy):
        done = from_company(stage, site, proxy)
        assert done.returncode != 0
        assert "certificate verify failed" in done.stderr + done.stdout
        assert site.asked == []
