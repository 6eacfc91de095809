"""crane: reading and tagging images in a registry. It asks for logins in Docker's own configuration."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

from failure import ReleaseError
from headgate import process, tools

# What Go's programs read of proxies and certificates, and where logins are.
INHERITED = (
    *("HOME", "PATH", "TMPDIR", "DOCKER_CONFIG", "SSL_CERT_FILE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
_TOO_LARGE = 1024 * process.MEBI


def program(name: str) -> str:
    """Return where ``make release-tools`` put crane or cosign. Raises ReleaseError where it is not."""
    path = tools.own_folder() / name
    if not path.is_file():
        raise ReleaseError(f"{path} is not here", hint="run 'make release-tools'")
    return str(path)


def _crane(*args: str) -> bytes:
    limits = process.Limits(seconds=1800, output=_TOO_LARGE)
    try:
        return process.run([program("crane"), *args], env=process.inherited(INHERITED), limits=limits).stdout
    except process.ProcessError as error:
        raise ReleaseError(f"crane {args[0]}: {error.stderr}") from error


def tags(repository: str) -> list[str]:
    """Return all tags of a repository."""
    return _crane("ls", "--omit-digest-tags", repository).decode().split()


def digest(reference: str) -> str:
    """Return the digest that a reference has now."""
    return _crane("digest", reference).decode().strip()


def is_there(reference: str) -> bool:
    """Whether the registry has an image. Raises ReleaseError when it does not answer, or lets nobody in."""
    try:
        digest(reference)
    except ReleaseError as error:
        if any(word in error.what for word in ("MANIFEST_UNKNOWN", "NAME_UNKNOWN", "404 Not Found")):
            return False
        raise
    return True


def tag(repository: str, image: str, name: str) -> None:
    """Let a tag name the image of a digest. Nothing of the image is copied or made anew."""
    _crane("tag", f"{repository}@{image}", name)


def copy(source: str, target: str) -> None:
    """Copy an image with all its platforms to another repository; its digest stays."""
    _crane("copy", source, target)


def manifest(reference: str) -> dict[str, Any]:
    """Return the manifest of an image, or the index of one for several platforms."""
    found: dict[str, Any] = json.loads(_crane("manifest", reference))
    return found


def platforms(repository: str, image: str) -> dict[str, str]:
    """Return the digest of the image for each platform: ``{"linux/amd64": "sha256:..."}``.

    Attestations that a builder may have put beside them (``unknown/unknown``) are none.
    """
    found = manifest(f"{repository}@{image}")
    if "manifests" not in found:
        made_for = config(f"{repository}@{image}")
        return {f"{made_for['os']}/{made_for['architecture']}": image}
    named = {f"{one['platform']['os']}/{one['platform']['architecture']}": one["digest"] for one in found["manifests"]}
    return {name: value for name, value in named.items() if not name.startswith("unknown/")}


def config(reference: str) -> dict[str, Any]:
    """Return the configuration of an image for one platform: what it runs, its labels."""
    found: dict[str, Any] = json.loads(_crane("config", reference))
    return found


def join(repository: str, name: str, images: list[str]) -> str:
    """Make one image for several platforms out of one for each, under a tag; return its digest."""
    members = [option for one in images for option in ("--manifest", one)]
    _crane("index", "append", *members, "--tag", f"{repository}:{name}")
    return digest(f"{repository}:{name}")


def content(reference: str, path: str) -> bytes:
    """Return a file of an image for one platform. Raises ReleaseError where it has no such file."""
    with tarfile.open(fileobj=io.BytesIO(_crane("export", reference, "-"))) as files:
        for one in files:
            if one.name.lstrip("./") == path and one.isfile():
                found = files.extractfile(one)
                assert found is not None  # noqa: S101  a file
                return found.read()
    raise ReleaseError(f"{reference} has no file /{path}")
