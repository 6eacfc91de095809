"""What others wrote does nothing in GitLab's Markdown: checked with a CommonMark parser and GitLab's own patterns."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from headgate.report.escapes import visible
from headgate.report.markdown import block, cell, code, details, in_html, link, plain, prose, single_line

PARSER = MarkdownIt("commonmark").enable("table").enable("strikethrough")

# https://docs.gitlab.com/user/markdown/#gitlab-specific-references, as in GitLab's lib/banzai and app/models
REFERENCES = re.compile(
    r"""(?<!\w)@(?=[a-zA-Z0-9_]) | (?<!\w)[#!&](?=\d) | [\w/-][#!&](?=\d) | (?<!\w)[~%$](?=["\w]) | \[vulnerability:
    | GL-\d | :[a-z_+-]+: | https?:// | www\.\w""",
    re.VERBOSE,
)
SKIP = re.compile(r"\[(ci[ _-]skip|skip[ _-]ci)\]", re.IGNORECASE)
QUICK_ACTION = re.compile(r"^\s*/\w", re.MULTILINE)
HOSTILE = [
    "/close",
    "@all",
    "#1 !2 ~bug %3 $4 &5 ^alert#6",
    "acme/shop!1",
    "acme/shop#1",
    "[x](javascript:alert(1))",
    "![x](https://evil.example/pixel.png)",
    "<script>alert(1)</script>",
    "<!-- headgate:end -->",
    "`` ` ``",
    "```\n/close\n```",
    "|a|b|",
    "\\|",
    "[skip ci] [CI-SKIP]",
    "a\n\n/merge\n",
    "a\r/close",
    "\u2028/close",
    "\u202egnp.exe",
    "\x1b[31mred",
    "*a* _b_ ~~c~~ **d**",
    ":warning:",
    "https://evil.example www.evil.example",
    "> quote",
    "- [ ] task",
    "# title",
    "---",
    "&#64;all &lt;",
    "[[_TOC_]]",
    "$`x`$",
    "{+ a +}",
]
texts = st.one_of(st.text(), st.sampled_from(HOSTILE), st.lists(st.sampled_from(HOSTILE)).map("".join))


def children(text: str) -> list[tuple[str, str]]:
    """Return what a line of Markdown holds: types and contents."""
    tokens = PARSER.parse(text)
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"], text
    return [(token.type, token.content) for token in tokens[1].children or []]


@given(texts)
@example("`")
@example(" a")
@example("``a`")
def test_code_is_one_piece_of_code_with_the_text_in_it(text: str) -> None:
    found = children(f"x {code(text, 0)} y")
    assert [kind for kind, _ in found] == ["text", "code_inline", "text"]
    shown = single_line(text)
    if not SKIP.search(shown) and "<!--" not in shown and shown:
        assert found[1][1] == shown.replace("`", "'")


@given(texts)
def test_no_code_says_what_gitlab_obeys_everywhere(text: str) -> None:
    for made in (code(text), cell(text), in_html(text), block([text]), plain(text), prose(text)):
        assert not SKIP.search(made)
        assert "<!-- headgate" not in made
        assert not QUICK_ACTION.search(re.sub(r"(?s)(`{3,}).*\1", "", made))


@given(texts)
def test_what_nobody_sees_is_seen(text: str) -> None:
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]", visible(text))


@given(texts)
def test_plain_text_refers_to_nothing(text: str) -> None:
    made = plain(text)
    assert not REFERENCES.search(made), made
    assert "\n" not in made
    assert not made.startswith("/")


@given(texts)
def test_prose_is_only_text(text: str) -> None:
    made = prose(text)
    if made.strip():
        assert {kind for kind, _ in children(f"x {made} y")} <= {"text", "text_special"}, made


@given(st.lists(texts), texts)
def test_a_block_cannot_be_left(lines: list[str], after: str) -> None:
    tokens = PARSER.parse(f"before\n\n{block(lines)}\n\nafter")
    kinds = [token.type for token in tokens]
    assert kinds == [
        *("paragraph_open", "inline", "paragraph_close"),
        "fence",
        *("paragraph_open", "inline", "paragraph_close"),
    ]
    assert all(token.map for token in tokens if token.type == "fence")


@given(texts)
def test_a_cell_stays_in_its_table(text: str) -> None:
    tokens = PARSER.parse(f"| a | b |\n|---|---|\n| {cell(text)} | end |\n")
    cells = [token.content for number, token in enumerate(tokens) if number and tokens[number - 1].type == "td_open"]
    assert len(cells) == 2
    assert cells[1] == "end"


@given(texts)
def test_a_summary_stays_in_its_html(text: str) -> None:
    tokens = PARSER.parse(details(in_html(text), "body"))
    assert [token.type for token in tokens] == [
        "html_block",
        "paragraph_open",
        "inline",
        "paragraph_close",
        "html_block",
    ]
    inside = tokens[0].content.split("<code>", 1)[1]
    assert "<" not in inside.removesuffix("</code></summary>\n")


@given(st.text(), st.text())
def test_a_link_leads_to_one_address(path: str, name: str) -> None:
    found = children(link(code(name, 0), f"https://gitlab.example.com/{path}"))
    assert [kind for kind, _ in found] == ["link_open", "code_inline", "link_close"]


@pytest.mark.parametrize("text", ["Deliver web to production: acme/web@0123456789ab", "Hydrate 12 apps in dev"])
def test_our_own_titles_stay_as_they_are(text: str) -> None:
    assert plain(text) == text


def test_plain_text_is_not_longer_than_it_may_be() -> None:
    assert len(plain("@a " * 200, 255)) == 255
    assert plain("x" * 300, 255).endswith("...")
