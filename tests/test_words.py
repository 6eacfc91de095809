"""The words of the code: a class name stands once, and no private word comes back. CONTRIBUTING.md has the list."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import headgate

ROOT = Path(headgate.__file__).parent
PRIVATE = {"told", "tell", "asked", "ask", "hear", "one", "most", "along", "beside", "enough", "put_off", "normal"}
"""What says nothing as a name: the noun of the thing does."""


def trees() -> Iterator[tuple[Path, ast.Module]]:
    """Yield all modules of the program."""
    for file in sorted(ROOT.rglob("*.py")):
        yield file, ast.parse(file.read_text())


def names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield what a module names, with the line: variables, parameters, functions, classes, fields."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name.strip("_"), node.lineno


def test_no_private_word_is_a_name() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}: {name}"
        for file, tree in trees()
        for name, line in names(tree)
        if name.strip("_") in PRIVATE
    ]
    assert found == []


def test_a_class_name_stands_once() -> None:
    classes = Counter(node.name for _, tree in trees() for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    assert {name: count for name, count in classes.items() if count > 1} == {}


def test_no_file_is_too_long() -> None:
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file, _ in trees()}
    assert {name: length for name, length in lengths.items() if length > 300} == {}
