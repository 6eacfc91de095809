"""Manifest repositories and objects for tests, made without git and without files."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING, Any

from headgate.config import load
from headgate.engine import reading
from headgate.model import ReleasedImage
from headgate.objects.manifest import Manifest, manifests
from headgate.repository.tree import MemoryBlob, Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.configuration import Configuration

COMMIT = "1" * 40
DIGEST = "sha256:" + "a" * 64

HEADGATE = """\
version: 1
environments:
  dev:
    takes: {branch: main}
    delivery: commit
  production:
    takes: {tag: "v*"}
    delivery: review
"""
"""The headgate.yaml of most tests: two environments, one cluster each."""


def tree_of(files: Mapping[str, str | bytes]) -> Tree:
    """Return a tree of these files. Text loses its common indentation and its first line break; bytes stay."""
    return Tree({path: MemoryBlob(_bytes(content)) for path, content in files.items()})


def _bytes(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else dedent(content).removeprefix("\n").encode()


def repository(apps: Mapping[str, str], *, settings: str = HEADGATE, **files: str) -> Tree:
    """Return a manifest repository: app.yaml by app, and the template ``web``. ``files`` go to its root."""
    return tree_of(
        {
            "headgate.yaml": settings,
            "templates/web/values.yaml": "replicas: 1\n",
            **{f"apps/{name}/app.yaml": text for name, text in apps.items()},
            **files,
        }
    )


def configuration(apps: Mapping[str, str], *, settings: str = HEADGATE) -> Configuration:
    """Return the configuration of a manifest repository in which nothing is broken."""
    found = load(repository(apps, settings=settings))
    assert found.broken == {}
    return found


def data_of(text: str) -> Any:
    """Return what one YAML document holds."""
    (document,) = reading.documents(text, "test.yaml")
    return document.data


def objects(*texts: str, source: str = "") -> list[Manifest]:
    """Return the objects of rendered texts."""
    return manifests(one for text in texts for one in reading.objects(dedent(text), source))


def one_object(text: str, *, source: str = "") -> Manifest:
    """Return the only object of a rendered text."""
    (found,) = objects(text, source=source)
    return found


def released(repository: str, tag: str = "1.0", *, digest: str = DIGEST) -> ReleasedImage:
    """Return an image of a release."""
    return ReleasedImage(
        repository=repository,
        tag=tag,
        digest=digest,
        project="acme/shop",
        commit=COMMIT,
        ref="refs/heads/main",
    )
