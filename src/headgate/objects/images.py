"""Image references, and the digests of a release in rendered objects. Pure."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from headgate.errors import ConfigError, ImageError
from headgate.objects.kinds import POD_SPECS
from headgate.objects.lookup import maps_at
from headgate.records import frozen_record
from headgate.yamltext import valuepath

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

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


@frozen_record(kw_only=False)
class Reference:
    """``repository[:tag][@digest]``; missing parts are empty."""

    repository: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        """Return the reference as people write it."""
        tag, digest = f":{self.tag}" if self.tag else "", f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"


def parse_reference(text: str) -> Reference:
    """Parse an image reference. Raises ConfigError if it is invalid."""
    reference = find_reference(text)
    if reference is None:
        name, _, digest = text.partition("@")
        if digest and "/" not in digest and find_reference(name) is not None:
            raise digest_error(digest, text)
        raise ConfigError(f"'{text}' is not an image reference, expected repository[:tag][@sha256:...]")
    return reference


@lru_cache(maxsize=65536)  # several steps ask for each image
def find_reference(text: str) -> Reference | None:
    """Parse an image reference. Returns None if it is invalid."""
    match = _REFERENCE.fullmatch(text)
    return Reference(match["repository"], match["tag"] or "", match["digest"] or "") if match is not None else None


def digest_of(data: bytes) -> str:
    """Return the digest of bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def digest_error(digest: str, image: str) -> ConfigError:
    """Return the error for what is no digest by SHA-256: it says why."""
    algorithm, _, number = digest.partition(":")
    others = sorted(set(number) - set("0123456789abcdef"))
    if algorithm != "sha256":
        reason = "it does not begin with sha256:"
    elif others:
        reason = f"{others[0]!r} is not one of 0-9 and a-f"
    else:
        reason = f"it has {len(number)} characters after sha256:, not {_SHA256_CHARACTERS}"
    return ConfigError(
        f"{digest!r} of the image '{image}' is not a digest: {reason}",
        hint="the digest is what 'docker push' or 'docker buildx imagetools inspect' prints: sha256: and 64 characters",
    )


_SHA256_CHARACTERS = 64
SHA256 = re.compile(rf"sha256:[0-9a-f]{{{_SHA256_CHARACTERS}}}")
"""A digest as releases keep them."""


_DOCKER_HUB = "docker.io"
_DOCKER_HUB_HOSTS = (
    *(_DOCKER_HUB, "index.docker.io", "registry-1.docker.io"),
    *("registry.hub.docker.com", "hub.docker.com"),
)
_DEFAULT_PORTS = ("", "443", "80")


@lru_cache(maxsize=65536)
def canonical_repository(repository: str) -> str:
    """Return the canonical spelling of a repository: ``nginx`` is ``docker.io/library/nginx``.

    As in container runtimes, hosts are equal regardless of case, a trailing dot, the default port and zeros before a
    port, Docker Hub has several hosts, and paths are case-sensitive.
    """
    host, slash, path = repository.partition("/")
    if not slash or not (host == "localhost" or "." in host or ":" in host or host != host.lower()):
        host, path = _DOCKER_HUB, repository
    name, _, port = host.lower().rpartition(":")
    if not port.isdecimal():
        name, port = host.lower(), ""
    port = port.lstrip("0")
    host = name.rstrip(".") + (f":{port}" if port not in _DEFAULT_PORTS else "")
    if host in _DOCKER_HUB_HOSTS:
        host, path = _DOCKER_HUB, path if "/" in path else f"library/{path}"
    return f"{host}/{path}"


@frozen_record(kw_only=False)
class ImageUse:
    """A place in an object that names an image."""

    holder: Any
    key: str | int

    @property
    def text(self) -> Any:
        """The image as written there."""
        return self.holder[self.key]


def uses(manifest: Manifest, workloads: Mapping[str, str]) -> Iterable[ImageUse]:
    """Return every place of an object that names an image.

    ``workloads`` gives the path of the pod spec or image in custom resources. In an object that SOPS encrypted, the
    image may be encrypted too.
    """
    path = POD_SPECS.get(manifest.kind_name) or workloads.get(manifest.kind_name)
    return _uses(manifest, path) if path is not None else ()


def _uses(manifest: Manifest, path: str) -> Iterator[ImageUse]:
    for holder, key in valuepath.select(manifest.data, valuepath.parse(path)):
        if isinstance(holder[key], str):
            yield ImageUse(holder, key)
        elif isinstance(holder[key], dict):
            yield from _pod_uses(holder[key])


def _pod_uses(pod: dict[str, Any]) -> Iterator[ImageUse]:
    for field in CONTAINERS:
        for container in maps_at(pod, field):
            if isinstance(container.get("image"), str):
                yield ImageUse(container, "image")
    for volume in maps_at(pod, "volumes"):  # https://kubernetes.io/docs/tasks/configure-pod-container/image-volumes/
        image = volume.get("image")
        if isinstance(image, dict) and isinstance(image.get("reference"), str):
            yield ImageUse(image, "reference")


def set_digests(
    manifests: Sequence[Manifest],
    images: Mapping[str, Image],
    released: Mapping[str, ReleasedImage],
    workloads: Mapping[str, str],
) -> set[str]:
    """Set the released digests in the objects, in place, and return the names of the used images.

    Only for freshly parsed objects. Raises ImageError for a container with an image of the app that matches none or
    several of the released ones, or whose digest cannot be set.
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
                    f"{manifest} runs {use.text}, but image '{name}' has not been handed off",
                    where=manifest.place,
                    hint="hand it off, or remove the container",
                )
            used.add(name)
            use.holder[use.key] = released[name].reference
    return used


def _own_reference(text: str, own: Collection[str], manifest: Manifest) -> Reference | None:
    """Return the reference to an image of the app's repositories, or None for other images.

    Raises ImageError for a text that a lenient reader could take for such a reference, and for a reference in an
    encrypted object.
    """
    reference = find_reference(text)
    if reference is None or canonical_repository(reference.repository) not in own:
        is_hidden = manifest.verbatim and text.startswith("ENC[")
        if not is_hidden and _resembles(text, own, is_valid=reference is not None):
            raise ImageError(
                f"{manifest} runs {text!r}, which resembles an image of this app but is not a valid reference",
                where=manifest.place,
                hint="write it as in app.yaml: the repository in lower case, with nothing but a tag",
            )
        return None
    if manifest.verbatim:
        raise ImageError(
            f"cannot set the digest of {text}, an image of this app, in {manifest}: it is encrypted",
            where=manifest.place,
            hint="do not encrypt workloads: move secret data to a Secret, and encrypt that with sops",
        )
    return reference


def _resembles(text: str, own: Collection[str], *, is_valid: bool) -> bool:
    """Whether a lenient reader could take a text for one of the app's repositories: one that reads past the odd, or,
    in what is no reference, only letters and digits.
    """
    if any(canonical_repository(repository) in own for repository in _repositories_in(text)):
        return True
    return not is_valid and any(_skeleton(text).endswith(_skeleton(repository)) for repository in own)


@lru_cache(maxsize=4096)
def _skeleton(text: str) -> str:
    plain = unquote(unicodedata.normalize("NFKC", text)).lower().replace("\\", "/")
    path, _, name = re.sub(r"(?<![^/])[^/]+/\.\./", "", plain).rpartition("/")
    path = re.sub(r":\d*(?=[:/]|$)", "", path)
    return re.sub(r"[^a-z0-9/]", "", f"{path}/{re.split('[:@]', name)[0]}").strip("/")


_ODD = re.compile(r"[^a-z0-9._:/@\[\]-]+")
_BEFORE_HOST = re.compile(r"\A.*(?:://|@(?!sha256:))")
_REPEATED_SLASH = re.compile(r"/(?:\.?/)+")


def _repositories_in(text: str) -> Iterator[str]:
    """Yield the repositories that a text names if case, odd characters, scheme, user or double slashes are ignored."""
    lower = text.lower()
    for candidate in (_ODD.sub("", lower), *_ODD.split(lower)):
        match = _REFERENCE.match(_REPEATED_SLASH.sub("/", _BEFORE_HOST.sub("", candidate)))
        if match is not None:
            yield match["repository"]


def matching(reference: Reference, images: Mapping[str, Image]) -> list[str]:
    """Return the names of the images that match a reference. Images with a tag pattern take precedence."""
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
        f"{manifest} runs {reference.repository}:{reference.tag or '(no tag)'}, an image of this app, but {problem}",
        where=manifest.place,
        hint="use a tag that matches the 'tag' pattern of exactly one image in app.yaml",
    )


def for_templates(released: Mapping[str, ReleasedImage]) -> dict[str, dict[str, str]]:
    """Return ``images.NAME.{repository,tag,digest,reference}`` for templates."""
    return {
        name: {
            "repository": image.repository,
            "tag": image.tag,
            "digest": image.digest,
            "reference": image.reference,
        }
        for name, image in sorted(released.items())
    }
