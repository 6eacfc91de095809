"""Print what is in the image, as CycloneDX 1.6 JSON: ``sbom.py SITE_PACKAGES MODULES...``.

Debian's packages are read from dpkg, Python's from their metadata in SITE_PACKAGES, Go's modules from what
``go version -m`` said of each program (MODULES). No date and no serial number: the same image, the same text.
Standard library only.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

from notices import declared, field, modules_of

Component = dict[str, Any]


def main() -> None:
    """Print the bill of materials."""
    folder, *files = sys.argv[1:]
    version = next(one.version for one in distributions(path=[folder], name="headgate"))
    texts = {Path(file).stem: Path(file).read_text("utf-8") for file in files}
    components = [*_debian(), *_python(Path(folder)), *_go(texts)]
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "bom-ref": "headgate", "name": "headgate", "version": version}},
        "components": sorted(components, key=lambda one: str(one["bom-ref"])),
    }
    print(json.dumps(bill, indent=1))


def _component(purl: str, name: str, version: str, **more: Any) -> Component:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, **more}


def _debian() -> list[Component]:
    release = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text("utf-8").splitlines() if "=" in line
    )
    distribution = f"debian-{release['VERSION_ID'].strip(chr(34))}"
    shown = "${Package}\t${Version}\t${Architecture}\n"
    listed = subprocess.run(  # noqa: S603  a fixed command
        ["/usr/bin/dpkg-query", "-W", "-f", shown], check=True, capture_output=True, text=True
    )
    rows = [line.split("\t") for line in listed.stdout.splitlines()]
    return [
        _component(f"pkg:deb/debian/{_quoted(name)}@{_quoted(version)}?arch={cpu}&distro={distribution}", name, version)
        for name, version, cpu in rows
    ]


def _python(folder: Path) -> list[Component]:
    found = [one for one in distributions(path=[str(folder)]) if one.name != "headgate"]
    return [
        _component(
            f"pkg:pypi/{_quoted(one.name.lower().replace('_', '-'))}@{_quoted(one.version)}",
            one.name,
            one.version,
            licenses=_licences(field(one, "License-Expression"), declared(one)),
        )
        for one in found
    ]


def _licences(expression: str, name: str) -> list[dict[str, Any]]:
    if expression:
        return [{"expression": expression}]
    return [{"license": {"name": name}}] if name else []


def _go(texts: dict[str, str]) -> list[Component]:
    """Return each module once, with the programs that it is in."""
    modules: dict[tuple[str, str], list[str]] = {}
    for program, text in texts.items():
        compiler = text.splitlines()[0].rpartition(" go")[2]
        for module in [("stdlib", compiler), *modules_of(text)]:
            modules.setdefault(module, []).append(program)
    return [
        _component(
            f"pkg:golang/{quote(path, safe='/')}@{_quoted(version)}",
            path,
            version,
            properties=[{"name": "headgate:program", "value": program} for program in sorted(programs)],
        )
        for (path, version), programs in modules.items()
    ]


def _quoted(text: str) -> str:
    return quote(text, safe=".-~_")


if __name__ == "__main__":
    main()
