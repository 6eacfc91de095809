"""A registry as a plain process on loopback, and images to push there, made by hand.

with serve_registry(tmp_path) as registry:
    digest = push_image(registry, "acme/shop", "main-1a2b3c4d", labels={"org.opencontainers.image.revision": "..."})
    reference = f"{registry.host}/acme/shop:main-1a2b3c4d@{digest}"
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from headgate import tools

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker.distribution.manifest."
REVISION = "org.opencontainers.image.revision"

ROBOT = ("robot", "s3cret-of-robot")
_HTPASSWD = "robot:$2b$04$fxMlZstWpKb/BEjT/LtjGutirwAFpal6o/Rvz6UbsxfOGWeIB2cPW\n"

Headers = Callable[[str], Mapping[str, str]]
"""What is sent along to push to a repository."""


_LOCAL = requests.Session()
"""Keeps connections, and asks the environment for no proxy: most tests push images."""
_LOCAL.trust_env = False


def _no_headers(repository: str) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Registry:
    """A running registry: its host with the port."""

    host: str
    _headers: Headers = field(default=_no_headers, repr=False)
    scheme: str = "http"

    def request(self, verb: str, repository: str, path: str, **more: Any) -> requests.Response:
        """Ask for something below a repository, or push it; what fails raises."""
        headers = {**self._headers(repository), **more.pop("headers", {})}
        address = path if path.startswith("http") else f"{self.scheme}://{self.host}/v2/{repository}/{path}"
        ask = _LOCAL.request if self.host.startswith("127.0.0.1:") else requests.request
        answer = ask(verb, address, headers=headers, timeout=30, **more)
        assert answer.ok, f"{verb} {address}: {answer.status_code} {answer.text}"
        return answer


@contextmanager
def serve_registry(
    folder: Path, auth: Mapping[str, Any] | None = None, headers: Headers = _no_headers
) -> Iterator[Registry]:
    """Run a registry with its storage in ``folder`` for as long as the block lasts.

    ``auth`` is the section of its configuration (`htpasswd`, `tokens.auth`), ``headers`` what then may push.
    """
    folder.mkdir(parents=True, exist_ok=True)
    configuration = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}, "delete": {"enabled": True}},
        "http": {"addr": "127.0.0.1:0", "secret": "of-a-test"},
        **({"auth": auth} if auth else {}),
    }
    file, log = folder / "registry.json", folder / "registry.log"  # JSON is YAML
    file.write_text(json.dumps(configuration))
    with log.open("wb") as output:
        process = subprocess.Popen([_program(), "serve", str(file)], stdout=output, stderr=output, env={})
    try:
        yield Registry(_host(process, log), headers)
    finally:
        process.terminate()
        process.wait(timeout=20)


def htpasswd(folder: Path) -> tuple[Mapping[str, Any], Headers]:
    """Return what makes a registry want the login `ROBOT`, and what pushes there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "htpasswd").write_text(_HTPASSWD)
    basic = "Basic " + base64.b64encode(":".join(ROBOT).encode()).decode()
    return {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}, lambda _: {"Authorization": basic}


def _program() -> str:
    program = tools.own_folder() / "registry"
    if not program.is_file():
        pytest.fail(f"{program} is not here: run 'make registry'")
    return str(program)


def _host(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        found = re.search(r"listening on (127\.0\.0\.1:\d+)", log.read_text())
        if found:
            return found[1]
        time.sleep(0.02)
    raise AssertionError(f"the registry did not start: {log.read_text()}")


def sha256(data: bytes) -> str:
    """Return the digest of bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def push_blob(registry: Registry, repository: str, data: bytes) -> str:
    """Push a blob and return its digest."""
    place = registry.request("POST", repository, "blobs/uploads/").headers["Location"]
    registry.request("PUT", repository, place, params={"digest": sha256(data)}, data=data)
    return sha256(data)


def push_manifest(registry: Registry, repository: str, tag: str, manifest: Mapping[str, Any]) -> str:
    """Push a manifest by its ``mediaType``, under a tag or, for an empty one, by its digest; return its digest."""
    data = json.dumps(manifest).encode()
    kind = {"Content-Type": str(manifest["mediaType"])}
    registry.request("PUT", repository, f"manifests/{tag or sha256(data)}", data=data, headers=kind)
    return sha256(data)


def push_image(
    registry: Registry,
    repository: str,
    tag: str,
    labels: Mapping[str, str] | None = None,
    *,
    annotations: Mapping[str, str] | None = None,
    is_docker: bool = False,
    architecture: str = "amd64",
) -> str:
    """Push an image for one platform and return its digest. An empty tag: it can be had by its digest only."""
    config = {"os": "linux", "architecture": architecture, "config": {"Labels": dict(labels or {})}}
    config |= {"rootfs": {"type": "layers", "diff_ids": []}}
    data = json.dumps(config).encode()
    kinds = (f"{DOCKER}v2+json", "application/vnd.docker.container.image.v1+json")
    if not is_docker:
        kinds = (f"{OCI}manifest.v1+json", f"{OCI}config.v1+json")
    manifest: dict[str, Any] = {"schemaVersion": 2, "mediaType": kinds[0], "layers": []}
    manifest["config"] = {"mediaType": kinds[1], "digest": push_blob(registry, repository, data), "size": len(data)}
    if annotations:
        manifest["annotations"] = dict(annotations)
    return push_manifest(registry, repository, tag, manifest)


def push_index(
    registry: Registry,
    repository: str,
    tag: str,
    images: Mapping[str, str],
    *,
    annotations: Mapping[str, str] | None = None,
    is_docker: bool = False,
    attestations: Sequence[str] = (),
) -> str:
    """Push an index over images (``linux/amd64``: digest) that are there already, and return its digest."""
    platforms = [(*platform.split("/"), digest) for platform, digest in images.items()]
    platforms += [("unknown", "unknown", digest) for digest in attestations]
    kinds = (f"{DOCKER}list.v2+json", f"{DOCKER}v2+json") if is_docker else (f"{OCI}index.v1+json", "")
    entries = [
        {
            "mediaType": kinds[1] or f"{OCI}manifest.v1+json",
            "digest": digest,
            "size": int(registry.request("HEAD", repository, f"manifests/{digest}", headers=_ANY).headers[_LENGTH]),
            "platform": {"os": system, "architecture": architecture},
        }
        for system, architecture, digest in platforms
    ]
    index: dict[str, Any] = {"schemaVersion": 2, "mediaType": kinds[0], "manifests": entries}
    if annotations:
        index["annotations"] = dict(annotations)
    return push_manifest(registry, repository, tag, index)


_LENGTH = "Content-Length"
_ANY = {"Accept": f"{OCI}manifest.v1+json, {DOCKER}v2+json"}
