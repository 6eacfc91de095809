"""One git that answers all questions about objects: what is there, what is not, and what when it dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from headgate.errors import GitError
from headgate.repository.catfile import CatFile
from headgate.repository.git import Repository
from support.manifests import git


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    (tmp_path / "large").write_bytes(b"\n missing\n" * 100_000)
    (tmp_path / "empty").write_bytes(b"")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "Begin")
    return tmp_path


def children() -> set[int]:
    """Return the running programs of this process."""
    return {int(pid) for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}


def test_answers_come_in_the_order_of_the_questions(folder: Path) -> None:
    names = ["main:large", "main:nothing", "main:empty", "0" * 40, "main^{tree}", "two words", "main"]
    objects = CatFile(folder)
    for contents, answers in ((True, objects.contents(names)), (False, objects.info(names))):
        large, nothing, empty, zeros, tree, words, commit = answers
        assert nothing is zeros is words is None
        assert large
        assert empty
        assert tree
        assert commit
        assert [large.kind, large.size, large.content] == [
            "blob",
            1_000_000,
            (folder / "large").read_bytes() * contents,
        ]
        assert [empty.size, empty.content] == [0, b""]
        assert [tree.kind, tree.oid] == ["tree", git(folder, "rev-parse", "main^{tree}")]
        assert [commit.kind, commit.oid] == ["commit", git(folder, "rev-parse", "main")]


@pytest.mark.long
@pytest.mark.parametrize("times", [128, 300])
def test_more_is_answered_than_a_pipe_holds(folder: Path, times: int) -> None:
    found = CatFile(folder).contents(["main:large", "f" * 40] * times)
    assert [answer and len(answer.content) for answer in found] == [1_000_000, None] * times


def test_one_process_answers_all_and_sees_what_others_add(folder: Path) -> None:
    before = children()
    objects = CatFile(folder)
    assert objects.info([]) == []
    assert children() == before
    assert objects.info(["later"]) == [None]
    running = children() - before
    git(folder, "branch", "later")
    git(folder, "repack", "-a", "-d", "--quiet")
    (later,) = objects.info(["later"])
    assert later
    assert later.oid == git(folder, "rev-parse", "main")
    assert children() - before == running
    assert len(running) == 1
    objects.close()
    assert children() == before
    (again,) = objects.info(["later"])
    assert again == later
    del objects
    assert children() == before


def test_after_its_death_the_next_question_starts_another(folder: Path) -> None:
    before = children()
    objects = CatFile(folder)
    objects.info(["main"])
    (running,) = children() - before
    os.kill(running, signal.SIGKILL)
    with pytest.raises(GitError, match="git cat-file failed: it ended early"):
        objects.info(["main"])
    assert objects.info(["main"])[0]


def test_a_git_that_is_too_old_is_told(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin/git"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "error: unknown option \\`batch-command\'" >&2\nexit 129\n')
    program.chmod(0o755)
    objects = CatFile(folder)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    for count in (1, 1000):
        with pytest.raises(GitError, match="unknown option") as error:
            objects.info(["main"] * count)
        assert error.value.hint == "install git 2.36 or newer"


def test_a_damaged_object_is_told_in_the_words_of_git(folder: Path) -> None:
    oid = git(folder, "rev-parse", "main:large")
    stored = folder / ".git/objects" / oid[:2] / oid[2:]
    stored.chmod(0o644)
    stored.write_bytes(stored.read_bytes()[:40])
    for count in (1, 1000):
        with pytest.raises(GitError, match=f"git cat-file failed: .*{oid}"):
            CatFile(folder).contents([oid] * count)


def test_a_name_of_two_lines_is_no_name(folder: Path) -> None:
    objects = CatFile(folder)
    with pytest.raises(GitError, match="newline"):
        objects.info(["main\nmain"])
    assert len(objects.info(["main"])) == 1


def test_after_a_fetch_it_knows_where_the_history_is_cut(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "Go on")
    shallow = tmp_path_factory.mktemp("shallow")
    git(shallow, "clone", "--quiet", "--bare", "--depth=1", folder.as_uri(), ".")
    repository = Repository(shallow, bare=True)
    assert repository.resolve("main^") == [""]
    repository.fetch("--depth=2", "origin", "main")
    assert repository.resolve("main^") == [git(folder, "rev-parse", "main^")]
