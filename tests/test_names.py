"""Names that some checkout takes for git's own or cannot hold; git itself is the judge of the first."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from headgate.errors import UnsafeFileError
from headgate.repository.input_check import check_input, safe_files
from headgate.repository.names import collision, is_gits_own, unportable
from headgate.repository.tree import REGULAR, SYMLINK, MemoryBlob, Tree, blob_id
from support.manifests import git

if TYPE_CHECKING:
    from pathlib import Path

# Each of git's own names and what Windows shortens it to, then names that are only like them.
GIT = [".git", "git~1"]
MODULES = [".gitmodules", "gitmod~1", "gitmod~4", "gi7eba~1", "gi7eba~9", "gi7eb~12", "gi7e~123", "gi~12345"]
ATTRIBUTES = [".gitattributes", "gitatt~1", "gitatt~4", "gi7d29~1", "gi7d29~9", "gi7d2~12", "gi7d~123", "g~123456"]
OTHERS = ["git", "git~2", ".gitx", ".gitignore", ".git~1", "gitmod~5", "gi7eba~0", "gi7eb~1", "gi7eba~12", "gitmodules"]
OTHERS += ["a.git", "my.gitmodules", ".github", ".gitlab-ci.yml", ".gitkeep", "~1", "charts", "values.yaml"]
IGNORED_ENDS = ["", ".", " ", ". .", ":x", "::$INDEX_ALLOCATION", " :x:y", ":x.y"]


def spellings(name: str) -> list[str]:
    ends = [name + end for end in IGNORED_ENDS]
    return [*ends, name.upper(), f"{name[:2]}\u200d{name[2:]}", f"\ufeff{name}", f"{name}\u202e"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("names")
    git(folder, "init", "--quiet")
    return folder


def told_by_git(repository: Path, names: list[str]) -> str:
    """Return what git, as on Windows and macOS, says against one of these names as a folder or as a symlink.

    It refuses .gitmodules as a symlink only, since it needs the file itself.
    """
    entries = [(mode, path) for name in names for mode, path in ((REGULAR, f"a/{name}/b"), (SYMLINK, f"b/{name}"))]
    settings = ("-c", "core.protectNTFS=true", "-c", "core.protectHFS=true")
    done = subprocess.run(
        ["git", *settings, "update-index", "--add", "-z", "--index-info"],
        input="".join(f"{mode} {blob_id(b'')}\t{path}\0" for mode, path in entries).encode(),
        cwd=repository,
        capture_output=True,
        check=True,
    )
    return done.stderr.decode()


@pytest.mark.parametrize("base", [*GIT, *MODULES, *ATTRIBUTES, *OTHERS])
def test_what_git_refuses_is_recognised(repository: Path, base: str) -> None:
    names = [*spellings(base), f"{base}.x", f"{base}x"]
    assert told_by_git(repository, [name for name in names if not is_gits_own(name)]) == ""
    assert base in (*ATTRIBUTES, *OTHERS) or told_by_git(repository, [base])


@pytest.mark.parametrize("base", [*GIT, *MODULES, *ATTRIBUTES])
def test_every_spelling_of_gits_own_names_is_recognised(base: str) -> None:
    assert [name for name in spellings(base) if not is_gits_own(name)] == []


@pytest.mark.parametrize("name", [*OTHERS, *(f"{base}.x" for base in (*GIT, *MODULES, *ATTRIBUTES))])
def test_names_that_are_only_like_gits_own_are_fine(name: str) -> None:
    assert not is_gits_own(name)


@pytest.mark.parametrize("path", ["%s", "%s/a.yaml", "a/%s", "a/%s/b.yaml"])
@pytest.mark.parametrize("name", [".git", ".GIT", "git~1", ".git.", ".git ", ".git::$INDEX_ALLOCATION", "GITMOD~1"])
@pytest.mark.parametrize("arrives", [False, True])
def test_gits_own_names_are_refused_wherever_they_come_from(path: str, name: str, *, arrives: bool) -> None:
    tree = Tree({path % name: MemoryBlob(b""), "web.yaml": MemoryBlob(b"")})
    with pytest.raises(UnsafeFileError) as caught:
        check_input(tree, "config", arrives=arrives)
    assert str(caught.value) == (
        f"config/{path % name}: a file that configures git, on some systems at least, and would do so in the manifest "
        "repository\n"
        "  remove it from this folder"
    )
    assert safe_files(tree).paths() == ["web.yaml"]


DEVICES = [
    "con",
    "CON",
    "prn",
    "aux.yaml",
    "Nul.txt.yaml",
    "com1",
    "LPT9.yaml",
    "com\u00b9",
    "conin$",
    "aux ",
    "nul .yaml",
]
UNPORTABLE = [
    *((name, "is a device on Windows") for name in DEVICES),
    *((name, "ends with a dot or space, which Windows drops") for name in ("a.", "a ", "a.yaml .", "...")),
    *((f"a{char}b", f"has the character {char!r}, which Windows does not take") for char in '<>:"|?*'),
]
PORTABLE = ["console.yaml", "com.yaml", "com10", "lpt", "nullable.yaml", "auxiliary", ".con", "a.con", " a", "~G_v1"]
PORTABLE += ["_helpers.tpl", "a b.yaml", "a@b.yaml", "\u00e4.yaml", "caf\u00e9"]


@pytest.mark.parametrize(("name", "why"), UNPORTABLE)
def test_name_that_windows_cannot_hold_is_refused_where_it_would_be_committed(name: str, why: str) -> None:
    tree = Tree({f"a/{name}/b.yaml": MemoryBlob(b"")})
    with pytest.raises(UnsafeFileError) as caught:
        check_input(tree, "deploy", arrives=True)
    assert str(caught.value) == (
        f"deploy/a/{name}/b.yaml: a name that some checkouts cannot hold: {name!r} {why}\n  rename the file"
    )
    check_input(tree, "templates/web")  # the platform has it in its repository already


@pytest.mark.parametrize("name", PORTABLE)
def test_name_that_windows_can_hold_is_fine(name: str) -> None:
    assert unportable(name) == ""


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Web.yaml", "web.yaml"),
        ("Base/a.yaml", "base/b.yaml"),
        ("base", "Base/b.yaml"),
        ("a/B/c.yaml", "a/b/d.yaml"),
        ("caf\u00e9.yaml", "cafe\u0301.yaml"),
        ("\u00c9t\u00e9/x", "e\u0301te\u0301/y"),
        ("\u03a3.yaml", "\u03c2.yaml"),
    ],
)
def test_two_names_of_which_some_checkouts_hold_one_are_refused(first: str, second: str) -> None:
    tree = Tree({first: MemoryBlob(b""), second: MemoryBlob(b"")})
    with pytest.raises(UnsafeFileError, match="differs only by case or Unicode spelling") as caught:
        check_input(tree, "deploy", arrives=True)
    for path in (first, second):
        assert path.partition("/")[0] in str(caught.value)
    check_input(tree, "templates/web")


def test_names_that_differ_in_more_are_fine() -> None:
    paths = ["a/b.yaml", "a/c.yaml", "b/b.yaml", "b.yaml", "cafe.yaml", "caf\u00e9.yaml", "a/b/c"]
    assert collision(paths) is None
    check_input(Tree({path: MemoryBlob(b"") for path in paths[:-1]}), "deploy", arrives=True)
