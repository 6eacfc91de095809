"""Releases into a real registry, by the real crane and cosign: tags, signatures, attestations."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

import cosign
import crane
from cosign import PROVENANCE, SBOM, Signer, make_key
from failure import ReleaseError
from job import Image
from join import join
from provenance import Origin
from publish import SBOM_PATH, Release, publish
from support.registry import OCI, Registry, push_blob, push_manifest, sha256
from versions import Version, parse_version

pytestmark = pytest.mark.long
REPOSITORY = "headgate/headgate"
NEXT = iter(range(10**6))
Made = Callable[..., Release]


def push_headgate(registry: Registry, tag: str, version: str, commit: str, architecture: str) -> str:
    """Push an image for one platform with one layer that holds a bill of materials; return its digest."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as files:
        content = json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "of": [version, architecture]}).encode()
        entry = tarfile.TarInfo(SBOM_PATH)
        entry.size = len(content)
        files.addfile(entry, io.BytesIO(content))
    packed = gzip.compress(layer.getvalue(), mtime=0)
    labels = {"org.opencontainers.image.revision": commit, "org.opencontainers.image.version": version}
    config = json.dumps(
        {
            "os": "linux",
            "architecture": architecture,
            "config": {"Labels": labels},
            "rootfs": {"type": "layers", "diff_ids": [sha256(layer.getvalue())]},
        }
    ).encode()
    parts = [(f"{OCI}config.v1+json", config), (f"{OCI}layer.v1.tar+gzip", packed)]
    described = [
        {"mediaType": kind, "digest": push_blob(registry, REPOSITORY, data), "size": len(data)} for kind, data in parts
    ]
    manifest = {"schemaVersion": 2, "mediaType": f"{OCI}manifest.v1+json", "config": described[0]}
    return push_manifest(registry, REPOSITORY, tag, {**manifest, "layers": described[1:]})


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    private, public = make_key(tmp_path_factory.mktemp("key"))
    return Signer(private=private, public=public)


@pytest.fixture
def make(registry: Registry, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Return what builds the image of a commit for both platforms, and makes it a release."""
    monkeypatch.setenv("COSIGN_PASSWORD", "")

    def made(version: str, commit: str = "", labelled: str = "") -> Release:
        commit = commit or f"{next(NEXT):040x}"
        for architecture in ("amd64", "arm64"):
            push_headgate(registry, f"{commit}-{architecture}", labelled or version, commit, architecture)
        repository = f"{registry.host}/{REPOSITORY}"
        parsed = parse_version(version)
        assert parsed is not None
        project = "https://gitlab.example.com/headgate/headgate"
        origin = Origin(project, commit, f"refs/tags/{version}", f"{project}/-/p/1", f"{project}/-/j/1", "runner")
        return Release(Image(repository, join(repository, commit), commit), parsed, origin, signer)

    return made


def tags(registry: Registry) -> dict[str, str]:
    """Return all tags but those of platforms, with their digests."""
    repository = f"{registry.host}/{REPOSITORY}"
    return {tag: crane.digest(f"{repository}:{tag}") for tag in crane.tags(repository) if "64" not in tag}


def test_the_tested_digest_gets_the_tags_of_its_version(registry: Registry, make: Made) -> None:
    release = make("1.2.3")
    assert publish(release) == ["1.2.3", "1.2", "1", release.image.commit]
    assert tags(registry) == dict.fromkeys(["1.2.3", "1.2", "1", release.image.commit], release.image.digest)


def test_an_older_patch_moves_its_own_line_only(registry: Registry, make: Made) -> None:
    first, newest = make("1.2.3"), make("1.3.0")
    publish(first)
    publish(newest)
    patch = make("1.2.4")
    publish(patch)
    found = tags(registry)
    assert (found["1.2.4"], found["1.2"]) == (patch.image.digest,) * 2
    assert (found["1.3.0"], found["1.3"], found["1"]) == (newest.image.digest,) * 3
    assert found["1.2.3"] == first.image.digest


def test_a_pre_release_moves_nothing(registry: Registry, make: Made) -> None:
    first, candidate = make("1.2.3"), make("1.3.0-rc.1")
    publish(first)
    assert publish(candidate) == ["1.3.0-rc.1", candidate.image.commit]
    assert tags(registry)["1"] == first.image.digest


def test_users_find_the_signature_the_provenance_and_what_is_in_it(make: Made, signer: Signer) -> None:
    release = make("1.2.3")
    publish(release)
    by_tag = f"{release.image.repository}:1"
    cosign.verify(signer, by_tag)
    (origin,) = cosign.verify_attestation(signer, by_tag, PROVENANCE)
    assert origin["buildDefinition"]["resolvedDependencies"][0]["digest"] == {"gitCommit": release.image.commit}
    for platform, digest in crane.platforms(release.image.repository, release.image.digest).items():
        reference = f"{release.image.repository}@{digest}"
        cosign.verify(signer, reference)
        (sbom,) = cosign.verify_attestation(signer, reference, SBOM)
        assert sbom["of"] == ["1.2.3", platform.removeprefix("linux/")]


def test_another_key_and_an_unsigned_image_are_refused(make: Made, tmp_path: Path, signer: Signer) -> None:
    release = make("1.2.3")
    with pytest.raises(ReleaseError, match="Error: no signatures found"):
        cosign.verify(signer, release.image.reference)
    publish(release)
    _, public = make_key(tmp_path)
    with pytest.raises(ReleaseError, match="cosign verify:"):
        cosign.verify(Signer(public=public), release.image.reference)


def test_run_again_it_changes_nothing(registry: Registry, make: Made) -> None:
    release = make("1.2.3")
    publish(release)
    before = tags(registry)
    publish(release)
    assert tags(registry) == before


def test_a_version_never_changes(registry: Registry, make: Made) -> None:
    publish(make("1.2.3"))
    before = tags(registry)
    again = make("1.2.3")
    with pytest.raises(ReleaseError, match=r"1\.2\.3 is released already") as raised:
        publish(again)
    assert "release the next one" in raised.value.hint
    assert tags(registry) == {**before, again.image.commit: again.image.digest}


def test_an_image_that_is_gone_says_what_to_do(registry: Registry, make: Made) -> None:
    release = make("1.2.3")
    gone = Image(release.image.repository, f"sha256:{'0' * 64}", release.image.commit)
    with pytest.raises(ReleaseError, match="is not in the registry any more") as raised:
        publish(Release(gone, release.version, release.origin, release.signer))
    assert "run the whole pipeline of this commit again" in raised.value.hint
    assert "1.2.3" not in tags(registry)


@pytest.mark.parametrize("wrong", ["commit", "version"])
def test_an_image_of_something_else_is_not_released(registry: Registry, make: Made, wrong: str) -> None:
    release = make("1.2.3", labelled="1.2.2" if wrong == "version" else "")
    image = release.image
    if wrong == "commit":
        image = Image(image.repository, image.digest, "f" * 40)
    with pytest.raises(ReleaseError, match="and not"):
        publish(Release(image, Version(1, 2, 3), release.origin, release.signer))
    assert not {"1.2.3", "1.2", "1"} & set(tags(registry))


def test_a_platform_that_was_not_built_is_named(registry: Registry) -> None:
    push_headgate(registry, "c0ffee-amd64", "1.2.3", "c0ffee", "amd64")
    with pytest.raises(ReleaseError, match="c0ffee-arm64 is not there") as raised:
        join(f"{registry.host}/{REPOSITORY}", "c0ffee")
    assert "'build arm64'" in raised.value.hint
    push_headgate(registry, "c0ffee-arm64", "1.2.3", "c0ffee", "amd64")
    with pytest.raises(ReleaseError, match=r"is for linux/amd64, not for linux/amd64, linux/arm64"):
        join(f"{registry.host}/{REPOSITORY}", "c0ffee")


def test_a_registry_that_does_not_answer_is_not_taken_for_an_empty_one() -> None:
    with pytest.raises(ReleaseError, match="connection refused"):
        crane.is_there("127.0.0.1:1/headgate:1")
