"""Signatures of OCI artifacts: in cosign's format, by one key or several, and what refuses others."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from headgate import tools
from headgate.errors import ConfigError, RegistryError
from headgate.objects.images import digest_of
from headgate.registry.signature import is_signed, read_key, signature_tag, signed_text, with_signature
from support.flux import CONFIG_MAP, SETTINGS, read_objects
from support.gitlab.gitside import refs
from support.keys import artifact_key
from support.manifests import ManifestRepository
from support.publishing import MANIFEST, publishing, pulled
from support.registry import Registry

REPOSITORY = "platform/dev"


def signatures(registry: Registry, digest: str) -> list[dict[str, Any]]:
    """Return the layers of an artifact's signatures, whose texts are what cosign reads."""
    found = registry.request("GET", REPOSITORY, f"manifests/{signature_tag(digest)}", headers=MANIFEST).json()
    for layer in found["layers"]:
        assert layer["mediaType"] == "application/vnd.dev.cosign.simplesigning.v1+json"
        text = registry.request("GET", REPOSITORY, f"blobs/{layer['digest']}").json()
        assert text["critical"]["image"] == {"docker-manifest-digest": digest}
        assert text["critical"]["type"] == "cosign container image signature"
    return list(found["layers"])


def newest(registry: Registry) -> str:
    return pulled(registry, REPOSITORY, "latest")[2]


def no_registry(*_: Any) -> bool:
    raise RegistryError("it is away")


@pytest.mark.long
def test_an_artifact_is_signed_before_its_tag_names_it(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = artifact_key(tmp_path)
    with publishing(tmp_path, "platform/{environment}", registry) as scene:
        assert scene.hand_off().code == 0
        unsigned = newest(registry)
        with pytest.raises(AssertionError, match="404"):
            signatures(registry, unsigned)
        scene.artifact_key = str(key)
        ended = scene.schedule()
        assert f"signed {registry.host}/{REPOSITORY}@{unsigned}" in ended.out
        assert len(signatures(registry, unsigned)) == 1
        assert "signed " not in scene.schedule().out  # once is enough

        assert scene.new_version(replicas=3).code == 0
        digest = newest(registry)
        (layer,) = signatures(registry, digest)
        text = signed_text(f"{registry.host}/{REPOSITORY}", digest)
        assert is_signed([layer], text, read_key(str(key)).public_key())
        head = refs(scene.manifests)["refs/heads/main"]
        assert f"pushed {registry.host}/{REPOSITORY}:{head[:12]}@{digest}, signed" in scene.runs[-1].out

        with monkeypatch.context() as patched:
            patched.setattr("headgate.landing.artifacts.sign", no_registry)
            changed = scene.gitlab.show(scene.app, "deploy/web.yaml").replace("replicas: 3", "replicas: 4")
            assert scene.new_version({"deploy/web.yaml": changed}).code == RegistryError.code
        assert newest(registry) == digest  # Flux still finds one that is signed

        scene.artifact_key = str(artifact_key(tmp_path, "other")[0])
        scene.schedule()
        digest = newest(registry)
        assert len(signatures(registry, digest)) == 1
        scene.artifact_key = str(key)
        scene.schedule()
        assert len(signatures(registry, digest)) == 2  # both keys', so that clusters can change theirs one by one


def test_a_signature_is_of_one_key_one_digest_and_one_repository(tmp_path: Path) -> None:
    key, other = (read_key(str(artifact_key(tmp_path, name)[0])) for name in ("key", "other"))
    text = signed_text("registry.example.com/dev", digest_of(b"a"))
    layers = json.loads(with_signature([], text, key).manifest)["layers"]
    assert is_signed(layers, text, key.public_key())
    assert not is_signed(layers, text, other.public_key())
    assert not is_signed(layers, signed_text("registry.example.com/dev", digest_of(b"b")), key.public_key())
    moved = [{**layers[0], "digest": digest_of(signed_text("x", digest_of(b"a")))}]
    assert not is_signed(moved, signed_text("x", digest_of(b"a")), key.public_key())
    for notes in (None, {}, {"dev.cosignproject.cosign/signature": "?"}):
        assert not is_signed([{**layers[0], "annotations": notes}], text, key.public_key())


def test_a_key_that_cannot_sign_is_refused_and_not_shown(tmp_path: Path) -> None:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    curve = ec.generate_private_key(ec.SECP384R1())
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    secret = [key.private_bytes(*form, serialization.NoEncryption()) for key in (made, curve)]
    locked = curve.private_bytes(*form, serialization.BestAvailableEncryption(b"x"))
    for content in (*secret, locked, b"-----BEGIN PRIVATE KEY-----\nMIGH"):
        (tmp_path / "key").write_bytes(content)
        with pytest.raises(ConfigError, match="HEADGATE_ARTIFACT_KEY names cannot sign artifacts"):
            read_key(str(tmp_path / "key"))
        with pytest.raises(ConfigError) as raised:
            read_key(content.decode())  # the variable is not of type File
        assert content.decode().splitlines()[1][:16] not in str(raised.value)


@pytest.mark.long
def test_what_a_cluster_verifies_is_not_pushed_unsigned(tmp_path: Path, registry: Registry) -> None:
    with publishing(tmp_path, "platform/{environment}", registry) as scene:
        text = scene.gitlab.show(scene.manifests, "headgate.yaml")
        scene.push(scene.manifests, {"headgate.yaml": f"{text}\nclusters: {{dev: {{flux: {{cosign: artifacts}}}}}}\n"})
        ended = scene.hand_off()
        assert ended.code == ConfigError.code
        assert "the cluster 'dev' takes signed artifacts only" in ended.out
        assert registry.request("GET", "", f"http://{registry.host}/v2/_catalog").json()["repositories"] == []
        scene.artifact_key = str(artifact_key(tmp_path)[0])
        assert scene.schedule().code == 0
        assert len(signatures(registry, newest(registry))) == 1


def test_flux_verifies_by_the_keys_in_the_secret(manifests: ManifestRepository) -> None:
    output = "delivery: commit, output: {oci: {repository: 'registry.example.com/{environment}'}}"
    settings = SETTINGS.replace("delivery: commit", output).replace(
        "dev: {flux: {}}", "dev: {flux: {cosign: artifacts}}"
    )
    manifests.write({"headgate.yaml": settings, "templates/plain/map.yaml": CONFIG_MAP})
    manifests.app("shop", "template: plain\n")
    assert manifests.hydrate().code == 0
    found: Any = read_objects(manifests.path / "clusters/dev")[
        "ocirepository.source.toolkit.fluxcd.io-headgate.dev.yaml"
    ]
    assert found["spec"]["verify"] == {"provider": "cosign", "secretRef": {"name": "artifacts"}}


# By cosign itself


@pytest.fixture
def cosign() -> Path:
    program = tools.own_folder() / "cosign"
    if not program.is_file():
        pytest.skip("cosign is not here: make release-tools")
    return program


@pytest.mark.long
def test_cosign_takes_the_signature_and_nothing_else(tmp_path: Path, registry: Registry, cosign: Path) -> None:
    key, public = artifact_key(tmp_path)
    _, other = artifact_key(tmp_path, "other")

    def verified(digest: str, by: Path = public) -> subprocess.CompletedProcess[str]:
        flags = ("--insecure-ignore-tlog=true", "--allow-http-registry", f"--key={by}")
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        command = [str(cosign), "verify", *flags, f"{registry.host}/{REPOSITORY}@{digest}"]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)

    with publishing(tmp_path, "platform/{environment}", registry) as scene:
        scene.artifact_key = str(key)
        assert scene.hand_off().code == 0
        digest = newest(registry)
        taken = verified(digest)
        assert taken.returncode == 0, taken.stderr
        assert json.loads(taken.stdout)[0]["critical"]["image"]["docker-manifest-digest"] == digest
        assert verified(digest, other).returncode != 0

        manifest = registry.request("GET", REPOSITORY, "manifests/latest", headers=MANIFEST).json()
        altered = json.dumps({**manifest, "annotations": {"headgate.tree": "other"}}).encode()
        kind = {"Content-Type": MANIFEST["Accept"]}
        registry.request("PUT", REPOSITORY, "manifests/latest", data=altered, headers=kind)
        refused = verified(newest(registry))
        assert (refused.returncode != 0, "no signatures found" in refused.stderr) == (True, True), refused.stderr
        # somebody moves the signature to it
        old = registry.request("GET", REPOSITORY, f"manifests/{signature_tag(digest)}", headers=MANIFEST)
        moved = f"manifests/{signature_tag(newest(registry))}"
        registry.request("PUT", REPOSITORY, moved, data=old.content, headers=kind)
        assert verified(newest(registry)).returncode != 0
        scene.artifact_key = str(artifact_key(tmp_path, "other")[0])
        scene.schedule()  # what was altered gives way to what is in git
        assert verified(newest(registry), other).returncode == 0
