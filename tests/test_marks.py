"""Our part of a description is found again, and what people write around it stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.model import Review
from headgate.review.description import ProposalMetadata, read_metadata, settings_id, updated_description

MARKS = ProposalMetadata(
    commit="a" * 40, settings="0123456789abcdef", sources=((12, "b" * 40), (13, "c" * 40)), frozen=True, needed=2
)
people = st.text(alphabet=st.characters(blacklist_characters="\r")).filter(lambda text: "headgate:" not in text)


def test_marks_come_back() -> None:
    assert read_metadata(updated_description("", MARKS, "text", "notice")) == MARKS
    assert read_metadata(updated_description("", ProposalMetadata())) == ProposalMetadata()
    assert read_metadata("no part of ours") is None


@given(people, people)
def test_what_people_wrote_stays(before: str, after: str) -> None:
    first = updated_description("", MARKS, "one", "frozen")
    edited = f"{before}\n\n{first}\n\n{after}"
    again = updated_description(edited, ProposalMetadata(commit="d" * 40), "two", "")
    assert again.startswith(before.strip())
    assert again.endswith(after.strip())
    assert "one" not in again.replace(before, "").replace(after, "")
    assert read_metadata(again) == ProposalMetadata(commit="d" * 40)
    assert updated_description(again, ProposalMetadata(commit="d" * 40), "two", "") == again


def test_what_people_wrote_never_makes_it_too_long_for_gitlab() -> None:
    """Who fills a description would else keep every later run from changing it."""
    for text in ("x" * 1_048_576, f"{'x' * 600_000}\n\n{updated_description('', MARKS, 'one')}\n\n{'y' * 440_000}"):
        found = updated_description(text, MARKS, "the text" * 10_000, "frozen")
        assert len(found) <= 1_000_010
        assert read_metadata(found) == MARKS
        assert "the text" in found


def test_only_the_notice_changes() -> None:
    first = updated_description("mine", MARKS, "the text", "frozen by somebody")
    thawed = updated_description(first, ProposalMetadata(commit="a" * 40), notice="")
    assert "frozen by somebody" not in thawed
    assert "the text" in thawed
    assert thawed.endswith("mine")


def test_a_description_whose_end_somebody_took_away_loses_nothing() -> None:
    broken = updated_description("mine", MARKS, "the text", "").replace("<!-- headgate:end -->", "")
    again = updated_description(broken, MARKS, "new", "")
    assert "mine" in again
    assert "the text" in again
    assert again.count("<!-- headgate:begin") == 1
    assert updated_description(again, MARKS, "newer", "").count("new") == 1


def test_windows_line_ends() -> None:
    text = updated_description("mine", MARKS, "text", "").replace("\n", "\r\n")
    assert read_metadata(text) == MARKS
    assert updated_description(text, MARKS, "other", "").count("headgate:begin") == 1


def test_settings_tell_reviews_apart() -> None:
    assert settings_id(Review()) == settings_id(Review())
    assert settings_id(Review(labels=("a",))) != settings_id(Review())
