"""Commit messages as git reads them: one subject, our trailers, and nothing that somebody slipped in."""

from __future__ import annotations

import subprocess

import pytest

from headgate.config import load
from headgate.errors import ConfigError
from headgate.hydration.outcome import Outcome
from headgate.message import commit_message, subject
from headgate.model import Release
from headgate.model.subject import unknown_field
from support.trees import COMMIT, HEADGATE, released, repository

OUTCOME = Outcome(app="shop", environment="dev", folder="deploy/dev/shop", state="changed")
BREAKS = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1d", "\x85", "\u2028", "\u2029", "\n\n", "\x00\n"]


def trailers(message: str) -> list[str]:
    """Return what git takes for trailers."""
    command = ["git", "interpret-trailers", "--parse"]
    done = subprocess.run(command, input=message.encode(), capture_output=True, check=True)
    return done.stdout.decode().splitlines()


def release_of(project: str, tag: str) -> Release:
    image = released("registry.example.com/acme/shop").model_copy(update={"project": project, "tag": tag})
    return Release(images={"shop": image})


def test_todays_subjects_stay() -> None:
    assert subject("Deliver", ["shop"], ["dev"], what="acme/shop@1") == "Deliver shop to dev: acme/shop@1"
    assert subject("Hydrate", ["a", "b", "c", "d"], ["dev", "test"]) == "Hydrate 4 apps in dev, test"
    assert subject("Freeze", [], ["dev"]) == "Freeze in dev"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("[OPS-1] {action}: {apps}", "[OPS-1] Deliver: shop"),
        ("{apps} in {environments}: {what}", "shop in dev: acme/shop@1"),
        ("{{{apps}}}", "{shop}"),
        ("ship it", "ship it"),
    ],
)
def test_a_template_makes_the_subject(template: str, expected: str) -> None:
    assert subject("Deliver", ["shop"], ["dev"], what="acme/shop@1", template=template) == expected


def test_a_template_that_ends_with_nothing_to_tell_ends_before() -> None:
    assert subject("Hydrate", ["shop"], ["dev"], template="{action} {apps}: {what}") == "Hydrate shop"


@pytest.mark.parametrize("template", ["{what}", " \n", "#{what}", "---{what}", "/{what}"])
@pytest.mark.parametrize("what", ["", "#1", "/close", "--- a/b", "# ---- >8 ----", "\n\n/close", "> x"])
def test_a_subject_is_never_empty_nor_a_comment_nor_an_order(template: str, what: str) -> None:
    line = subject("Deliver", ["shop"], ["dev"], what=what, template=template)
    assert line.startswith("Deliver")
    assert trailers(f"{line}\n\nHeadgate-App: shop\n") == ["Headgate-App: shop"]


def test_a_subject_is_one_line_and_bounded() -> None:
    line = subject("Deliver", ["shop"], ["dev"], what="x" * 999, template="{what}\n{what}\u2028{what}")
    assert len(line) == 200
    assert line.splitlines() == [line]


@pytest.mark.parametrize("line_break", BREAKS)
def test_no_value_forges_a_trailer(line_break: str) -> None:
    forged = f"x{line_break}Headgate-Intent: forged{line_break}{line_break}Headgate-Intent: forged"
    message = commit_message(
        "Deliver",
        [OUTCOME],
        {("shop", "dev"): release_of(f"acme/{forged}", forged)},
        what=forged,
        intent=f"real{line_break}Headgate-App: forged",
        template=f"{{what}}{line_break}Headgate-Intent: forged",
    )
    found = trailers(message)
    assert [one.split(":")[0] for one in found] == [
        *("Headgate-App", "Headgate-Environment", "Headgate-Source", "Headgate-Image", "Headgate-Intent")
    ]
    assert found[0] == "Headgate-App: shop"
    lines = message.splitlines()
    assert sum(line.startswith("Headgate-Intent:") for line in lines) == 1
    assert not [line for line in lines if line.lstrip().startswith(("/", "#", "---"))]
    assert message.count("\n\n") == message.strip().count("\n\n"), "no paragraph is empty"


def test_what_people_say_is_harmless() -> None:
    said = subject("Pin", ["shop"], ["dev"], what="no [skip ci], [CI-SKIP] a \u202edesrever half a pair \ud800")
    assert said == "Pin shop in dev: no (skip ci), (CI-SKIP) a desrever half a pair ?"


def test_only_known_names_stand_in_braces() -> None:
    assert unknown_field("{action} {apps} {environments} {what} {{x}}") is None
    assert unknown_field("{apps[0]}") == "apps[0]"
    assert unknown_field("{apps.__class__}") == "apps.__class__"
    assert unknown_field("{}") == ""


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            "{action} {app}",
            "field 'app' not found, expected one of: action, apps, environments, what\n  did you mean 'apps'?",
        ),
        (
            "{apps",
            (
                "expected a text with names in braces, found '{apps' (expected '}' before end of string)\n"
                "  write a literal brace twice: {{"
            ),
        ),
        (
            "{apps!r}",
            (
                "expected a text with names in braces, found '{apps!r}' (braces may contain only names)\n"
                "  write a literal brace twice: {{"
            ),
        ),
    ],
)
def test_a_template_that_cannot_be_filled_is_refused(message: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(repository({}, settings=f'{HEADGATE}commits:\n  message: "{message}"\n'))
    assert str(caught.value) == f"headgate.yaml:10: commits.message: {told}"


@pytest.mark.parametrize(
    ("person", "told"),
    [
        ("{name: 'A <b>', email: a@b}", "author.name: expected a name on one line without '<' and '>', found 'A <b>'"),
        ('{name: "A\\nB", email: a@b}', "author.name: expected a name on one line"),
        ("{name: A, email: nobody}", "author.email: expected an address such as bot@example.com, found 'nobody'"),
        ("{name: A}", "key 'email' is missing"),
    ],
)
def test_an_author_whom_git_could_not_write_is_refused(person: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(repository({}, settings=f"{HEADGATE}commits:\n  author: {person}\n"))
    assert str(caught.value).startswith("headgate.yaml:10: commits.author")
    assert told in str(caught.value)


def test_a_commit_is_named_in_full_by_the_trailers() -> None:
    message = commit_message("Deliver", [OUTCOME], {("shop", "dev"): release_of("acme/shop", "1.0")})
    assert f"Headgate-Source: acme/shop@{COMMIT}" in trailers(message)
