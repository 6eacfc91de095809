"""The proof that Headgate made a commit of a branch for review.

Anybody who may push branches can write a commit as Headgate words it. What is taken over from a branch for review
into a newer proposal, or merged by itself, must not be theirs. So where there is a bot's token, each such commit
carries a keyed hash (https://www.rfc-editor.org/rfc/rfc2104) of what it holds, in the trailer ``Headgate-Proof``.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headgate.repository import git
from headgate.repository.commit import commit_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from headgate.repository.commit import Identity
    from headgate.repository.git import Repository

PROOF = "Headgate-Proof"
_PROOF = re.compile(rf"^{PROOF}: ([0-9a-f]{{64}})\n*\Z", re.MULTILINE)
_OURS = re.compile(r"^Headgate-Environment: ", re.MULTILINE)


@dataclass(frozen=True)
class ProofKey:
    """Proves commits with a secret, and tells which ones are proven.

    ``pushed`` is asked of a branch and a commit without proof, from before the secret was another: whether
    GitLab says that its owner pushed it.
    """

    key: bytes = field(repr=False)
    pushed: Callable[[str, str], bool] = lambda _branch, _commit: False

    @staticmethod
    def of(secret: str, repository: str, pushed: Callable[[str, str], bool]) -> ProofKey:
        """Return the prover of one repository, named by its address: what is proven there holds nowhere else."""
        return ProofKey(hmac.digest(secret.encode(), f"{PROOF} {repository}".encode(), hashlib.sha256), pushed)

    def proven(self, repository: Repository, branch: str, commit: str, by: Identity) -> str:
        """Return a commit of the same files on the same parent, with the proof for a branch."""
        found = git.commit_details(repository, commit)
        message = f"{found.message.rstrip()}\n{PROOF}: {self._hash(branch, found)}\n"
        return commit_tree(repository, found.tree, message, parents=found.parents, identity=by)

    def proves(self, repository: Repository, branch: str, commit: str) -> bool:
        """Whether a commit that is here was made for a branch by whoever has the secret."""
        found = git.commit_details(repository, commit)
        match = _PROOF.search(found.message)
        told = match[1] if match else ""
        if hmac.compare_digest(told, self._hash(branch, found)):
            return True
        return is_worded_as_ours(found.message) and self.pushed(branch, commit)

    def _hash(self, branch: str, commit: git.CommitDetails) -> str:
        words = _PROOF.sub("", commit.message).rstrip()
        what = "\0".join([branch, commit.tree, *commit.parents, "", words])
        return hmac.digest(self.key, what.encode("utf-8", "surrogateescape"), hashlib.sha256).hex()


def is_worded_as_ours(message: str) -> bool:
    """Whether a commit's message is as Headgate writes it: all that can be told of it without a secret."""
    return _OURS.search(message) is not None
