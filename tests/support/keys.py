"""SSH keys, and the files that make git trust them."""

from __future__ import annotations

import subprocess
from pathlib import Path


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
