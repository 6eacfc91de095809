"""The approvals of a merge request in words: what is missing, what is given, and whose do not count. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.bounded import counted
from headgate.report.markdown import code, prose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.gitlab.approvals import Approvals


def missing_text(approvals: Approvals) -> str:
    """Return what is missing: ``needs 1 more approval``; empty where nothing is."""
    if approvals.error is not None:
        return f"needs {counted(approvals.needed, 'approval')}; the number it has is unknown: {approvals.error.what}"
    if not approvals.missing:
        return ""
    more = "more " if approvals.given else ""
    return f"needs {counted(approvals.missing, f'{more}approval')}"


def hold_text(approvals: Approvals) -> str:
    """Return why a merge request is not merged yet, with whose approvals do not count; empty where it may be."""
    missing, ignored = missing_text(approvals), ignored_text(approvals)
    return f"{missing} ({ignored})" if missing and ignored else missing


def ignored_text(approvals: Approvals) -> str:
    """Return whose approvals do not count, and why."""
    return "; ".join(f"{name}'s does not count ({reason})" for name, reason in approvals.ignored)


def approvals_notice(approvals: Approvals | None) -> str:
    """Return in Markdown how many approvals are needed and given; empty where none is needed."""
    return "\n".join(f"> {line}" for line in _notice_lines(approvals)) if approvals else ""


def _notice_lines(approvals: Approvals) -> Iterator[str]:
    given = f": {', '.join(code(name) for name in approvals.given)}" if approvals.given else ""
    yield f"Needs {counted(approvals.needed, 'approval')}. Given: {len(approvals.given)}{given}."
    for name, reason in approvals.ignored:
        yield f"The approval of {code(name)} does not count: {prose(reason)}."
    if approvals.error is not None:
        yield f"They cannot be counted: {prose(approvals.error.what)}."
