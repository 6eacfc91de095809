"""Signs commits with an SSH key, which git's fast-import cannot do."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from headgate import process
from headgate.errors import ConfigError, Location, ToolError

_MAX_KEY = 64 * 1024


def signed(commit: bytes, key_file: str) -> bytes:
    """Return a commit object with the signature that ``git verify-commit`` checks.

    ``key_file`` is the path of a private SSH key without a passphrase, with any file mode and any line ends. Raises
    ConfigError for anything else, ToolError without ssh-keygen; neither shows a part of the key.
    """
    with tempfile.TemporaryDirectory(prefix="headgate-") as folder:
        key = Path(folder) / "key"
        _write_private(key, _key(key_file))
        _write_private(key.with_suffix(".pub"), _public_key(key, key_file))  # a PEM key lacks the public key
        signature = _ssh_keygen(["-Y", "sign", "-n", "git", "-f", str(key)], commit)
    if signature.code:
        raise _unusable(key_file, f"ssh-keygen cannot sign with it: {_first_line(signature, folder)}")
    head, _, message = commit.partition(b"\n\n")
    # https://git-scm.com/docs/signature-format: a header among the others, continued with a space
    header = b"gpgsig " + signature.stdout.strip().replace(b"\n", b"\n ")
    return head + b"\n" + header + b"\n\n" + message


def _key(key_file: str) -> bytes:
    """Read a key from a CI variable, which may have CRLF line ends or lack the last newline."""
    if "PRIVATE KEY" in key_file or "\n" in key_file:
        raise ConfigError(
            "the signing key's setting holds the key itself, expected the path of its file",
            hint="in GitLab, make HEADGATE_SIGNING_KEY a variable of type File",
        )
    try:
        with Path(key_file).open("rb") as file:
            content = file.read(_MAX_KEY)
    except OSError as error:
        raise _unusable(key_file, f"cannot be read: {error.strerror}") from None
    if b"PRIVATE KEY-----" not in content:
        kind = "a public key" if content.startswith((b"ssh-", b"ecdsa-", b"sk-")) else "no private key"
        raise _unusable(key_file, f"expected a private SSH key, found {kind}")
    return content.replace(b"\r\n", b"\n").strip() + b"\n"


def _write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, as ssh-keygen requires."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _public_key(key: Path, key_file: str) -> bytes:
    completed = _ssh_keygen(["-y", "-P", "", "-f", str(key)])
    if completed.code == 0:
        return completed.stdout
    if "passphrase" in completed.stderr:
        raise _unusable(key_file, "the key has a passphrase, and nobody can type it")
    raise _unusable(key_file, f"ssh-keygen cannot read the key: {_first_line(completed, str(key.parent))}")


def _ssh_keygen(args: list[str], stdin: bytes = b"") -> process.Completed:
    # No display and no agent: nobody can answer a prompt, and only the given key is used.
    env = {**process.inherited(["PATH", "TMPDIR"]), "LC_ALL": "C", "SSH_ASKPASS_REQUIRE": "never"}
    try:
        return process.run(["ssh-keygen", *args], env=env, stdin=stdin, limits=process.Limits(seconds=30), check=False)
    except ToolError as error:
        raise ToolError(error.what, hint="it signs the commits: install OpenSSH 8.2 or newer") from None


def _first_line(completed: process.Completed, folder: str) -> str:
    """Return the first line of ssh-keygen's error, without the path of our copy."""
    first = next(iter(completed.stderr.strip().splitlines()), "no reason given")
    return first.replace(f"{folder}/", "")


def _unusable(key_file: str, problem: str) -> ConfigError:
    return ConfigError(
        problem,
        where=Location(key_file),
        hint="set --signing-key or HEADGATE_SIGNING_KEY to the file of a private SSH key",
    )
