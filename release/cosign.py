"""cosign: signatures and attestations of an image, kept beside it in its repository.

A key of one's own, or none: then GitLab says in SIGSTORE_ID_TOKEN which pipeline this is, and a certificate for some
minutes comes from Sigstore: https://docs.gitlab.com/ci/yaml/signing_examples/.
"""

from __future__ import annotations

import base64
import json
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crane import INHERITED, program
from failure import ReleaseError
from headgate import process

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SBOM, PROVENANCE = "cyclonedx", "slsaprovenance1"
_SECRETS = ("SIGSTORE_ID_TOKEN", "COSIGN_PRIVATE_KEY", "COSIGN_PASSWORD", "COSIGN_PUBLIC_KEY")


@dataclass(frozen=True)
class Signer:
    """Who signs: a pipeline by its certificate's ``identity`` and ``issuer``, or whoever has a key.

    ``private`` and ``public`` are files, or ``env://NAME``. With a key, nothing is told to Sigstore's public log.
    """

    identity: str = ""
    issuer: str = ""
    private: str = ""
    public: str = ""


def make_key(folder: Path) -> tuple[str, str]:
    """Make a key pair without a password, for what is thrown away; return the files of both keys."""
    env = {**process.inherited(INHERITED), "COSIGN_PASSWORD": ""}
    process.run([program("cosign"), "generate-key-pair", "--output-key-prefix", str(folder / "key")], env=env)
    return str(folder / "key.key"), str(folder / "key.pub")


def sign(signer: Signer, image: str) -> None:
    """Sign an image by its digest, and the image for each platform in it."""
    with _signing(signer) as options:
        _cosign("sign", "--yes", "--recursive", *options, image)


def attest(signer: Signer, image: str, kind: str, predicate: dict[str, Any]) -> None:
    """Put a signed statement of a kind (SBOM, PROVENANCE) about an image beside it."""
    with _signing(signer) as options, tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(predicate, file)
        file.flush()
        _cosign("attest", "--yes", "--type", kind, "--predicate", file.name, *options, image)


def verify(signer: Signer, image: str) -> None:
    """Raise ReleaseError unless an image is signed, as a user would find out."""
    _cosign("verify", *_expected(signer), image)


def verify_attestation(signer: Signer, image: str, kind: str) -> list[dict[str, Any]]:
    """Return what was attested of an image. Raises ReleaseError where nothing of that kind is, by that signer."""
    found = _cosign("verify-attestation", "--type", kind, *_expected(signer), image)
    return list(_predicates(found.decode().splitlines()))


def _predicates(lines: Sequence[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        statement = json.loads(base64.b64decode(json.loads(line)["payload"]))
        yield statement["predicate"]


@contextmanager
def _signing(signer: Signer) -> Iterator[list[str]]:
    """Give the options of cosign; with a key, files that name no service and trust none, so that none is asked."""
    with tempfile.TemporaryDirectory() as folder:
        if not signer.private:
            yield []
            return
        services, trusted = Path(folder, "services.json"), Path(folder, "trusted.json")
        services.write_text(_NO_SERVICES)
        trusted.write_text(_NOBODY_TRUSTED)
        yield ["--key", signer.private, "--signing-config", str(services), "--trusted-root", str(trusted)]


# What `cosign signing-config create` and `cosign trusted-root create` write without options.
_NO_SERVICES = (
    '{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}'
)
_NOBODY_TRUSTED = '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}'


def _expected(signer: Signer) -> list[str]:
    if signer.public:
        return ["--key", signer.public, "--insecure-ignore-tlog"]
    return ["--certificate-identity", signer.identity, "--certificate-oidc-issuer", signer.issuer]


def _cosign(*args: str) -> bytes:
    env = process.inherited((*INHERITED, *_SECRETS))
    try:
        return process.run([program("cosign"), *args], env=env, limits=process.Limits(seconds=600)).stdout
    except process.ProcessError as error:
        raise ReleaseError(f"cosign {args[0]}: {error.stderr}") from error
