"""How the program hangs together, so that it can be read from one end to the other, and which doors it has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import headgate

ROOT = Path(headgate.__file__).parent


def run_time_imports(node: ast.AST) -> Iterator[str]:
    """Yield the names of Headgate's own modules that are imported, but for types alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.ImportFrom) and child.module == "headgate":
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and (child.module or "").startswith("headgate."):
            yield str(child.module).removeprefix("headgate.")
        else:
            yield from run_time_imports(child)


def packages() -> dict[str, set[str]]:
    """Return what each package, or module at the top, imports of the others."""
    found: dict[str, set[str]] = {}
    for file in ROOT.rglob("*.py"):
        own = file.relative_to(ROOT).with_suffix("").parts[0]
        others = {name.split(".")[0] for name in run_time_imports(ast.parse(file.read_text()))}
        found.setdefault(own, set()).update(others - {own})
    return {name: others & found.keys() for name, others in found.items()}


def test_packages_import_each_other_one_way() -> None:
    left = packages()
    assert len(left) > 20
    while left:
        free = {name for name, others in left.items() if not others & left.keys()}
        assert free, (
            f"these import each other in circles: { {name: others & left.keys() for name, others in left.items()} }"
        )
        left = {name: others for name, others in left.items() if name not in free}


def importing(package: str) -> set[str]:
    """Return the modules that import a package or a part of it, wherever in their text."""
    found = set()
    for file in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
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
        ("ruamel", {"intents/edit_app_yaml.py"}),  # to edit an app.yaml
    ],
)
def test_one_module_alone_has_the_door(package: str, modules: set[str]) -> None:
    assert importing(package) == modules


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
            for node in ast.walk(ast.parse(file.read_text())):
                called = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
                is_loose = called == "splitlines" or (called == "split" and not getattr(node, "args", ()))
                assert not is_loose or (file.name, getattr(node, "lineno", 0)) in _words_for_people(file), file


def _words_for_people(file: Path) -> set[tuple[str, int]]:
    """Return where words are split that are only shown: what a program complained of."""
    lines = file.read_text().split("\n")
    return {(file.name, at) for at, line in enumerate(lines, start=1) if "words" in line or "stderr" in line}
