"""Headgate's section of a merge request's description, between hidden markers; the rest belongs to people. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from headgate.records import frozen_record

if TYPE_CHECKING:
    from headgate.model import Review

_BEGIN = re.compile(r"<!-- headgate:begin((?: [a-z]+=[\w.,:-]*)*) -->")
_TEXT = "<!-- headgate:text -->"
_END = "<!-- headgate:end -->"
_MAX_LENGTH = 1_000_000
"""Characters, of GitLab's 1,048,576: https://docs.gitlab.com/administration/instance_limits/."""
_FORMAT = "2"
"""The version of the section. A new one rewrites the descriptions of all open merge requests."""

Source = tuple[int, str]
"""A project's id and a commit of it."""


@frozen_record
class ProposalMetadata:
    """The data in a description's opening marker.

    ``commit`` is the described commit, ``settings`` identifies the review settings, ``sources`` are the apps' commits
    in the proposal. ``frozen``: it is a draft because the environment is frozen. ``closed``: the closing is commented.
    ``counted`` is signed: the approvals were counted after it was merged. ``needed`` is how many it needs, to be shown:
    what merges does not believe it.
    """

    commit: str = ""
    settings: str = ""
    sources: tuple[Source, ...] = ()
    frozen: bool = False
    closed: bool = False
    counted: str = ""
    needed: int = 0


def settings_id(review: Review) -> str:
    """Return a hash of the review settings and the section's format."""
    return hashlib.sha256(f"{_FORMAT} {review.model_dump_json()}".encode()).hexdigest()[:16]


def read_metadata(description: str) -> ProposalMetadata | None:
    """Return the data in a description; None when it has no section of Headgate's."""
    match = _BEGIN.search(description)
    if match is None:
        return None
    facts = dict(fact.split("=", 1) for fact in match[1].split())
    sources = re.findall(r"(\d{1,18}):([0-9a-f]{40,64})", facts.get("sources", ""))
    return ProposalMetadata(
        commit=facts.get("commit", ""),
        settings=facts.get("settings", ""),
        sources=tuple((int(project), commit) for project, commit in sources),
        frozen=facts.get("frozen") == "yes",
        closed=facts.get("closed") == "yes",
        counted=facts.get("counted", ""),
        needed=int(found[0]) if (found := re.findall(r"^\d{1,4}$", facts.get("needed", ""))) else 0,
    )


def updated_description(
    description: str, metadata: ProposalMetadata, text: str | None = None, notice: str | None = None
) -> str:
    """Return a description with its section rewritten; a new section goes before what people wrote.

    ``text`` and ``notice`` are Markdown without markers; None keeps the present ones.
    """
    before, old_notice, old_text, after = _split(description)
    shown_notice = old_notice if notice is None else notice
    parts = [_begin(metadata), shown_notice, _TEXT, old_text if text is None else text, _END]
    section = "\n\n".join(filter(None, parts))
    room = max(0, _MAX_LENGTH - len(section))  # GitLab refuses what is longer, so that nothing of ours could be said
    before = before[:room]
    return "\n\n".join(filter(None, [before, section, after[: room - len(before)]]))


def notice_of(description: str) -> str:
    """Return the notice of the section."""
    return _split(description)[1]


def _begin(metadata: ProposalMetadata) -> str:
    sources = ",".join(f"{project}:{commit}" for project, commit in metadata.sources)
    facts = {"commit": metadata.commit, "settings": metadata.settings, "sources": sources}
    facts |= {"counted": metadata.counted, "needed": str(metadata.needed or "")}
    facts |= {"frozen": "yes" if metadata.frozen else "", "closed": "yes" if metadata.closed else ""}
    return "".join(["<!-- headgate:begin", *(f" {name}={value}" for name, value in facts.items() if value), " -->"])


def _split(description: str) -> tuple[str, str, str, str]:
    """Return what people wrote before the section, its notice, its text, and what people wrote after it."""
    begin = _BEGIN.search(description)
    end = description.find(_END, begin.end()) if begin else -1
    if begin is None or end < 0:
        rest = _BEGIN.sub("", description).replace(_TEXT, "").strip()
        return "", "", "", rest
    notice, marker, text = description[begin.end() : end].partition(_TEXT)
    if not marker:
        notice, text = "", notice
    before, after = description[: begin.start()], description[end + len(_END) :]
    return before.strip(), notice.strip(), text.strip(), after.strip()
