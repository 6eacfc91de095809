"""Image references, and the digests of a release put into rendered objects. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from headgate.errors import ConfigError, ImageError
from headgate.objects.kinds import POD_SPECS
from headgate.yamltext import valuepath

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headgate.model import Image, ReleasedImage
    from headgate.objects.manifest import Manifest

CONTAINERS = ("containers", "initContainers", "ephemeralContainers")

# https://github.com/distribution/reference: the grammar of image references
_REFERENCE = re.compile(
    r"(?P<repository>(?:[a-z0-9._-]+(?::\d+)?/)?[a-z0-9._-]+(?:/[a-z0-9._-]+)*)"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>[a-z0-9]+:[0-9a-f]{32,}))?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Reference:
    """``repository[:tag][@digest]``; what is not there is empty."""

    repository: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        """Return it as people write it."""
        tag, digest = f":{self.tag}" if self.tag else "", f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"


def parse_reference(text: str) -> Reference:
    """Read an image reference. Raises ConfigError when it is none."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise ConfigError(f"'{text}' is not an image, expected repository[:tag][@sha256:...]")
    return Reference(match["repository"], match["tag"] or "", match["digest"] or "")


def normal(repository: str) -> str:
    """Write a repository in full, as container runtimes do: ``nginx`` is ``docker.io/library/nginx``."""
    host, _, rest = repository.partition("/")
    if not rest or not (host == "localhost" or "." in host or ":" in host):
        host, rest = "docker.io", repository
    if host in ("docker.io", "index.docker.io"):
        return f"docker.io/{rest}" if "/" in rest else f"docker.io/library/{rest}"
    return f"{host}/{rest}"


@dataclass(frozen=True)
class Use:
    """One place in an object that names an image."""

    holder: Any
    key: str | int

    @property
    def text(self) -> Any:
        """The image as it stands there."""
        return self.holder[self.key]


def uses(manifest: Manifest, workloads: Mapping[str, str]) -> Iterator[Use]:
    """Yield every place of an object that names an image.

    ``workloads`` says for custom resources where their pod spec, or one image, is.
    """
    path = POD_SPECS.get(manifest.kind_name) or workloads.get(manifest.kind_name)
    if path is None or manifest.verbatim:
        return
    for holder, key in valuepath.select(manifest.data, valuepath.parse(path)):
        if isinstance(holder[key], str):
            yield Use(holder, key)
        elif isinstance(holder[key], dict):
            yield from _pod_uses(holder[key])


def _pod_uses(pod: dict[str, Any]) -> Iterator[Use]:
    for field in CONTAINERS:
        for container in _dicts(pod.get(field)):
            if isinstance(container.get("image"), str):
                yield Use(container, "image")
    for volume in _dicts(pod.get("volumes")):  # https://kubernetes.io/docs/tasks/configure-pod-container/image-volumes/
        image = volume.get("image")
        if isinstance(image, dict) and isinstance(image.get("reference"), str):
            yield Use(image, "reference")


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def pin(
    found: Sequence[Manifest],
    images: Mapping[str, Image],
    released: Mapping[str, ReleasedImage],
    workloads: Mapping[str, str],
) -> set[str]:
    """Put the released digests into the objects, in place, and return the names of the images that are used.

    The objects are fresh from the parser and nobody else's. Raises ImageError for a container that runs an
    image of the app's and matches none, or more than one, of those that were released.
    """
    used: set[str] = set()
    own = {normal(image.repository) for image in images.values()}
    for manifest in found:
        for use in uses(manifest, workloads):
            match = _REFERENCE.fullmatch(use.text)
            if match is None or normal(match["repository"]) not in own:
                continue
            reference = Reference(match["repository"], match["tag"] or "", match["digest"] or "")
            name = _match(reference, images, manifest)
            if name not in released:
                raise ImageError(
                    f"{manifest} runs {use.text}, but the image '{name}' has not been handed off",
                    where=manifest.place,
                    hint="hand it off, or remove the container",
                )
            used.add(name)
            use.holder[use.key] = released[name].reference
    return used


def matching(reference: Reference, images: Mapping[str, Image]) -> list[str]:
    """Return the names of the images that a reference is one of. A pattern of tags is more exact than none."""
    names = [
        name
        for name, image in images.items()
        if normal(image.repository) == normal(reference.repository)
        and (image.tag is None or fnmatchcase(reference.tag, image.tag))
    ]
    return [name for name in names if images[name].tag is not None] or names


def _match(reference: Reference, images: Mapping[str, Image], manifest: Manifest) -> str:
    exact = matching(reference, images)
    if len(exact) == 1:
        return exact[0]
    patterns = ", ".join(f"{name}: {image.tag or 'any tag'}" for name, image in images.items())
    problem = f"more than one image matches: {', '.join(exact)}" if exact else f"no image matches its tag ({patterns})"
    raise ImageError(
        f"{manifest} runs {reference.repository}:{reference.tag or '(no tag)'}, an image of this app's, but {problem}",
        where=manifest.place,
        hint="give the container a tag that matches the 'tag' pattern of one image in app.yaml",
    )


def for_templates(released: Mapping[str, ReleasedImage]) -> dict[str, dict[str, str]]:
    """Return what templates read as ``images.NAME.{repository,tag,digest,reference}``."""
    return {
        name: {
            "repository": image.repository,
            "tag": image.tag,
            "digest": image.digest,
            "reference": image.reference,
        }
        for name, image in sorted(released.items())
    }
