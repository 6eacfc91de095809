from __future__ import annotations

import pytest

from headgate.registry.provenance import names_commit, names_tag, provenance_problem

COMMIT = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"
OTHER = "f" * 40


@pytest.mark.parametrize(
    "tag",
    [
        COMMIT,
        "1a2b3c4d",
        "1a2b3c4",
        "main-1a2b3c4d",
        "main-1a2b3c4d-amd64",
        "web_1a2b3c4d",
        "1.2.0.1a2b3c4d5e",
        "sha-1a2b3c4d",
        "1.2.0-3-g1a2b3c4",
        "1234567-1a2b3c4d",
    ],
)
def test_a_tag_with_the_beginning_of_the_commit_names_it(tag: str) -> None:
    assert names_commit(tag, COMMIT)
    assert provenance_problem(tag, COMMIT) == ""


@pytest.mark.parametrize(
    "tag",
    [
        "",
        "latest",
        "1a2b3c",  # too short
        "main1a2b3c4d",  # part of a longer word
        "01a2b3c4d",  # part of a longer hexadecimal word
        "1a2b3c4d0",  # begins like the commit, and goes on otherwise
        "1a2b3c4dz",
        "2b3c4d5e",  # from the middle of the commit
        f"{COMMIT}0",
        "1a2b3c-4d5e6f7",
        "gg1a2b3c4d",
    ],
)
def test_a_tag_with_something_else_does_not_name_the_commit(tag: str) -> None:
    assert not names_commit(tag, COMMIT)
    assert provenance_problem(tag, COMMIT)


@pytest.mark.parametrize(
    ("tag", "pipeline_tag", "pattern"),
    [
        ("v1.2.0", "v1.2.0", ""),
        ("1.2.0", "v1.2.0", ""),
        ("1.2.0", "1.2.0", ""),
        ("web-1.2.0", "v1.2.0", "web-*"),
        ("web-v1.2.0", "v1.2.0", "web-*"),
        ("1.2.0-alpine", "v1.2.0", "*-alpine"),
        ("1.2.0", "v1.2.0", "web-*"),
    ],
)
def test_the_tag_of_the_pipeline_ties(tag: str, pipeline_tag: str, pattern: str) -> None:
    assert names_tag(tag, pipeline_tag, pattern)
    assert provenance_problem(tag, OTHER, pipeline_tag, pattern) == ""


@pytest.mark.parametrize(
    ("tag", "pipeline_tag", "pattern"),
    [
        ("1.2.0", "", ""),
        ("", "", ""),
        ("1.2.1", "v1.2.0", ""),
        ("1.2.0-rc.1", "v1.2.0", ""),
        ("web-1.2.0", "v1.2.0", ""),
        ("web-1.2.0-x", "v1.2.0", "web-*"),
        ("job-1.2.0", "v1.2.0", "web-*"),
        ("1.2.0-anything", "v1.2.0", "*-*"),
        ("ersion", "version", ""),
        ("web-1", "v1", "web-?*"),
    ],
)
def test_another_tag_than_the_pipelines_does_not_tie(tag: str, pipeline_tag: str, pattern: str) -> None:
    assert not names_tag(tag, pipeline_tag, pattern)
    assert provenance_problem(tag, OTHER, pipeline_tag, pattern)


def test_a_revision_ties_only_as_the_whole_commit() -> None:
    assert provenance_problem("latest", COMMIT, revision=COMMIT) == ""
    assert provenance_problem("", COMMIT, revision=COMMIT) == ""
    for wrong in (COMMIT[:39], OTHER, COMMIT.upper(), f"{COMMIT}\n", "", None):
        assert provenance_problem("latest", COMMIT, revision=wrong)


def test_the_reason_says_what_was_looked_at() -> None:
    assert provenance_problem("latest", COMMIT, "v1.2.0") == (
        "its tag 'latest' does not contain 1a2b3c4d and is not the tag v1.2.0, "
        "and its label org.opencontainers.image.revision is not set"
    )
    assert provenance_problem("", COMMIT, revision="a\x1b[31m") == (
        "it has no tag, and its label org.opencontainers.image.revision is 'a\\x1b[31m'"
    )
