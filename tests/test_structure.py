"""How the program hangs together, so that it can be read from one end to the other, and which doors it has."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

import headgate

ROOT = Path(headgate.__file__).parent


@cache
def nodes(file: Path) -> tuple[ast.AST, ...]:
    """Return all that a file's text is made of."""
    return tuple(ast.walk(ast.parse(file.read_text())))


def own_imports(file: Path) -> Iterator[str]:
    """Yield Headgate's own modules that a file imports, wherever in its text, for types too."""
    for node in nodes(file):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "headgate":
            package = str(node.module).removeprefix("headgate").lstrip(".")
            yield from (f"{package}.{alias.name}".lstrip(".") for alias in node.names)


def files() -> dict[str, set[str]]:
    """Return what each module imports of the others."""
    modules = {_name(file): file for file in ROOT.rglob("*.py")}
    imported = {}
    for name, file in modules.items():
        names = {found if found in modules else found.rpartition(".")[0] for found in own_imports(file)}
        imported[name] = (names & modules.keys()) - {name}
    return imported


def _name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def packages() -> dict[str, set[str]]:
    """Return what each package, or module at the top, imports of the others."""
    found: dict[str, set[str]] = {}
    for name, others in files().items():
        own = name.split(".")[0]
        found.setdefault(own, set()).update({other.split(".")[0] for other in others} - {own})
    return {name: others & found.keys() for name, others in found.items()}


@pytest.mark.parametrize("imports", [files, packages])
def test_imports_go_one_way(imports: Callable[[], dict[str, set[str]]]) -> None:
    left = imports()
    assert len(left) > 20
    while left:
        free = {name for name, others in left.items() if not others & left.keys()}
        circle = {name: others & left.keys() for name, others in left.items()}
        assert free, f"these import each other in circles: {circle}"
        left = {name: others for name, others in left.items() if name not in free}


def importing(package: str) -> set[str]:
    """Return the modules that import a package or a part of it, wherever in their text."""
    found = set()
    for file in ROOT.rglob("*.py"):
        for node in nodes(file):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            else:
                continue
            if any(f"{name}.".startswith(f"{package}.") for name in names):
                found.add(str(file.relative_to(ROOT)))
    return found


@pytest.mark.parametrize(
    ("package", "modules"),
    [
        ("subprocess", {"process.py"}),
        ("yaml", {"render/jinja_child.py"}),  # to write what `to_yaml` gives
        ("ruamel", {"intents/edit_app_yaml.py", "yamltext/insert.py"}),  # to edit what people wrote
    ],
)
def test_one_module_alone_has_the_door(package: str, modules: set[str]) -> None:
    assert importing(package) == modules


def test_frozen_records_are_declared_in_one_way() -> None:
    """`dataclasses` takes 0.7 ms of each start for each of them; it alone gives an order."""
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in ROOT.rglob("*.py")
        for node in nodes(file)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dataclass"
        if {"frozen"} == {word.arg for word in node.keywords} & {"frozen", "order"}
    ]
    assert not found


def test_yaml_is_not_read_where_templates_are_rendered() -> None:
    tree = ast.parse((ROOT / "render/jinja_child.py").read_text())
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "yaml"
    }
    assert "dump" in used
    assert not {name for name in used if any(word in name.lower() for word in ("load", "parse", "compose", "scan"))}


def test_what_git_told_is_split_at_newlines_only() -> None:
    """``splitlines`` and ``split`` without an argument split at what Unicode calls a line or a space, too."""
    for package in ("repository", "landing", "releases"):
        for file in (ROOT / package).glob("*.py"):
            for node in nodes(file):
                called = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
                is_loose = called == "splitlines" or (called == "split" and not getattr(node, "args", ()))
                assert not is_loose or (file.name, getattr(node, "lineno", 0)) in _words_for_people(file), file


def _words_for_people(file: Path) -> set[tuple[str, int]]:
    """Return where words are split that are only shown: what a program complained of."""
    lines = file.read_text().split("\n")
    return {(file.name, at) for at, line in enumerate(lines, start=1) if "words" in line or "stderr" in line}
