"""The documentation: each link leads somewhere, each command line is one that the program takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.typed import take_command

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
ROLES = (
    *("team-lead", "developer", "devops-engineer", "security-analyst", "release-manager", "security-operations"),
    *("test-engineer", "application-operator", "platform-engineer"),
)


def names(pages: list[Path]) -> list[str]:
    """Name pages for people."""
    return [str(page.relative_to(ROOT)) for page in pages]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitLab makes them."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        found.add(re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_each_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for link in LINK.findall(text):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_no_row_of_a_table_is_cut(page: Path) -> None:
    lines = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL).split("\n")
    rows = [line for line, before in zip(lines[1:], lines, strict=False) if before.startswith("|") and line.strip()]
    assert [row for row in rows if not row.startswith("|")] == []


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_each_command_in_a_sentence_is_one_that_the_program_takes(page: Path) -> None:
    """Commands in blocks are run by test_docs_run.py; those in sentences have the program's verbs and options."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for shown in re.findall(r"`headgate ([a-z][^`]*)`", text):
        words = shown.split()
        _, command = take_command(words)
        options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert set(re.findall(r"--[a-z-]+", " ".join(words))) <= options, shown


def linked(page: Path) -> set[Path]:
    """Return the pages that a page links."""
    paths = (link.partition("#")[0] for link in LINK.findall(page.read_text()))
    return {(page.parent / path).resolve() for path in paths if path.endswith(".md") and "://" not in path}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_finds_its_page_from_the_readme_in_two_clicks(role: str) -> None:
    first = linked(ROOT / "README.md")
    second = {page for found in first for page in linked(found)}
    assert ROOT / f"docs/how-to/{role}.md" in first | second
    assert f"| {role.replace('-', ' ').lower()} |" in (ROOT / "docs/README.md").read_text().lower()
