"""Golden cases: each folder below cases/ has a manifest repository in ``source`` and its output in ``expected``.

``pytest --update-golden`` writes what they give now, for people to review.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.manifests import ManifestRepository

CASES = sorted(path.parent for path in (Path(__file__).parent / "cases").glob("*/source"))


def files_below(root: Path) -> dict[str, str]:
    """Return texts by path; records of Headgate's are left out, since they hold ids of inputs."""
    return {
        str(path.relative_to(root)): path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != ".headgate.json"
    }


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_golden(case: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    made = ManifestRepository.make(tmp_path / "manifests")
    shutil.copytree(case / "source", made.path, dirs_exist_ok=True)

    ran = made.hydrate("--diff")

    found = {f"deploy/{path}": text for path, text in files_below(made.path / "deploy").items()}
    found |= {"exit-code": f"{ran.code}\n", "stdout": ran.out, "stderr": ran.err}
    expected = case / "expected"
    if request.config.getoption("--update-golden"):
        shutil.rmtree(expected, ignore_errors=True)
        for path, text in found.items():
            (expected / path).parent.mkdir(parents=True, exist_ok=True)
            (expected / path).write_text(text)
    assert found == files_below(expected)


def test_there_are_cases() -> None:
    assert len(CASES) >= 5
