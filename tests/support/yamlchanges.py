"""Texts that people wrote, changed."""

from __future__ import annotations

import re

from support.yamltexts import PLAIN, Choices

# fmt: off
FRAGMENTS = (
    "---\n", "...\n", "- ", ": ", "\n", "  ", "\t", "#", " #", '"', "'", "|\n", ">-\n", "[", "]", "{", "}", ",",
    "&a ", "*a", "<<: *a\n", "!!str ", "!!binary ", "? ", "\r", "\r\n", "\x85", "\u2028", "\ufeff", "%YAML 1.1\n",
    "items: []\n", "kind: List\n", "\\", "\x00", "yes", "0644", "1e3", "~", "null", "2001-01-01", "12:30", "a: b\n",
    "sops: {mac: 'ENC[a'}\n", "Kind: x\n", "apiVersion: v1\n",
)
# fmt: on


def mutated(text: str, choices: Choices) -> str:
    """Return a text with some changes: characters flipped, lines moved, pieces of YAML put in."""
    for _ in range(choices.choice((1, 1, 2, 4))):
        change = choices.choice(_CHANGES)
        text = change(text, choices)
    return text


def _flip(text: str, choices: Choices) -> str:
    at = choices.below(len(text) + 1)
    return text[:at] + chr(ord(text[at : at + 1] or " ") ^ (1 << choices.below(7))) + text[at + 1 :]


def _insert(text: str, choices: Choices) -> str:
    at = choices.below(len(text) + 1)
    return text[:at] + choices.choice(FRAGMENTS) + text[at:]


def _insert_line(text: str, choices: Choices) -> str:
    lines = text.splitlines(keepends=True)
    lines.insert(choices.below(len(lines) + 1), " " * choices.below(5) + choices.choice(FRAGMENTS).rstrip("\n") + "\n")
    return "".join(lines)


def _delete(text: str, choices: Choices) -> str:
    at = choices.below(len(text) + 1)
    return text[:at] + text[at + choices.choice((1, 1, 2, 10)) :]


def _move_line(text: str, choices: Choices) -> str:
    lines = text.splitlines(keepends=True) or [""]
    line = lines.pop(choices.below(len(lines)))
    lines.insert(choices.below(len(lines) + 1), line)
    return "".join(lines)


def _repeat_line(text: str, choices: Choices) -> str:
    lines = text.splitlines(keepends=True) or [""]
    at = choices.below(len(lines))
    return "".join([*lines[:at], lines[at], *lines[at:]])


def _replace_value(text: str, choices: Choices) -> str:
    places = list(re.finditer(r": (.*)$", text, re.MULTILINE))
    if not places:
        return text
    place = choices.choice(places)
    return text[: place.start(1)] + choices.choice(PLAIN) + text[place.end(1) :]


_CHANGES = (_flip, _insert, _insert, _insert_line, _delete, _move_line, _repeat_line, _replace_value)
