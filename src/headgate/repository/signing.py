"""A commit's bytes -> the same commit signed with an SSH key. git's fast-import cannot sign."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from headgate import process
from headgate.errors import ConfigError, Location, ToolError

_MAX_KEY = 64 * 1024


def signed(commit: bytes, key_file: str) -> bytes:
    """Return a commit object with the signature that ``git verify-commit`` checks.

    ``key_file`` is the path of a private SSH key without a passphrase; which modes the file has, and how its
    lines end, does not matter. Raises ConfigError for what is not such a key, ToolError without ssh-keygen.
    Neither shows anything of the key.
    """
    with tempfile.TemporaryDirectory(prefix="headgate-") as folder:
        key = Path(folder) / "key"
        _write_private(key, _key(key_file))
        _write_private(key.with_suffix(".pub"), _public_key(key, key_file))  # keys in PEM do not hold it
        signature = _ssh_keygen(["-Y", "sign", "-n", "git", "-f", str(key)], commit)
    if signature.code:
        raise _unusable(key_file, f"ssh-keygen could not sign with it: {_words(signature, folder)}")
    head, _, message = commit.partition(b"\n\n")
    # https://git-scm.com/docs/signature-format: a header among the others, continued with a space
    header = b"gpgsig " + signature.stdout.strip().replace(b"\n", b"\n ")
    return head + b"\n" + header + b"\n\n" + message


def _key(key_file: str) -> bytes:
    """Read a key as people store it in a CI variable: with CRLF, or without its last newline."""
    if "PRIVATE KEY" in key_file or "\n" in key_file:
        raise ConfigError(
            "the signing key is given itself, expected the path of its file",
            hint="in GitLab, make HEADGATE_SIGNING_KEY a variable of the type File",
        )
    try:
        with Path(key_file).open("rb") as file:
            content = file.read(_MAX_KEY)
    except OSError as error:
        raise _unusable(key_file, f"cannot be read: {error.strerror}") from None
    if b"PRIVATE KEY-----" not in content:
        found = "a public key" if content.startswith((b"ssh-", b"ecdsa-", b"sk-")) else "no private key"
        raise _unusable(key_file, f"expected a private SSH key, found {found}")
    return content.replace(b"\r\n", b"\n").strip() + b"\n"


def _write_private(path: Path, content: bytes) -> None:
    """Write a file that nobody else may read, which is what ssh-keygen asks for."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _public_key(key: Path, key_file: str) -> bytes:
    done = _ssh_keygen(["-y", "-P", "", "-f", str(key)])
    if done.code == 0:
        return done.stdout
    if "passphrase" in done.stderr:
        raise _unusable(key_file, "the key has a passphrase, which nobody is there to type")
    raise _unusable(key_file, f"not a key that ssh-keygen reads: {_words(done, str(key.parent))}")


def _ssh_keygen(args: list[str], stdin: bytes = b"") -> process.Completed:
    # Without a display and an agent there is nobody to be asked, and only the key that was named is used.
    env = {**process.inherited(["PATH", "TMPDIR"]), "LC_ALL": "C", "SSH_ASKPASS_REQUIRE": "never"}
    try:
        return process.run(["ssh-keygen", *args], env=env, stdin=stdin, limits=process.Limits(seconds=30), check=False)
    except ToolError as error:
        raise ToolError(error.what, hint="commits are signed with it: install OpenSSH, 8.2 or newer") from None


def _words(done: process.Completed, folder: str) -> str:
    """Return ssh-keygen's first words, without the name of our copy."""
    first = next(iter(done.stderr.strip().splitlines()), "no reason given")
    return first.replace(f"{folder}/", "")


def _unusable(key_file: str, what: str) -> ConfigError:
    return ConfigError(
        what, where=Location(key_file), hint="give --signing-key or HEADGATE_SIGNING_KEY the file of a private SSH key"
    )
