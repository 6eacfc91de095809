"""SSH keys, and the files that make git trust them; keys that sign artifacts."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec


def make_key(path: Path, *, kind: str = "ed25519", passphrase: str = "", form: str = "RFC4716") -> Path:
    """Make a key pair; ``form`` PEM is the older one, which does not hold the public key."""
    size = ["-b", "2048"] if kind == "rsa" else []
    old = ["-m", form] if form != "RFC4716" else []
    command = ["ssh-keygen", "-q", "-t", kind, *size, *old, "-N", passphrase, "-C", "", "-f", str(path)]
    subprocess.run(command, check=True)
    return path


def allowed(key: Path, email: str) -> list[str]:
    """Return what makes git trust a key for an address."""
    signers = key.with_name("signers")
    signers.write_text(f"{email} {key.with_suffix('.pub').read_text()}")
    return ["-c", f"gpg.ssh.allowedSignersFile={signers}"]


def artifact_key(folder: Path, name: str = "artifacts") -> tuple[Path, Path]:
    """Make a key that signs artifacts, as openssl does; return the files of the private and of the public key."""
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private.write_bytes(key.private_bytes(*form))
    told = serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, told))
    return private, public
