"""The proof of a commit for review holds for its branch, its files, its parents and its words, and for nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.errors import GitError
from headgate.landing.proof import ProofKey
from headgate.repository.commit import Identity, commit_tree, make_commit
from headgate.repository.commit_object import parse_commit
from headgate.repository.git import Repository, commit_details
from support.manifests import ManifestRepository, git

BRANCH = "headgate/production/web"
WORDS = "Deliver web to production\n\nHeadgate-Environment: production\n"


@pytest.fixture
def repository(tmp_path: Path, clean_user: None) -> Repository:
    """Return a repository with two commits."""
    made = ManifestRepository.make(tmp_path / "manifests")
    made.write({"a": "1"}).commit("One")
    made.write({"a": "2"}).commit("Two")
    return Repository(made.path / ".git", bare=False)


def proven(repository: Repository, prover: ProofKey) -> str:
    """Return a commit with its proof."""
    base = git(repository.path.parent, "rev-parse", "HEAD")
    bare = make_commit(repository, base, {"b": b"x"}, WORDS)
    return prover.with_proof(repository, BRANCH, bare, Identity())


def like(repository: Repository, commit: str, **changed: object) -> str:
    """Return a commit with the same words and proof, and something else changed."""
    found = commit_details(repository, commit)
    facts = {"tree": found.tree, "message": found.message, "parents": found.parents, **changed}
    return commit_tree(repository, str(facts["tree"]), str(facts["message"]), parents=facts["parents"])  # type: ignore[arg-type]


def test_it_is_proven_on_its_branch_by_its_secret_in_its_repository(repository: Repository) -> None:
    prover = ProofKey.of("secret", "https://gitlab.example.com/a.git", lambda _branch, _commit: False)
    commit = proven(repository, prover)
    assert prover.proves(repository, BRANCH, commit)
    assert prover.proves(repository, BRANCH, like(repository, commit)), "when it was made does not count"
    assert not prover.proves(repository, "headgate/production/api", commit)
    for secret, address in (
        ("other", "https://gitlab.example.com/a.git"),
        ("secret", "https://gitlab.example.com/b.git"),
    ):
        other = ProofKey.of(secret, address, lambda _branch, _commit: False)
        assert not other.proves(repository, BRANCH, commit)


def test_nothing_of_it_can_be_changed(repository: Repository) -> None:
    prover = ProofKey.of("secret", "https://gitlab.example.com/a.git", lambda _branch, _commit: False)
    commit = proven(repository, prover)
    older = git(repository.path.parent, "rev-parse", "HEAD~")
    found = commit_details(repository, commit)
    for changed in (
        {"parents": (older,)},
        {"parents": ()},
        {"parents": (*found.parents, older)},
        {"tree": git(repository.path.parent, "rev-parse", f"{older}^{{tree}}")},
        {"message": found.message.replace("web to production", "api to production")},
    ):
        assert not prover.proves(repository, BRANCH, like(repository, commit, **changed)), changed


TREE, PARENT = "a" * 40, "b" * 40
REST = "author A <a@b> 0 +0000\ncommitter A <a@b> 0 +0000\n"


@pytest.mark.parametrize(
    ("header", "tree", "parents"),
    [
        (f"tree {TREE}\nparent {PARENT}\n{REST}", TREE, (PARENT,)),
        (f"tree {TREE}\nparent {PARENT}\nparent {TREE}\n{REST}", TREE, (PARENT, TREE)),
        (f"tree {TREE}\n{REST}parent {PARENT}\n", TREE, ()),  # git sees none there
        (f"tree {TREE}\n{REST}tree {PARENT}\n", TREE, ()),
        (f"tree {TREE}\nauthor x\u2028parent {PARENT}\n", TREE, ()),
        (f"tree {TREE}\nauthor x\x0bparent {PARENT}\n", TREE, ()),
        (f"tree {TREE}\nparent {PARENT} \nparent {PARENT}\n{REST}", TREE, ()),
        (f"tree {TREE}\nparent {PARENT.upper()}\n{REST}", TREE, ()),
    ],
)
def test_a_commit_is_read_by_gits_rules(header: str, tree: str, parents: tuple[str, ...]) -> None:
    found = parse_commit(f"{header}\nWords\n\nparent {PARENT}\n".encode(), "c" * 40)
    assert (found.tree, found.parents, found.message) == (tree, parents, f"Words\n\nparent {PARENT}\n")


@pytest.mark.parametrize("header", ["", f"parent {PARENT}\ntree {TREE}\n", f" tree {TREE}\n", f"tree {TREE[:10]}\n"])
def test_what_is_no_commit_is_refused(header: str) -> None:
    with pytest.raises(GitError):
        parse_commit(f"{header}\nWords\n".encode(), "c" * 40)
