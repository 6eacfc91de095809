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
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from headgate.model import Image, ReleasedImage
    from headgate.objects.manifest import Manifest

CONTAINERS = ("containers", "initContainers", "ephemeralContainers")

# The grammar of image references: https://github.com/distribution/reference/blob/main/reference.go
_COMPONENT = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<repository>(?:(?:[A-Za-z0-9._-]+|\[[A-Fa-f0-9:]+\])(?::[0-9]+)?/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>[a-z0-9]+:[0-9a-f]{32,}))?",
    re.ASCII,
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


_DOCKER_HUB = "docker.io"
_DOCKER_HUB_HOSTS = (
    *(_DOCKER_HUB, "index.docker.io", "registry-1.docker.io"),
    *("registry.hub.docker.com", "hub.docker.com"),
)
_DEFAULT_PORTS = (":443", ":80")


def canonical_repository(repository: str) -> str:
    """Return the one spelling by which a repository is compared: ``nginx`` is ``docker.io/library/nginx``.

    As container runtimes read it: hosts differ neither by case nor by a dot at the end nor by the port that is the
    default one, and Docker Hub has several. Paths differ by case.
    """
    host, slash, path = repository.partition("/")
    if not slash or not (host == "localhost" or "." in host or ":" in host or host != host.lower()):
        host, path = _DOCKER_HUB, repository
    host = host.lower()
    for port in _DEFAULT_PORTS:
        host = host.removesuffix(port)
    host = host.rstrip(".")
    if host in _DOCKER_HUB_HOSTS:
        host, path = _DOCKER_HUB, path if "/" in path else f"library/{path}"
    return f"{host}/{path}"


@dataclass(frozen=True)
class ImageUse:
    """One place in an object that names an image."""

    holder: Any
    key: str | int

    @property
    def text(self) -> Any:
        """The image as it stands there."""
        return self.holder[self.key]


def uses(manifest: Manifest, workloads: Mapping[str, str]) -> Iterator[ImageUse]:
    """Yield every place of an object that names an image.

    ``workloads`` says for custom resources where their pod spec, or one image, is. In what SOPS encrypted, what it
    names may be encrypted too.
    """
    path = POD_SPECS.get(manifest.kind_name) or workloads.get(manifest.kind_name)
    if path is None:
        return
    for holder, key in valuepath.select(manifest.data, valuepath.parse(path)):
        if isinstance(holder[key], str):
            yield ImageUse(holder, key)
        elif isinstance(holder[key], dict):
            yield from _pod_uses(holder[key])


def _pod_uses(pod: dict[str, Any]) -> Iterator[ImageUse]:
    for field in CONTAINERS:
        for container in _dicts(pod.get(field)):
            if isinstance(container.get("image"), str):
                yield ImageUse(container, "image")
    for volume in _dicts(pod.get("volumes")):  # https://kubernetes.io/docs/tasks/configure-pod-container/image-volumes/
        image = volume.get("image")
        if isinstance(image, dict) and isinstance(image.get("reference"), str):
            yield ImageUse(image, "reference")


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def set_digests(
    manifests: Sequence[Manifest],
    images: Mapping[str, Image],
    released: Mapping[str, ReleasedImage],
    workloads: Mapping[str, str],
) -> set[str]:
    """Put the released digests into the objects, in place, and return the names of the images that are used.

    The objects are fresh from the parser and nobody else's. Raises ImageError for a container that runs an
    image of the app's and matches none, or more than one, of those that were released, and for one whose
    digest cannot be set.
    """
    used: set[str] = set()
    own = {canonical_repository(image.repository) for image in images.values()}
    for manifest in manifests:
        for use in uses(manifest, workloads):
            reference = _own_reference(use.text, own, manifest)
            if reference is None:
                continue
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


def _own_reference(text: str, own: Collection[str], manifest: Manifest) -> Reference | None:
    """Return the reference to an image in one of the app's repositories, or None when a text names another.

    Raises ImageError for what a more generous reader could take for one of them, and for one in an encrypted object.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None or canonical_repository(match["repository"]) not in own:
        is_hidden = manifest.verbatim and text.startswith("ENC[")
        if not is_hidden and any(canonical_repository(repository) in own for repository in _repositories_in(text)):
            raise ImageError(
                f"{manifest} runs {text!r}, which is not an image, but spelled like one of this app's",
                where=manifest.place,
                hint="write it as in app.yaml: the repository in small letters, and nothing around it but a tag",
            )
        return None
    if manifest.verbatim:
        raise ImageError(
            f"{manifest} is encrypted and runs {text}, an image of this app's, whose digest cannot be set there",
            where=manifest.place,
            hint="do not encrypt what runs images: put what is secret into a Secret, and encrypt that with sops",
        )
    return Reference(match["repository"], match["tag"] or "", match["digest"] or "")


_ODD = re.compile(r"[^a-z0-9._:/@\[\]-]+")
_BEFORE_HOST = re.compile(r"\A.*(?:://|@(?!sha256:))")
_REPEATED_SLASH = re.compile(r"/(?:\.?/)+")


def _repositories_in(text: str) -> Iterator[str]:
    """Yield what a text would name to those who overlook case, odd characters, a scheme, a user or doubled slashes."""
    lower = text.lower()
    for candidate in (_ODD.sub("", lower), *_ODD.split(lower)):
        match = _REFERENCE.match(_REPEATED_SLASH.sub("/", _BEFORE_HOST.sub("", candidate)))
        if match is not None:
            yield match["repository"]


def matching(reference: Reference, images: Mapping[str, Image]) -> list[str]:
    """Return the names of the images that a reference is one of. A pattern of tags is more exact than none."""
    names = [
        name
        for name, image in images.items()
        if canonical_repository(image.repository) == canonical_repository(reference.repository)
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
