"""Our part of a merge request's description, between marks that nobody sees; the rest belongs to people. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headgate.model import Review

_BEGIN = re.compile(r"<!-- headgate:begin((?: [a-z]+=[\w.,:-]*)*) -->")
_TEXT = "<!-- headgate:text -->"
_END = "<!-- headgate:end -->"
_FORMAT = "1"
"""Of the description. With another one, all open merge requests are described anew."""

Source = tuple[int, str]
"""A project's number and a commit of it."""


@dataclass(frozen=True)
class ProposalMetadata:
    """What a description says of itself.

    ``commit`` is the one that it describes, ``settings`` identifies how the merge request was to be made, ``sources``
    are the apps' commits in it. ``frozen``: it is a draft because the environment is frozen. ``closed``: it was said
    why it was closed.
    """

    commit: str = ""
    settings: str = ""
    sources: tuple[Source, ...] = ()
    frozen: bool = False
    closed: bool = False


def settings_id(review: Review) -> str:
    """Identify how merge requests are made."""
    return hashlib.sha256(f"{_FORMAT} {review.model_dump_json()}".encode()).hexdigest()[:16]


def read_marks(description: str) -> ProposalMetadata | None:
    """Return what a description says of itself; None when no part of it is ours."""
    match = _BEGIN.search(description)
    if match is None:
        return None
    facts = dict(fact.split("=", 1) for fact in match[1].split())
    sources = re.findall(r"(\d{1,18}):([0-9a-f]{40,64})", facts.get("sources", ""))
    return ProposalMetadata(
        facts.get("commit", ""),
        facts.get("settings", ""),
        tuple((int(project), commit) for project, commit in sources),
        facts.get("frozen") == "yes",
        facts.get("closed") == "yes",
    )


def described(description: str, marks: ProposalMetadata, text: str | None = None, notice: str | None = None) -> str:
    """Return a description with our part made anew; before what people wrote, where there is none yet.

    ``text`` and ``notice`` are Markdown without our marks; None: as they are.
    """
    before, old_notice, old_text, after = _split(description)
    shown_notice = old_notice if notice is None else notice
    ours = [_begin(marks), shown_notice, _TEXT, old_text if text is None else text, _END]
    return "\n\n".join(filter(None, [before, "\n\n".join(filter(None, ours)), after]))


def _begin(marks: ProposalMetadata) -> str:
    sources = ",".join(f"{project}:{commit}" for project, commit in marks.sources)
    facts = {"commit": marks.commit, "settings": marks.settings, "sources": sources}
    facts |= {"frozen": "yes" if marks.frozen else "", "closed": "yes" if marks.closed else ""}
    return "".join(["<!-- headgate:begin", *(f" {name}={value}" for name, value in facts.items() if value), " -->"])


def _split(description: str) -> tuple[str, str, str, str]:
    """Return what people wrote before our part, its notice, its text, and what they wrote after it."""
    begin = _BEGIN.search(description)
    end = description.find(_END, begin.end()) if begin else -1
    if begin is None or end < 0:
        rest = _BEGIN.sub("", description).replace(_TEXT, "").strip()
        return "", "", "", rest
    notice, mark, text = description[begin.end() : end].partition(_TEXT)
    if not mark:
        notice, text = "", notice
    before, after = description[: begin.start()], description[end + len(_END) :]
    return before.strip(), notice.strip(), text.strip(), after.strip()
