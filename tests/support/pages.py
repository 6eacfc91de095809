"""The pages of the documentation, and the blocks in them."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md")))
_BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block; ``number`` counts those of its language on its page."""

    page: str
    language: str
    number: int
    text: str

    @property
    def name(self) -> str:
        """How tests call it."""
        return f"{self.page.removeprefix('docs/').removesuffix('.md')}-{self.number}"


def read_page(page: str) -> str:
    """Return the text of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def all_blocks(page: str) -> tuple[Block, ...]:
    """Return the blocks of a page, those in lists too, without their indentation."""
    numbers: dict[str, int] = {}
    found = []
    for match in _BLOCK.finditer(read_page(page)):
        language = match["language"]
        number = numbers[language] = numbers.get(language, -1) + 1
        found.append(Block(page=page, language=language, number=number, text=textwrap.dedent(match["text"])))
    return tuple(found)


def blocks(page: str, *languages: str) -> list[Block]:
    """Return the blocks of a page in these languages."""
    return [block for block in all_blocks(page) if block.language in languages]


def command_lines(page: str) -> list[str]:
    """Return the lines of a page's shell blocks, continued ones joined, without comments and empty ones."""
    joined = "".join(block.text for block in blocks(page, "sh")).replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]
