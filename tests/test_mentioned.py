"""Few app.yaml are parsed to find a project: each that names it in any spelling of YAML is among them."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from headgate.config import load, parse
from headgate.errors import HeadgateError
from headgate.model import App
from support.trees import HEADGATE, tree_of

PROJECT = "acme/shop"
OTHER = "project: acme/other\nimages: {web: registry.example.com/acme/other}\ntemplate: web\n"


def escaped(text: str, chosen: list[int]) -> str:
    """Spell some characters of a text in hexadecimal, in each of the ways."""
    ways = ("{}", "\\x{:02x}", "\\u{:04x}", "\\U{:08x}")
    marks = [ways[chosen[index % len(chosen)]] for index in range(len(text))]
    return "".join(char if mark == "{}" else mark.format(ord(char)) for char, mark in zip(text, marks, strict=True))


SPELLED = st.one_of(
    st.sampled_from(
        [
            PROJECT,
            f"'{PROJECT}'",
            f'"{PROJECT}"',
            f"!!str {PROJECT}",
            f"! {PROJECT}",
            "!!binary YWNtZS9zaG9w",
            f">-\n  {PROJECT}",
            f"|-\n  {PROJECT}",
            f"|2-\n  {PROJECT}",
            ">-\n  acme\n  /shop",
            '"acme\\\n  /shop"',
            "'acme\n  /shop'",
            f"&there {PROJECT}",
            f"# {PROJECT}\n  acme/shop",
        ]
    ),
    st.lists(st.integers(0, 3), min_size=1, max_size=4).map(lambda chosen: f'"{escaped(PROJECT, chosen)}"'),
)
PLACED = st.sampled_from(
    [
        "project: {}\nimages: {{web: registry.example.com/acme/shop}}\n",
        "project: acme/other\nimages:\n  web:\n    repository: registry.example.com/acme/web\n    project: {}\n",
        "project: acme/other\nconfig:\n  path: deploy\n  project: {}\n",
        "? project\n: {}\nimages: {{web: registry.example.com/acme/shop}}\n",
        "images:\n  a: &a\n    repository: registry.example.com/a\n    project: {}\n  b: *a\n",
        "images:\n  a: &a\n    repository: registry.example.com/a\n    project: {}\n  b: {{<<: *a, optional: true}}\n",
    ]
)
HEADS = st.sampled_from(["", "---\n", "%YAML 1.2\n---\n", "%TAG !e! tag:yaml.org,2002:\n---\n", "\ufeff", "# \u00e9\n"])
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
EDITS = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from([b"\\", b"\n", b" ", b"!", b'"', b"\xc2\x85", b"\xe2\x80\xa8"])),
    max_size=2,
)


def with_edits(data: bytes, edits: list[tuple[int, bytes]]) -> bytes:
    for at, inserted in edits:
        data = data[:at] + inserted + data[at:]
    return data


def names_it(data: bytes) -> bool:
    """Whether the real reader finds the project in a file."""
    try:
        app, _ = parse(data, "apps/shop/app.yaml", App)
    except HeadgateError:
        return False
    return PROJECT in (
        app.project,
        app.config and app.config.project,
        *(image.project for image in app.images.values()),
    )


@settings(max_examples=150)
@given(head=HEADS, placed=PLACED, spelled=SPELLED, encoding=ENCODINGS, edits=EDITS)
@example(head="", placed="project: {}\nconfig: deploy\n", spelled='"\\x61cme/shop"', encoding="utf-8", edits=[])
@example(head="", placed="project: {}\nconfig: deploy\n", spelled=PROJECT, encoding="utf-16", edits=[])
def test_an_app_that_names_a_project_is_found(
    head: str, placed: str, spelled: str, encoding: str, edits: list[tuple[int, bytes]]
) -> None:
    data = with_edits((head + placed.format(spelled)).encode(encoding), edits)
    files: dict[str, str | bytes] = {"apps/a/app.yaml": OTHER, "apps/shop/app.yaml": data, "apps/z/app.yaml": OTHER}
    apps = load(tree_of({"headgate.yaml": HEADGATE, "templates/web/a.yaml": "", **files})).apps
    if names_it(data) and apps.error("shop") is None:
        assert "shop" in [record.name for record in apps.mentioning(PROJECT)]
    assert {"a", "z"}.isdisjoint(record.name for record in apps.mentioning(PROJECT))


@given(texts=st.lists(st.binary(max_size=12), min_size=1, max_size=5), mark=st.binary(min_size=1, max_size=3))
def test_a_mark_is_found_in_each_file_that_has_it(texts: list[bytes], mark: bytes) -> None:
    names = [f"app-{index}" for index in range(len(texts))]
    files = {f"apps/{name}/app.yaml": text for name, text in zip(names, texts, strict=True)}
    apps = load(tree_of({"headgate.yaml": HEADGATE, **files})).apps
    assert apps._containing(mark) == [name for name, text in zip(names, texts, strict=True) if mark in text]
