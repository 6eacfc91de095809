"""One event that people wait for, and its form as a CloudEvent. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from headgate.records import frozen_record
from headgate.report.markdown import single_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from headgate.model import ReleasedConfig, ReleasedImage
    from headgate.model.notification import AnnouncedEvent

MAX_TEXT = 300
_MAX_NAME = 200
_MAX_PARTS = 10
_MAX_REASONS = 3
_SHORT = 12

TITLES: dict[AnnouncedEvent, str] = {
    "proposed": "waits for review",
    "merged": "merged",
    "rejected": "rejected",
    "landed": "landed",
    "rolled-back": "rolled back",
    "held": "held",
    "failed": "not delivered",
    "healthy": "healthy",
    "unhealthy": "failed in the cluster",
}


@frozen_record
class Announcement:
    """An event of one app in one environment; without ``app``, of a change of many apps there.

    ``commit`` of the manifest repository brought it. ``parts`` are the versions that it is about, ``branch`` is that of
    a proposal. ``key`` tells apart events that are otherwise equal.
    """

    event: AnnouncedEvent
    app: str
    environment: str
    commit: str
    version: str = ""
    parts: tuple[tuple[str, ReleasedImage | ReleasedConfig], ...] = ()
    actor: str = ""
    reasons: tuple[str, ...] = ()
    branch: str = ""
    url: str = ""
    key: str = ""

    @property
    def subject(self) -> str:
        """The app and its environment, or the environment."""
        return f"{self.app}/{self.environment}" if self.app else self.environment

    @property
    def title(self) -> str:
        """One line for people."""
        version = f" ({_text(self.version, 100)})" if self.version else ""
        return f"{self.app or 'Several apps'} in {self.environment}: {TITLES[self.event]}{version}"

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield what there is to say, with labels, on bounded lines of their own."""
        sources = dict.fromkeys(f"{part.project}@{part.commit[:_SHORT]}" for _, part in self.parts[:_MAX_PARTS])
        if sources:
            yield "From", _text(", ".join(sources))
        if self.actor:
            yield "By", _text(self.actor, 100)
        if self.reasons:
            yield "Why", _text("; ".join(self.reasons[:_MAX_REASONS]))

    def id(self, source: str) -> str:
        """Return an id that the same event of the same landing always has."""
        parts = [f"{name}@{part.commit}" for name, part in self.parts]
        content = json.dumps([source, self.event, self.app, self.environment, self.commit, parts, self.key])
        return hashlib.sha256(content.encode()).hexdigest()[:32]

    def cloud_event(self, source: str, time: datetime) -> dict[str, Any]:
        """Return it as a CloudEvent: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md.

        ``source`` is the address of the manifest project. Keys are only ever added.
        """
        data = {
            "event": self.event,
            "app": self.app or None,
            "environment": self.environment,
            "title": self.title,
            "version": _text(self.version, 100) or None,
            "parts": [_part(name, part) for name, part in self.parts[:_MAX_PARTS]],
            "actor": _text(self.actor, 100) or None,
            "reasons": [_text(reason) for reason in self.reasons[:_MAX_REASONS]],
            "commit": self.commit,
            "url": self.url or None,
        }
        return {
            "specversion": "1.0",
            "id": self.id(source),
            "source": source,
            "type": f"headgate.{self.event}",
            "subject": self.subject,
            "time": time.isoformat(timespec="seconds"),
            "datacontenttype": "application/json",
            "data": data,
        }


def _part(name: str, part: ReleasedImage | ReleasedConfig) -> dict[str, str]:
    image = {key: value for key in ("tag", "digest") if (value := getattr(part, key, ""))}
    found = {"name": name, "project": part.project, "commit": part.commit, "ref": part.ref, **image}
    return {key: _text(value, _MAX_NAME) for key, value in found.items()}


def _text(text: str, limit: int = MAX_TEXT) -> str:
    return single_line(text, limit)
