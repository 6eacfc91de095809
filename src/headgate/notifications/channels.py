"""Announcements as messages for Slack and Microsoft Teams.

Text from apps appears only where neither reads markup, so that nothing there is a mention, a link or a format. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.model.notification import AnnouncedEvent
    from headgate.notifications.announcement import Announcement

_MOOD: Mapping[AnnouncedEvent, str] = {
    "proposed": "accent",
    "merged": "good",
    "landed": "good",
    "healthy": "good",
    "held": "warning",
    "rejected": "warning",
    "rolled-back": "warning",
    "failed": "attention",
    "unhealthy": "attention",
}
_COLOURS = {"good": "#2da160", "warning": "#c17d10", "attention": "#dd2b0e", "accent": "#1f75cb"}


def slack(announcement: Announcement) -> dict[str, Any]:
    """Return a message for an incoming webhook: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.

    Texts are `plain_text` objects. The title, which notifications show, is escaped as Slack asks:
    https://docs.slack.dev/messaging/formatting-message-text#escaping.
    """
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "plain_text", "text": f"{label}: {text}", "emoji": False}}
        for label, text in announcement.facts()
    ]
    if announcement.url:
        link = {
            "type": "mrkdwn",
            "text": f"<{_escaped(announcement.url).replace('|', '%7C')}|Open in GitLab>",
            "verbatim": True,
        }
        blocks.append({"type": "context", "elements": [link]})
    colour = _COLOURS[_MOOD[announcement.event]]
    return {
        "text": _escaped(announcement.title),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "attachments": [{"color": colour, "blocks": blocks, "fallback": _escaped(announcement.title)}]
        if blocks
        else [],
    }


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def teams(announcement: Announcement) -> dict[str, Any]:
    """Return a message with an Adaptive Card for the workflow *Post to a channel when a webhook request is received*.

    Texts are TextRuns, in which there is no Markdown: https://adaptivecards.io/explorer/TextRun.html.
    """
    body: list[dict[str, Any]] = [
        {
            "type": "Container",
            "style": _MOOD[announcement.event],
            "bleed": True,
            "items": [_line({"type": "TextRun", "text": announcement.title, "weight": "Bolder"})],
        }
    ]
    for label, text in announcement.facts():
        run = {"type": "TextRun", "text": f"{label}: ", "weight": "Bolder"}
        body.append(_line(run, {"type": "TextRun", "text": text}))
    opens = {"type": "Action.OpenUrl", "title": "Open in GitLab", "url": announcement.url}
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        **({"actions": [opens]} if announcement.url else {}),
    }
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [content]}


def _line(*runs: dict[str, str]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs)}
