"""The proof that Headgate made a commit of a review branch.

Anybody who may push branches can imitate Headgate's commit messages, but Headgate must not carry over or merge foreign
commits. So when there is a bot's token, each commit on a review branch carries a keyed hash of its content
(https://www.rfc-editor.org/rfc/rfc2104) in the trailer ``Headgate-Proof``.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import field
from typing import TYPE_CHECKING

from headgate.records import frozen_record
from headgate.repository import git
from headgate.repository.commit import commit_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from headgate.repository.commit import Identity
    from headgate.repository.commit_object import CommitDetails
    from headgate.repository.git import Repository

PROOF = "Headgate-Proof"
_PROOF = re.compile(rf"^{PROOF}: ([0-9a-f]{{64}})\n*\Z", re.MULTILINE)
_OURS = re.compile(r"^Headgate-Environment: ", re.MULTILINE)


@frozen_record(kw_only=False)
class ProofKey:
    """Proves commits with a secret, and verifies proofs.

    ``pushed`` decides on a commit of a branch that an older secret may have proven: whether GitLab says that the bot
    pushed it.
    """

    key: bytes = field(repr=False)
    pushed: Callable[[str, str], bool] = lambda _branch, _commit: False

    @staticmethod
    def of(secret: str, repository: str, pushed: Callable[[str, str], bool]) -> ProofKey:
        """Return the key of one repository, given by its address: its proofs are invalid elsewhere."""
        return ProofKey(hmac.digest(secret.encode(), f"{PROOF} {repository}".encode(), hashlib.sha256), pushed)

    def with_proof(self, repository: Repository, branch: str, commit: str, identity: Identity) -> str:
        """Return a commit of the same tree on the same parents, with the proof for a branch."""
        details = git.commit_details(repository, commit)
        message = f"{details.message.rstrip()}\n{PROOF}: {self._hash(branch, details)}\n"
        return commit_tree(repository, details.tree, message, parents=details.parents, identity=identity)

    def proves(self, repository: Repository, branch: str, commit: str) -> bool:
        """Whether an owner of the secret made a commit for this branch."""
        details = git.commit_details(repository, commit)
        match = _PROOF.search(details.message)
        proof = match[1] if match else ""
        if hmac.compare_digest(proof, self._hash(branch, details)):
            return True
        return has_our_wording(details.message) and self.pushed(branch, commit)

    def signed(self, text: str) -> str:
        """Return a keyed hash of a text, which shows that an owner of the secret wrote it."""
        return hmac.digest(self.key, f"text\0{text}".encode(), hashlib.sha256).hex()[:32]

    def _hash(self, branch: str, commit: CommitDetails) -> str:
        message = _PROOF.sub("", commit.message).rstrip()
        content = "\0".join([branch, commit.tree, *commit.parents, "", message])
        return hmac.digest(self.key, content.encode("utf-8", "surrogateescape"), hashlib.sha256).hex()


def has_our_wording(message: str) -> bool:
    """Whether a message looks like Headgate's: the only check that needs no secret."""
    return _OURS.search(message) is not None
