"""Signatures of artifacts by a key, in cosign's format, as cosign and Flux verify them. Pure, but for `read_key`.

https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md: next to the artifact, under a tag that its digest
gives, stands another one, whose layers are texts that name the digest, each with its signature as an annotation.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headgate.errors import ConfigError
from headgate.objects.images import digest_of
from headgate.registry.artifact import MANIFEST_TYPE, OciArtifact, descriptor, to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

VARIABLE = "HEADGATE_ARTIFACT_KEY"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
_SIGNATURE = "dev.cosignproject.cosign/signature"


def read_key(file: str) -> EllipticCurvePrivateKey:
    """Return the key in a PEM file. Raises ConfigError."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  slow to load
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        key = load_pem_private_key(Path(file).read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        problem = error.strerror if isinstance(error, OSError) else "it holds no private key without a passphrase"
        raise _key_error(problem or "it cannot be read") from None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise _key_error("its key is not of ECDSA on P-256")
    return key


def _key_error(problem: str) -> ConfigError:
    return ConfigError(
        f"the file that {VARIABLE} names cannot sign artifacts: {problem}",
        hint="make it a variable of type File with what 'openssl genpkey -algorithm EC -pkeyopt "
        "ec_paramgen_curve:P-256' prints",
    )


def signature_tag(digest: str) -> str:
    """Return the tag of an artifact's signatures."""
    return f"{digest.replace(':', '-', 1)}.sig"


def signed_text(repository: str, digest: str) -> bytes:
    """Return what is signed: that a repository has an artifact with this digest."""
    return to_json(
        {
            "critical": {
                "identity": {"docker-reference": repository},
                "image": {"docker-manifest-digest": digest},
                "type": "cosign container image signature",
            },
            "optional": None,
        }
    )


def is_signed(layers: Sequence[Any], text: bytes, key: EllipticCurvePublicKey) -> bool:
    """Whether one of an artifact's signatures is a key's of this text."""
    return any(layer.get("digest") == digest_of(text) and _verifies(layer, text, key) for layer in layers)


def with_signature(layers: Sequence[Any], text: bytes, key: EllipticCurvePrivateKey) -> OciArtifact:
    """Return the artifact of signatures, with a key's of this text after those that there are."""
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    signature = base64.b64encode(key.sign(text, ECDSA(SHA256()))).decode()
    every = [*layers, {**descriptor(_LAYER_TYPE, text), "annotations": {_SIGNATURE: signature}}]
    config = to_json(
        {
            "architecture": "",
            "os": "",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in every]},
        }
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(_CONFIG_TYPE, config),
        "layers": every,
    }
    return OciArtifact(manifest=to_json(manifest), blobs=(text, config))


def _verifies(layer: Any, text: bytes, key: EllipticCurvePublicKey) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    try:
        signature = base64.b64decode((layer.get("annotations") or {}).get(_SIGNATURE, ""), validate=True)
        key.verify(signature, text, ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error, ValueError, TypeError):
        return False
    return True
