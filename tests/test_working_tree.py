"""What is read of a working folder: each file as it lies there, whatever git thinks of it."""

from __future__ import annotations

from pathlib import Path

from headgate.repository.git import open_repository
from headgate.repository.tree import blob_id
from headgate.repository.worktree import tree_of_folder
from support.manifests import git


def test_files_are_those_on_disk(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    for name in ("same", "edited", "deleted", "with\ttab", "staged", "? odd", "run"):
        (tmp_path / name).write_text(name)
    (tmp_path / ".gitignore").write_text("ignored\n")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "Begin")
    (tmp_path / "edited").write_text("anew!!")
    (tmp_path / "deleted").unlink()
    (tmp_path / "staged").write_text("first")
    git(tmp_path, "add", "staged")
    (tmp_path / "staged").write_text("later")
    (tmp_path / "new\tfile").write_text("new")
    (tmp_path / "ignored").write_text("not seen")
    (tmp_path / "run").chmod(0o755)
    tree = tree_of_folder(open_repository(tmp_path))
    expected = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name not in (".git", "ignored")}
    assert {path: tree.read(path) for path in tree.paths()} == expected
    assert {path: tree.blob(path).oid for path in tree.paths()} == {p: blob_id(data) for p, data in expected.items()}
    assert [path for path in tree.paths() if tree.blob(path).mode == "100755"] == ["run"]
