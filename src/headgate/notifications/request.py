"""A announcement for one receiver as the request that carries it, signed where it is a webhook. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import field
from typing import TYPE_CHECKING

from headgate.notifications.channels import slack, teams
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from headgate.model import Notification
    from headgate.notifications.announcement import Announcement

_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)


@frozen_record
class AnnouncementRequest:
    """What is posted. ``key`` signs it; empty for channels, whose address is the secret."""

    id: str
    body: bytes
    content_type: str
    key: bytes = field(default=b"", repr=False)

    def headers(self, now: int) -> dict[str, str]:
        """Return the headers of a try at a time in seconds, signed as Standard Webhooks asks.

        https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#webhook-headers-sending-metadata-to-consumers
        """
        headers = {"Content-Type": self.content_type}
        if self.key:
            signed = hmac.digest(self.key, f"{self.id}.{now}.".encode() + self.body, hashlib.sha256)
            signature = f"v1,{base64.b64encode(signed).decode()}"
            headers |= {"webhook-id": self.id, "webhook-timestamp": str(now), "webhook-signature": signature}
        return headers


def signing_key(text: str) -> bytes | None:
    """Return the key in a variable; None unless it is ``whsec_`` and 24 to 64 bytes in base64."""
    prefix, found, encoded = text.strip().partition(_PREFIX)
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if found and not prefix and len(key) in _KEY_BYTES else None


def request(
    announcement: Announcement, receiver: Notification, source: str, now: datetime, key: bytes = b""
) -> AnnouncementRequest:
    """Return the request for a receiver. A webhook gets all of the event in its body, which the signature covers."""
    if receiver.kind == "webhook":
        body, content_type = announcement.cloud_event(source, now), "application/cloudevents+json; charset=utf-8"
    else:
        body, content_type = _CHANNELS[receiver.kind](announcement), "application/json; charset=utf-8"
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return AnnouncementRequest(id=announcement.id(source), body=data, content_type=content_type, key=key)


_CHANNELS = {"slack": slack, "teams": teams}


def wants(receiver: Notification, announcement: Announcement) -> bool:
    """Whether a receiver is to have a announcement."""
    is_there = not receiver.environments or announcement.environment in receiver.environments
    return is_there and (not receiver.events or announcement.event in receiver.events)


def receivers(
    notifications: Mapping[str, Notification], announcements: list[Announcement]
) -> dict[str, tuple[Notification, list[Announcement]]]:
    """Return the receivers of headgate.yaml that are to have some of the announcements, with these."""
    found = {
        name: (receiver, [item for item in announcements if wants(receiver, item)])
        for name, receiver in notifications.items()
    }
    return {name: pair for name, pair in found.items() if pair[1]}
