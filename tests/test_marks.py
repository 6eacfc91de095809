"""Our part of a description is found again, and what people write around it stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.model import Review
from headgate.review.description import ProposalMetadata, described, read_marks, settings_id

MARKS = ProposalMetadata("a" * 40, "0123456789abcdef", ((12, "b" * 40), (13, "c" * 40)), frozen=True)
people = st.text(alphabet=st.characters(blacklist_characters="\r")).filter(lambda text: "headgate:" not in text)


def test_marks_come_back() -> None:
    assert read_marks(described("", MARKS, "text", "notice")) == MARKS
    assert read_marks(described("", ProposalMetadata())) == ProposalMetadata()
    assert read_marks("no part of ours") is None


@given(people, people)
def test_what_people_wrote_stays(before: str, after: str) -> None:
    first = described("", MARKS, "one", "frozen")
    edited = f"{before}\n\n{first}\n\n{after}"
    again = described(edited, ProposalMetadata("d" * 40), "two", "")
    assert again.startswith(before.strip())
    assert again.endswith(after.strip())
    assert "one" not in again.replace(before, "").replace(after, "")
    assert read_marks(again) == ProposalMetadata("d" * 40)
    assert described(again, ProposalMetadata("d" * 40), "two", "") == again


def test_only_the_notice_changes() -> None:
    first = described("mine", MARKS, "the text", "frozen by somebody")
    thawed = described(first, ProposalMetadata("a" * 40), notice="")
    assert "frozen by somebody" not in thawed
    assert "the text" in thawed
    assert thawed.endswith("mine")


def test_a_description_whose_end_somebody_took_away_loses_nothing() -> None:
    broken = described("mine", MARKS, "the text", "").replace("<!-- headgate:end -->", "")
    again = described(broken, MARKS, "new", "")
    assert "mine" in again
    assert "the text" in again
    assert again.count("<!-- headgate:begin") == 1
    assert described(again, MARKS, "newer", "").count("new") == 1


def test_windows_line_ends() -> None:
    text = described("mine", MARKS, "text", "").replace("\n", "\r\n")
    assert read_marks(text) == MARKS
    assert described(text, MARKS, "other", "").count("headgate:begin") == 1


def test_settings_tell_reviews_apart() -> None:
    assert settings_id(Review()) == settings_id(Review())
    assert settings_id(Review(labels=("a",))) != settings_id(Review())
