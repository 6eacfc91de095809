"""Print the licence texts of what the image ships: ``notices.py python FOLDER`` or ``notices.py go MODULES...``.

FOLDER is a ``site-packages``; MODULES are files that ``go version -m`` wrote, whose modules are read from Go's module
cache (GOMODCACHE) and whose Go is that of GOROOT. A part without any licence text is an error. Standard library only.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LICENCE = re.compile(r"(licen[sc]e|copying|notice|copyright|authors|patents)", re.IGNORECASE)
_CODE = (".py", ".pyc", ".go", ".sh")


@dataclass(frozen=True)
class Part:
    """One package: its name and version, the licence it declares, where its source is, and its licence texts."""

    name: str
    licence: str
    source: str
    texts: tuple[str, ...]


def main() -> None:
    """Print the notices of the kind that is asked for."""
    kind, *rest = sys.argv[1:]
    parts = _python(Path(rest[0])) if kind == "python" else _go([Path(name) for name in rest])
    without = [part.name for part in parts if not part.texts]
    if without:
        sys.exit(f"no licence text found for {', '.join(without)}")
    sys.stdout.write(notices(parts))


def notices(parts: Iterable[Part]) -> str:
    """Return all parts with their texts; a text that came before is only referred to."""
    first: dict[str, str] = {}
    lines: list[str] = []
    for part in parts:
        declared = f"Licence: {part.licence}\n" if part.licence else ""
        lines.append(f"{'=' * 80}\n{part.name}\n{declared}Source: {part.source}\n{'=' * 80}\n")
        for text in part.texts:
            seen = first.setdefault(text, part.name)
            lines.append(f"{text}\n" if seen == part.name else f"The same text as that of {seen}.\n")
    return "\n".join(lines)


def _python(folder: Path) -> list[Part]:
    found = sorted(distributions(path=[str(folder)]), key=lambda one: one.name.lower())
    return [_distribution(one) for one in found]


def _distribution(one: Distribution) -> Part:
    files = [file for file in one.files or () if _is_licence(file.name) and ".dist-info" in file.parts[0]]
    texts = tuple(file.read_text("utf-8").strip() for file in sorted(files))
    return Part(
        f"{one.name} {one.version}", declared(one), f"https://pypi.org/project/{one.name}/{one.version}/", texts
    )


def declared(one: Distribution) -> str:
    """Return what a Python package says of its licence: an SPDX expression, a classifier or a line; else nothing."""
    classifiers = one.metadata.get_all("Classifier") or ()
    classified = [text.rpartition(" :: ")[2] for text in classifiers if "License ::" in text]
    line = next(iter(field(one, "License").strip().splitlines()), "")
    return field(one, "License-Expression") or " OR ".join(classified) or line


def field(one: Distribution, name: str) -> str:
    """Return what a package's metadata say under a name; empty when nothing."""
    return one.metadata[name] if name in one.metadata else ""  # noqa: SIM401  no get() in the types of Python 3.11


def _go(files: Iterable[Path]) -> list[Part]:
    cache = Path(os.environ["GOMODCACHE"])
    modules = sorted({module for file in files for module in modules_of(file.read_text("utf-8"))})
    parts = [_folder(f"{path} {version}", cache / f"{_escaped(path)}@{_escaped(version)}") for path, version in modules]
    # Not every packaging of Go has its LICENSE; what it vendors of its own authors' has the same text.
    return [_folder("Go's standard library", Path(os.environ["GOROOT"], "src/vendor/golang.org/x/net")), *parts]


def modules_of(text: str) -> set[tuple[str, str]]:
    """Return path and version of each module in the text of ``go version -m``, the program's own too when it has one.

    What is built from this project's own sources has none: its licence is the project's. A replacement is told and not
    what it replaces.
    """
    rows = [line.split("\t")[1:] for line in text.splitlines() if line.startswith("\t")]
    found: list[tuple[str, str]] = []
    for row in rows:
        if row[0] == "=>":
            found.pop()
        if row[0] in {"mod", "dep", "=>"}:
            found.append((row[1], row[2]))
    return {(path, version) for path, version in found if version != "(devel)"}


def _escaped(text: str) -> str:
    """Write a module's path as Go's module cache does: capitals as ``!`` and the small letter."""
    return re.sub("[A-Z]", lambda match: "!" + match[0].lower(), text)


def _folder(name: str, folder: Path) -> Part:
    files = sorted(file for file in folder.iterdir() if file.is_file() and _is_licence(file.name))
    path, _, version = name.partition(" ")
    source = f"module {path} {version} of the Go module proxy" if version[:1] == "v" else "https://go.dev"
    return Part(name, "", source, tuple(file.read_text("utf-8", "replace").strip() for file in files))


def _is_licence(name: str) -> bool:
    return bool(_LICENCE.match(name)) and not name.endswith(_CODE)


if __name__ == "__main__":
    main()
