"""What differs between two commits, as git itself says it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from headgate.errors import GitError
from headgate.repository.difference import changed_files
from headgate.repository.git import open_repository
from support.manifests import git

NAMES = ("a", "b.yaml", "a-b", "ü", "a b", 'quo"te')


@pytest.fixture(params=["sha1", "sha256"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    git(tmp_path, "init", "--quiet", f"--object-format={request.param}")
    return tmp_path


def commit(folder: Path) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "Change")
    return git(folder, "rev-parse", "HEAD")


def told_by_git(folder: Path, old: str, new: str) -> dict[str, str]:
    tokens = git(folder, "diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", old, new).split("\0")
    return {path: meta.split(" ")[3] for meta, path in zip(tokens[::2], tokens[1::2], strict=False)}


def change(folder: Path, chance: random.Random) -> None:
    """Write, remove or replace a few files at random, files by folders too."""
    for _ in range(6):
        path = folder.joinpath(*(chance.choice(NAMES) for _ in range(chance.randint(1, 3))))
        for above in (*reversed(path.relative_to(folder).parents[:-1]), path.relative_to(folder)):
            if (folder / above).is_file() or (folder / above).is_symlink():
                (folder / above).unlink()
        if path.is_dir():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if chance.random() < 0.2:
            path.symlink_to("elsewhere")
        else:
            path.write_text(str(chance.randint(0, 3)))
            path.chmod(chance.choice((0o644, 0o755)))


@pytest.mark.long
def test_any_two_commits_differ_as_git_says(folder: Path) -> None:
    chance = random.Random(1)
    commits = []
    for _ in range(12):
        change(folder, chance)
        commits.append(commit(folder))
    repository = open_repository(folder)
    for old, new in zip(commits, [*commits[1:], commits[0]], strict=True):
        assert changed_files(repository, old, new) == told_by_git(folder, old, new)
    assert changed_files(repository, commits[0], commits[0]) == {}


def test_a_commit_that_is_not_there_is_named(folder: Path) -> None:
    known = commit(folder)
    missing = "f" * len(known)
    with pytest.raises(GitError, match=missing):
        changed_files(open_repository(folder), known, missing)
